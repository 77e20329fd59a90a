// gemm: y = a b, or y = relu(a b + bias), or y += a b, for a batch of products; rung `subgroup`.
//
// a (m,k), b (k,n)  packed into texels by `gemm_pack`: a by rows, b by columns
// y (m,n)           row-major f32, `y_row` elements from row to row; bias (n), added where p.bias is 1
//
// With B_ALONG_K b is given as its transposed matrix (n,k) packed by columns: four k lie in a texel, and a strip is
// turned over as it is loaded, which costs nothing where a vec4 is four registers.
//
// One workgroup is one subgroup of eight lanes and computes ROWS (16 or 32) rows by 64 columns of y. Lane l holds
// columns 4l .. 4l + 3 of each half; a row of a is broadcast from the lane that loaded it. A step takes four k: a
// wider tile, or more k a step, falls out of the 32 KiB instruction cache and runs at half the speed (measured).
//
// groups (m / ROWS rounded up, n / 64 rounded up, batch): neighbours share b, which then stays in cache. With N_FIRST
// the first two change places: neighbours then fill whole rows of y, which halves the time where k is short.
// Source: register blocking, Goto and van de Geijn 2008; the broadcast takes the place of shared memory.

struct P {
    m: u32,
    n: u32,
    k4: u32,         // k / 4, rounded up
    y_row: u32,
    y_offset: u32,
    y_batch: u32,    // elements of y between the products of a batch
    b_panel: u32,    // B_ALONG_K: texels of a panel of b
    a_batch: u32,    // texels between the matrices of a; a multiple of 32
    b_batch: u32,    // texels between the matrices of b; a multiple of 32
    bias: u32,       // 1: add bias
    floor: f32,      // the least value that is kept: 0 for ReLU, else the least finite one
    accumulate: u32, // 1: add to y
}

// Four k of four columns.
fn strip(first: u32, k: u32) -> Strip {
    if B_ALONG_K == 0u { return load_strip(first + k * 32u); }
    let c = load_strip(first + (k >> 3u) * p.b_panel + (k & 7u));
    return Strip(vec4f(c.k0.x, c.k1.x, c.k2.x, c.k3.x), vec4f(c.k0.y, c.k1.y, c.k2.y, c.k3.y),
                 vec4f(c.k0.z, c.k1.z, c.k2.z, c.k3.z), vec4f(c.k0.w, c.k1.w, c.k2.w, c.k3.w));
}

@compute @workgroup_size(8)
fn product(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let panel = p.k4 * 32u;
    let tile = select(group.xy, group.yx, N_FIRST != 0u);
    let first_row = tile.x * ROWS;
    let a_first = group.z * p.a_batch + first_row / 32u * panel + first_row % 32u + lane;
    let columns = select(tile.y * 2u * panel + lane, tile.y * 512u + lane * 32u, B_ALONG_K != 0u);
    let b_first = group.z * p.b_batch + columns;
    let b_second = b_first + select(panel, 256u, B_ALONG_K != 0u);
    var t00: Rows; var t01: Rows;
    var t10: Rows; var t11: Rows;
    var t20: Rows; var t21: Rows;
    var t30: Rows; var t31: Rows;
    for (var k = 0u; k < p.k4; k++) {
        let b0 = strip(b_first, k);
        let b1 = strip(b_second, k);
        let i = a_first + k * 32u;
        add_rows(&t00, &t01, textureLoad(a, texel(i)), b0, b1);
        add_rows(&t10, &t11, textureLoad(a, texel(i + 8u)), b0, b1);
        if ROWS == 32u {
            add_rows(&t20, &t21, textureLoad(a, texel(i + 16u)), b0, b1);
            add_rows(&t30, &t31, textureLoad(a, texel(i + 24u)), b0, b1);
        }
    }
    let m = first_row;
    let n = tile.y * 64u + lane * 4u;
    let y_first = p.y_offset + group.z * p.y_batch;
    put_rows(&t00, m, n, y_first);
    put_rows(&t01, m, n + 32u, y_first);
    put_rows(&t10, m + 8u, n, y_first);
    put_rows(&t11, m + 8u, n + 32u, y_first);
    if ROWS == 32u {
        put_rows(&t20, m + 16u, n, y_first);
        put_rows(&t21, m + 16u, n + 32u, y_first);
        put_rows(&t30, m + 24u, n, y_first);
        put_rows(&t31, m + 24u, n + 32u, y_first);
    }
}
