// gemm_tiled: y = x w with bias, ReLU or accumulation, the form for GPUs; rung `tiled` of dense and conv2d.
//
// x (m,k), w (k,n)  through `x_block` and `w_block`, which the pieces in front of this file define: plain matrices, or
//                   the pixels, taps and weights of a convolution (implicit GEMM)
// y (m,n)           row-major, `y_row` elements from row to row; bias (n)
//
// One workgroup of 256 computes TILE x TILE elements of y, TILE = 16 MICRO, in steps of DEPTH along k; one invocation
// computes MICRO x MICRO of them. Half of the workgroup loads x and half loads w, each invocation four by four
// elements, into shared memory with k outermost, so that the inner loop reads vec4f along m and n. With two STAGES the
// next tile is stored while others still read the last one, which saves a barrier.
//
// There are p.copies of y: k is cut into as many parts, which `sum` adds in a fixed order; or, where x_batch is not 0, as
// many products of as many pairs of matrices are computed, each over the whole of k.
// groups (m / TILE rounded up, folded into z; n / TILE rounded up; folds * copies)
// Source: shared-memory and register blocking, Volkov and Demmel 2008, "Benchmarking GPUs to tune dense linear algebra".

struct P {
    m: u32, n: u32, k: u32,
    copies: u32,
    k_part: u32,   // k of one copy; where k is cut, a multiple of DEPTH
    x_offset: u32, x_stride: u32, x_batch: u32,
    w_offset: u32, w_stride: u32, w_batch: u32,
    y_row: u32, y_offset: u32,
    y_batch: u32,  // elements from one copy of y to the next
    bias: u32,     // 1: add bias
    floor: f32,    // the least value that is kept: 0 for ReLU, else the least finite one
    accumulate: u32,
    // A convolution's map: its size, its channels and those rounded up to four; the other map's size.
    h: u32, w: u32, c: u32, c_padded: u32,
    ho: u32, wo: u32,
    kh: u32, kw: u32, sh: u32, sw: u32, top: u32, left: u32,
    w_rows: u32, // rows of w in one tap
}

const TILE: u32 = 16u * MICRO;
const QUADS: u32 = MICRO / 4u;
const COLUMNS: u32 = TILE / 4u;      // vec4f in a row of a shared tile
const DEPTH: u32 = 2048u / TILE;     // 128 invocations load 4 x 4 elements each
const SIZE: u32 = DEPTH * COLUMNS;

var<workgroup> x_tile: array<vec4f, STAGES * SIZE>;
var<workgroup> w_tile: array<vec4f, STAGES * SIZE>;

// Where row k, column quad o of a tile lies. The columns of a row are permuted, so that neighbouring invocations,
// which store rows four apart, use different banks.
fn place(k: u32, o: u32) -> u32 { return k * COLUMNS + (o ^ (((k >> 2u) & 3u) << 1u)); }

// Which block of the tile an invocation loads: (outer quad, k quad), neighbours along the contiguous side.
fn block_of(t: u32, along_k: u32) -> vec2u {
    if along_k != 0u { return vec2u(t / (DEPTH / 4u), t % (DEPTH / 4u)); }
    return vec2u(t % COLUMNS, t / COLUMNS);
}

@compute @workgroup_size(256)
fn product(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let copy = group.z % p.copies;
    let m_first = (group.z / p.copies * groups.x + group.x) * TILE;
    let n_first = group.y * TILE;
    let k_first = select(copy * p.k_part, 0u, p.x_batch != 0u);
    let k_end = min(p.k, k_first + p.k_part);
    let loads_x = local < 128u;
    let at = block_of(local % 128u, select(W_ALONG_K, X_ALONG_K, loads_x));
    let k_mine = k_first + at.y * 4u;
    var x_spot = x_start(m_first + at.x * 4u, k_mine, copy);
    var w_spot = w_start(n_first + at.x * 4u, k_mine, copy);
    let ty = local / 16u;
    let tx = local % 16u;
    var sums: array<vec4f, 4u * QUADS * QUADS>;
    var stage = 0u;
    for (var k = k_first; k < k_end; k += DEPTH) {
        if loads_x {
            var block = x_block(&x_spot, k_end);
            for (var j = 0u; j < 4u; j++) { x_tile[stage * SIZE + place(at.y * 4u + j, at.x)] = block.k[j]; }
            x_next(&x_spot);
        } else {
            var block = w_block(&w_spot, k_end);
            for (var j = 0u; j < 4u; j++) { w_tile[stage * SIZE + place(at.y * 4u + j, at.x)] = block.k[j]; }
            w_next(&w_spot);
        }
        workgroupBarrier();
        for (var d = 0u; d < DEPTH; d++) {
            for (var qm = 0u; qm < QUADS; qm++) {
                let a = x_tile[stage * SIZE + place(d, qm * 16u + ty)];
                for (var qn = 0u; qn < QUADS; qn++) {
                    let b = w_tile[stage * SIZE + place(d, qn * 16u + tx)];
                    let i = 4u * (qm * QUADS + qn);
                    sums[i] += a.x * b;
                    sums[i + 1u] += a.y * b;
                    sums[i + 2u] += a.z * b;
                    sums[i + 3u] += a.w * b;
                }
            }
        }
        // With one stage nobody may store before all have read; with two, the barrier of the next step is enough.
        if STAGES == 1u { workgroupBarrier(); } else { stage = 1u - stage; }
    }
    for (var qm = 0u; qm < QUADS; qm++) {
        for (var qn = 0u; qn < QUADS; qn++) {
            let n = n_first + (qn * 16u + tx) * 4u;
            for (var j = 0u; j < 4u; j++) {
                put(m_first + (qm * 16u + ty) * 4u + j, n, copy, sums[4u * (qm * QUADS + qn) + j]);
            }
        }
    }
}

fn put(m: u32, n: u32, copy: u32, sum: vec4f) {
    if m >= p.m || n >= p.n { return; }
    let i = p.y_offset + copy * p.y_batch + m * p.y_row + n;
    var v = sum + bias4(n);
    if p.accumulate != 0u { v += load_y4(i, p.n - n); }
    let least = vec4f(p.floor);
    store_y4(i, p.n - n, select(v, least, v < least)); // unlike max, this lets a NaN through
}
