// y[n, h, w, c] = x[n, h, w, order[c]] * scale[c] + offset[c]: pixels as bytes become what a network was trained on.
// x (n, h, w, 3) u8, four to a word, or f32 behind augmenting ops; y (n, h, w, 3) f32. `red`, `green` and `blue` are the rows of the equivalent
// matrix, zero but for one element each: y = (dot(red, x), dot(green, x), dot(blue, x)) + offset.
// One invocation computes one element of y; or four pixels, three words to three vec4, where their number allows; or one
// pixel of f32.
// Source: Keras imagenet_utils.preprocess_input.

struct P {
    count: u32, // elements of y, or groups of four pixels, or pixels
    red_x: f32, red_y: f32, red_z: f32,
    green_x: f32, green_y: f32, green_z: f32,
    blue_x: f32, blue_y: f32, blue_z: f32,
    offset_x: f32, offset_y: f32, offset_z: f32,
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> y4: array<vec4f>;
@group(0) @binding(3) var<storage, read> x_floats: array<f32>;

fn byte(e: u32) -> f32 {
    return f32((x[x_at + e / 4u] >> (8u * (e % 4u))) & 255u);
}

@compute @workgroup_size(SIZE)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = flat_index(group, groups, local);
    if (e >= p.count) { return; }
    let first = e - e % 3u;
    let colour = mapped(vec3f(byte(first), byte(first + 1u), byte(first + 2u)));
    y[y_at + e] = select(select(colour.z, colour.y, e % 3u == 1u), colour.x, e % 3u == 0u);
}

@compute @workgroup_size(SIZE)
fn forward4(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let shifts = vec4u(0u, 8u, 16u, 24u);
    let u = vec4f((vec4u(x[x_at + 3u * i]) >> shifts) & vec4u(255u));
    let v = vec4f((vec4u(x[x_at + 3u * i + 1u]) >> shifts) & vec4u(255u));
    let w = vec4f((vec4u(x[x_at + 3u * i + 2u]) >> shifts) & vec4u(255u));
    let a = mapped(u.xyz);
    let b = mapped(vec3f(u.w, v.xy));
    let c = mapped(vec3f(v.zw, w.x));
    let d = mapped(w.yzw);
    let to = y4_at / 4u + 3u * i;
    y4[to] = vec4f(a, b.x);
    y4[to + 1u] = vec4f(b.yz, c.xy);
    y4[to + 2u] = vec4f(c.z, d);
}

@compute @workgroup_size(SIZE)
fn forward_floats(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let first = x_floats_at + 3u * i;
    let colour = mapped(vec3f(x_floats[first], x_floats[first + 1u], x_floats[first + 2u]));
    y[y_at + 3u * i] = colour.x;
    y[y_at + 3u * i + 1u] = colour.y;
    y[y_at + 3u * i + 2u] = colour.z;
}
