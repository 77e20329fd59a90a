// y[n, c] = mean over h, w of x[n, h, w, c];  d_x[n, h, w, c] = d_y[n, c] / (h * w).
// x (n, h, w, c), y (n, c).
// One invocation computes one element of y (in row-major order of the pixels) or of d_x; four channels of it in the
// kernels on vec4, which need c % 4 == 0.
// Source: Keras GlobalAveragePooling2D; Lin et al. 2013, Network in Network, section 3.2.

struct P {
    count: u32, // elements (or vec4) of the result
    pixels: u32, // h * w
    c: u32, // in vec4 where the tensors are vec4
    scale: f32, // 1 / pixels
    accumulate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<x_type>;
@group(0) @binding(1) var<storage, read_write> y: array<y_type>;
@group(0) @binding(2) var<storage, read> x4: array<vec4<x4_type>>;
@group(0) @binding(3) var<storage, read_write> y4: array<vec4<y4_type>>;
@group(0) @binding(4) var<storage, read> d_y: array<d_y_type>;
@group(0) @binding(5) var<storage, read_write> d_x: array<d_x_type>;
@group(0) @binding(6) var<storage, read> d_y4: array<vec4<d_y4_type>>;
@group(0) @binding(7) var<storage, read_write> d_x4: array<vec4<d_x4_type>>;

@compute @workgroup_size(SIZE)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = flat_index(group, groups, local);
    if (e >= p.count) { return; }
    let first = (e / p.c) * p.pixels * p.c + e % p.c;
    var sum = 0.0;
    for (var pixel = 0u; pixel < p.pixels; pixel++) {
        sum += f32(x[x_at + first + pixel * p.c]);
    }
    y[y_at + e] = y_type(sum * p.scale);
}

@compute @workgroup_size(SIZE)
fn forward4(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = flat_index(group, groups, local);
    if (e >= p.count) { return; }
    let first = (e / p.c) * p.pixels * p.c + e % p.c;
    var sum = vec4f(0.0);
    for (var pixel = 0u; pixel < p.pixels; pixel++) {
        sum += vec4f(x4[x4_at / 4u + first + pixel * p.c]);
    }
    y4[y4_at / 4u + e] = vec4<y4_type>(sum * p.scale);
}

// Flat index in d_y of the mean that element `e` of d_x went into.
fn pooled(e: u32) -> u32 {
    return e / (p.pixels * p.c) * p.c + e % p.c;
}

@compute @workgroup_size(SIZE)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = flat_index(group, groups, local);
    if (e >= p.count) { return; }
    var d = f32(d_y[d_y_at + pooled(e)]) * p.scale;
    if (p.accumulate == 1u) { d += f32(d_x[d_x_at + e]); }
    d_x[d_x_at + e] = d_x_type(d);
}

@compute @workgroup_size(SIZE)
fn backward4(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = flat_index(group, groups, local);
    if (e >= p.count) { return; }
    var d = vec4f(d_y4[d_y4_at / 4u + pooled(e)]) * p.scale;
    if (p.accumulate == 1u) { d += vec4f(d_x4[d_x4_at / 4u + e]); }
    d_x4[d_x4_at / 4u + e] = vec4<d_x4_type>(d);
}
