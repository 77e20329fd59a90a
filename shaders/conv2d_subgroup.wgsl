// conv2d, rung `subgroup`: y = relu(conv2d(x, w) + bias) for any kernel, stride and padding, as a product of pixels
// by weights.
//
// a (n, h_pad, w_pad, c4)  x with its padding, from `conv2d_halo`
// b (kh * kw * c4 * 4, co) the weight (kh, kw, ci, co), ci rounded up to 4, packed by columns
// y (n, h, w, co)          row-major f32; a row of the product is one pixel
//
// For one row of taps, kw and ci run on in x as they do in w: the loop is over the kh rows and, in
// each, over one run of kw * c4 texels. No index is divided inside it.
// One workgroup computes ROWS pixels by 64 channels; lane l holds channels 4l .. 4l + 3 of each half.
// d_x is the same kernel: x = d_y (masked, step = stride, padding k - 1 - pad), w rotated and swapped.
// groups (x: n h w / ROWS rounded up, folded
// into z; y: co / 64 rounded up). Source: implicit GEMM, Chetlur et al. 2014.

struct P {
    m: u32,        // n h w
    n: u32,        // co
    k4: u32,       // kh * run: texels of one panel of b / 32
    y_row: u32,    // co
    pixels: u32,   // h w of y
    w: u32,        // of y
    pitch: u32,    // texels from one row of a to the next: w_pad * c4
    image: u32,    // texels from one image of a to the next: h_pad * pitch
    step_y: u32,   // stride * pitch
    step_x: u32,   // stride * c4
    kh: u32,
    run: u32,      // kw * c4
    bias: u32,
    floor: f32,    // 0 for ReLU, else -3.0e38
    accumulate: u32,
}

// The first texel of pixel m; pixels beyond the last read the last, and are not written.
fn first_texel(m: u32) -> u32 {
    let pixel = min(m, p.m - 1u);
    let image = pixel / p.pixels;
    let in_image = pixel - image * p.pixels;
    let y = in_image / p.w;
    return image * p.image + y * p.step_y + (in_image - y * p.w) * p.step_x;
}

@compute @workgroup_size(8)
fn convolution(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let m = (group.z * groups.x + group.x) * ROWS;
    let a0 = first_texel(m + lane);
    let a1 = first_texel(m + 8u + lane);
    let a2 = first_texel(m + 16u + lane);
    let a3 = first_texel(m + 24u + lane);
    let panel = p.k4 * 32u;
    let b_first = group.y * 2u * panel + lane;
    var t00: Rows; var t01: Rows;
    var t10: Rows; var t11: Rows;
    var t20: Rows; var t21: Rows;
    var t30: Rows; var t31: Rows;
    // One loop over both: a nested loop would put the tile through two masks.
    var j = 0u;
    var row_first = 0u;
    for (var k = 0u; k < p.k4; k++) {
        let i = row_first + j;
        let b0 = load_strip(b_first + k * 32u);
        let b1 = load_strip(b_first + panel + k * 32u);
        add_rows(&t00, &t01, textureLoad(a, texel(a0 + i)), b0, b1);
        add_rows(&t10, &t11, textureLoad(a, texel(a1 + i)), b0, b1);
        if ROWS == 32u {
            add_rows(&t20, &t21, textureLoad(a, texel(a2 + i)), b0, b1);
            add_rows(&t30, &t31, textureLoad(a, texel(a3 + i)), b0, b1);
        }
        let last = j + 1u == p.run;
        j = select(j + 1u, 0u, last);
        row_first += select(0u, p.pitch, last);
    }
    let n = group.y * 64u + lane * 4u;
    put_rows(&t00, m, n, 0u);
    put_rows(&t01, m, n + 32u, 0u);
    put_rows(&t10, m + 8u, n, 0u);
    put_rows(&t11, m + 8u, n + 32u, 0u);
    if ROWS == 32u {
        put_rows(&t20, m + 16u, n, 0u);
        put_rows(&t21, m + 16u, n + 32u, 0u);
        put_rows(&t30, m + 24u, n, 0u);
        put_rows(&t31, m + 24u, n + 32u, 0u);
    }
}
