// conv2d, rung `naive`: cross-correlation as Keras defines it, with bias and ReLU.
//
//   y[n,oy,ox,co] = relu(b[co] + sum over ky,kx,ci of x[n, oy*sh + ky - top, ox*sw + kx - left, ci] * w[ky,kx,ci,co])
//
// x (n,h,w,ci)  w (kh,kw,ci,co)  b (co)  y (n,ho,wo,co); gradients have the shape of what they belong to.
// One invocation computes one element of y, of d_x, or of one part of d_w. Outside of x is zero.
// Source: Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning".

struct P {
    n: u32, h: u32, w: u32, ci: u32,
    ho: u32, wo: u32, co: u32,
    kh: u32, kw: u32, sh: u32, sw: u32, top: u32, left: u32,
    has_bias: u32, relu: u32, accumulate: u32,
    part_rows: u32, // rows of outputs in one part of d_w
}

@group(0) @binding(0) var<storage, read> x: array<x_type>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<y_type>;
@group(0) @binding(4) var<storage, read> d_y: array<d_y_type>;
@group(0) @binding(5) var<storage, read_write> d_x: array<d_x_type>;
@group(0) @binding(6) var<storage, read_write> parts: array<f32>;

@compute @workgroup_size(SIZE)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if i >= p.n * p.ho * p.wo * p.co { return; }
    let co = i % p.co;
    let ox = i / p.co % p.wo;
    let oy = i / (p.co * p.wo) % p.ho;
    let n = i / (p.co * p.wo * p.ho);
    var sum = 0.0;
    if p.has_bias != 0u { sum = b[b_at + co]; }
    for (var ky = 0u; ky < p.kh; ky++) {
        let iy = oy * p.sh + ky - p.top; // wraps above h when negative
        if iy >= p.h { continue; }
        for (var kx = 0u; kx < p.kw; kx++) {
            let ix = ox * p.sw + kx - p.left;
            if ix >= p.w { continue; }
            let x_row = ((n * p.h + iy) * p.w + ix) * p.ci;
            let w_row = (ky * p.kw + kx) * p.ci;
            for (var ci = 0u; ci < p.ci; ci++) {
                sum += f32(x[x_at + x_row + ci]) * w[w_at + (w_row + ci) * p.co + co];
            }
        }
    }
    y[y_at + i] = y_type(select(sum, max(sum, 0.0), p.relu != 0u));
}

// d_x[n,iy,ix,ci] = sum over ky,kx,co of d_y[n,oy,ox,co] * w[ky,kx,ci,co], where oy*sh = iy + top - ky
@compute @workgroup_size(SIZE)
fn input_gradient(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if i >= p.n * p.h * p.w * p.ci { return; }
    let ci = i % p.ci;
    let ix = i / p.ci % p.w;
    let iy = i / (p.ci * p.w) % p.h;
    let n = i / (p.ci * p.w * p.h);
    var sum = 0.0;
    for (var ky = 0u; ky < p.kh; ky++) {
        let ty = iy + p.top - ky;
        if ty % p.sh != 0u || ty / p.sh >= p.ho { continue; }
        for (var kx = 0u; kx < p.kw; kx++) {
            let tx = ix + p.left - kx;
            if tx % p.sw != 0u || tx / p.sw >= p.wo { continue; }
            let y_row = ((n * p.ho + ty / p.sh) * p.wo + tx / p.sw) * p.co;
            let w_row = ((ky * p.kw + kx) * p.ci + ci) * p.co;
            for (var co = 0u; co < p.co; co++) {
                sum += f32(d_y[d_y_at + y_row + co]) * w[w_at + w_row + co];
            }
        }
    }
    if p.accumulate != 0u { sum += f32(d_x[d_x_at + i]); }
    d_x[d_x_at + i] = d_x_type(sum);
}

// parts[part,ky,kx,ci,co] = sum over n,oy,ox of the part of x[n, oy*sh + ky - top, ox*sw + kx - left, ci] * d_y[n,oy,ox,co]
// d_w is the sum of the parts (gemm_sum): software drivers end a kernel's loops silently after 65,535 iterations.
@compute @workgroup_size(SIZE)
fn weight_gradient(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    let weights = p.kh * p.kw * p.ci * p.co;
    let first = i / weights * p.part_rows;
    if first >= p.n * p.ho { return; }
    let co = i % p.co;
    let ci = i / p.co % p.ci;
    let kx = i / (p.co * p.ci) % p.kw;
    let ky = i / (p.co * p.ci * p.kw) % p.kh;
    var sum = 0.0;
    for (var row = first; row < min(first + p.part_rows, p.n * p.ho); row++) {
        let iy = row % p.ho * p.sh + ky - p.top;
        if iy >= p.h { continue; }
        let x_row = (row / p.ho * p.h + iy) * p.w;
        var line = 0.0; // one output row at a time keeps the rounding error small
        for (var ox = 0u; ox < p.wo; ox++) {
            let ix = ox * p.sw + kx - p.left;
            if ix >= p.w { continue; }
            line += f32(x[x_at + (x_row + ix) * p.ci + ci]) * f32(d_y[d_y_at + (row * p.wo + ox) * p.co + co]);
        }
        sum += line;
    }
    parts[parts_at + i] = sum;
}
