// gemm_tiled: y = x w with bias, ReLU or accumulation, the form for GPUs; rung `tiled` of dense and conv2d.
//
// x (m,k), w (k,n)  through `x_block` and `w_block`, which the pieces in front of this file define: plain matrices, or
//                   the pixels, taps and weights of a convolution (implicit GEMM)
// y (m,n)           row-major, `y_row` elements from row to row; bias (n)
//
// One workgroup of 256 computes TILE x TILE elements of y, TILE = 16 MICRO, in steps of DEPTH along k; one invocation
// computes MICRO x MICRO of them. Half of the workgroup loads x and half loads w, each invocation four by four
// elements, into shared memory with k outermost, so that the inner loop reads vec4f along m and n. The next step's
// elements are on their way into registers while this one's are multiplied. With two STAGES the next tile is stored while
// others still read the last one, which saves a barrier.
// groups as in the piece tiled_product.
// Source: shared-memory and register blocking, Volkov and Demmel 2008, "Benchmarking GPUs to tune dense linear algebra".

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

@compute @workgroup_size(256)
fn product(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let task = task_of(group, groups);
    let loads_x = local < 128u;
    let at = block_of(local % 128u, select(W_ALONG_K, X_ALONG_K, loads_x));
    var x_spot = x_start(task.m + at.x * 4u, task.k + at.y * 4u, task.copy);
    var w_spot = w_start(task.n + at.x * 4u, task.k + at.y * 4u, task.copy);
    let ty = local / 16u;
    let tx = local % 16u;
    var sums: array<vec4f, 4u * QUADS * QUADS>;
    var stage = 0u;
    var block = load_block(loads_x, &x_spot, &w_spot, task.k_end);
    for (var k = task.k; k < task.k_end; k += DEPTH) {
        for (var j = 0u; j < 4u; j++) {
            let i = stage * SIZE + place(at.y * 4u + j, at.x);
            if loads_x { x_tile[i] = block.k[j]; } else { w_tile[i] = block.k[j]; }
        }
        workgroupBarrier();
        block = load_block(loads_x, &x_spot, &w_spot, task.k_end); // beyond the last step: zeros, without a load
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
            let n = task.n + (qn * 16u + tx) * 4u;
            for (var j = 0u; j < 4u; j++) {
                put(task.m + (qm * 16u + ty) * 4u + j, n, task.copy, sums[4u * (qm * QUADS + qn) + j]);
            }
        }
    }
}
