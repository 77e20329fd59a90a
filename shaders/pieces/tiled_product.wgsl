// A product by tiles: its parameter block, the task of a workgroup, and the store of its sums with bias, accumulation or
// ReLU.
//
// There are p.copies of y: k is cut into as many parts, which `sum` adds in a fixed order; or, where x_batch is not 0, as
// many products of as many pairs of matrices are computed, each over the whole of k.
// groups (m / TILE rounded up, folded into z; n / TILE rounded up; folds * copies)

struct P {
    m: u32, n: u32, k: u32,
    copies: u32,
    k_part: u32,   // k of one copy; where k is cut, a multiple of the kernel's step
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

// TILE x TILE elements of one copy of y, from (m, n) on, summed over k .. k_end.
struct Task { copy: u32, m: u32, n: u32, k: u32, k_end: u32 }

fn task_of(group: vec3u, groups: vec3u) -> Task {
    let copy = group.z % p.copies;
    let m = (group.z / p.copies * groups.x + group.x) * TILE;
    let k = select(copy * p.k_part, 0u, p.x_batch != 0u);
    return Task(copy, m, group.y * TILE, k, min(p.k, k + p.k_part));
}

fn put(m: u32, n: u32, copy: u32, sum: vec4f) {
    if m >= p.m || n >= p.n { return; }
    let i = p.y_offset + copy * p.y_batch + m * p.y_row + n;
    var v = sum + bias4(n);
    if p.accumulate != 0u { v += load_y4(i, p.n - n); }
    let least = vec4f(p.floor);
    store_y4(i, p.n - n, select(v, least, v < least)); // unlike max, this lets a NaN through
}
