// gemm_stream: y = a w, or y = a wᵀ (TRANSPOSED), where w is read straight from its buffer, once; rung `subgroup`.
//
// a (m,k)            packed into texels by rows: panels of 32 rows, `a_k4` texels deep
// w (k,n) or (n,k)   row-major f32, `w_row` elements from row to row; its first row is row 0 of the binding
// y (m,n)            row-major f32, one copy for each chunk of k: the walk down w stays within few pages, and long sums
//                    stay exact; `gemm_sum` adds the copies
//
// For the few rows of a dense layer: packing w into texels costs more than such a product. One workgroup is one
// subgroup of eight lanes and computes 16 rows by 128 columns; lane l holds columns 4l .. 4l + 3 of each quarter.
// groups (n / 128 rounded up, m / 16 rounded up, chunks of k).

struct P {
    m: u32,
    n: u32,
    k: u32,          // rows of w (columns of w where TRANSPOSED)
    a_k4: u32,       // texels of a row of a
    a_first: u32,    // the first of them
    w_row: u32,
    y_row: u32,
    y_offset: u32,
    k_chunk: u32,    // k of one chunk, a multiple of four
    y_chunk: u32,    // elements from one copy of y to the next
    bias: u32,       // 1: add bias
    floor: f32,      // the least value that is kept: 0 for ReLU, else the least finite one
    accumulate: u32, // 1: add to y
}

@group(0) @binding(0) var a: texture_storage_2d<rgba32float, read>;

// Four k of four columns. Beyond w the last element is read again: there a is zero, or nothing is stored.
fn load_strip(k: u32, n: u32) -> Strip {
    if TRANSPOSED == 0u {
        let column = min(n, (p.n - 1u) & ~3u);
        let last = p.k - 1u;
        let left = p.n - column;
        return Strip(load_w4(k * p.w_row + column, left), load_w4(min(k + 1u, last) * p.w_row + column, left),
                     load_w4(min(k + 2u, last) * p.w_row + column, left),
                     load_w4(min(k + 3u, last) * p.w_row + column, left));
    }
    let last = p.n - 1u;
    let left = p.k - k;
    let c0 = load_w4(min(n, last) * p.w_row + k, left);
    let c1 = load_w4(min(n + 1u, last) * p.w_row + k, left);
    let c2 = load_w4(min(n + 2u, last) * p.w_row + k, left);
    let c3 = load_w4(min(n + 3u, last) * p.w_row + k, left);
    return Strip(vec4f(c0.x, c1.x, c2.x, c3.x), vec4f(c0.y, c1.y, c2.y, c3.y),
                 vec4f(c0.z, c1.z, c2.z, c3.z), vec4f(c0.w, c1.w, c2.w, c3.w));
}

@compute @workgroup_size(8)
fn stream(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let m = group.y * 16u;
    let n = group.x * 128u + lane * 4u;
    let a_first = (m / 32u * p.a_k4 + p.a_first) * 32u + m % 32u + lane;
    var t00: Rows; var t01: Rows; var t02: Rows; var t03: Rows;
    var t10: Rows; var t11: Rows; var t12: Rows; var t13: Rows;
    let k_first = group.z * p.k_chunk;
    let k_end = min(p.k, k_first + p.k_chunk);
    for (var k = k_first; k < k_end; k += 4u) {
        let upper = textureLoad(a, texel(a_first + k * 8u));
        let lower = textureLoad(a, texel(a_first + k * 8u + 8u));
        {
            let w0 = load_strip(k, n);
            let w1 = load_strip(k, n + 32u);
            add_rows(&t00, &t01, upper, w0, w1);
            add_rows(&t10, &t11, lower, w0, w1);
        }
        {
            let w2 = load_strip(k, n + 64u);
            let w3 = load_strip(k, n + 96u);
            add_rows(&t02, &t03, upper, w2, w3);
            add_rows(&t12, &t13, lower, w2, w3);
        }
    }
    let y_first = p.y_offset + group.z * p.y_chunk;
    put_rows(&t00, m, n, y_first);
    put_rows(&t01, m, n + 32u, y_first);
    put_rows(&t02, m, n + 64u, y_first);
    put_rows(&t03, m, n + 96u, y_first);
    put_rows(&t10, m + 8u, n, y_first);
    put_rows(&t11, m + 8u, n + 32u, y_first);
    put_rows(&t12, m + 8u, n + 64u, y_first);
    put_rows(&t13, m + 8u, n + 96u, y_first);
}
