// Adam over one parameter, or a window of it, of `count` elements (or vec4); t counts optimizer steps from 1.
//   g = clip(d_w);  w = w - w * decay * rate
//   m = b1 * m + (1 - b1) * g;  v = b2 * v + (1 - b2) * g^2
//   w = w - rate * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon)
// One invocation updates one element; four in the kernels on vec4.
// Source: Keras Adam; Kingma and Ba 2015, end of section 2; AdamW is the same with a decay, Loshchilov and Hutter 2019.

struct P {
    count: u32,
    rate: f32,
    decay: f32,
    limit: f32,
    rest1: f32, // 1 - b1, from f64
    rest2: f32, // 1 - b2, from f64
    rest1_t: f32, // 1 - b1^t, from f64
    rest2_t: f32, // 1 - b2^t, from f64
    epsilon: f32,
}

@group(0) @binding(0) var<storage, read_write> w: array<f32>;
@group(0) @binding(1) var<storage, read> d_w: array<f32>;
@group(0) @binding(2) var<storage, read_write> m: array<f32>;
@group(0) @binding(3) var<storage, read_write> v: array<f32>;
@group(0) @binding(4) var<storage, read_write> w4: array<vec4f>;
@group(0) @binding(5) var<storage, read> d_w4: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> m4: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> v4: array<vec4f>;

struct Moved {
    w: vec4f,
    m: vec4f,
    v: vec4f,
}

fn adam(before: vec4f, d: vec4f, mean: vec4f, square: vec4f) -> Moved {
    let g = clipped(d, p.limit);
    let a = p.rate * sqrt(p.rest2_t) / p.rest1_t;
    // Not b1 * mean + ...: that the two shares add up to 1 would be lost in the rounding of b1.
    let m = mean + p.rest1 * (g - mean);
    let v = square + p.rest2 * (g * g - square);
    return Moved(decayed(before, p.decay, p.rate) - a * m / (sqrt(v) + p.epsilon), m, v);
}

@compute @workgroup_size(SIZE)
fn update(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let moved = adam(vec4f(w[w_at + i]), vec4f(d_w[d_w_at + i]), vec4f(m[m_at + i]), vec4f(v[v_at + i]));
    w[w_at + i] = moved.w.x;
    m[m_at + i] = moved.m.x;
    v[v_at + i] = moved.v.x;
}

@compute @workgroup_size(SIZE)
fn update4(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let moved = adam(w4[w4_at / 4u + i], d_w4[d_w4_at / 4u + i], m4[m4_at / 4u + i], v4[v4_at / 4u + i]);
    w4[w4_at / 4u + i] = moved.w;
    m4[m4_at / 4u + i] = moved.m;
    v4[v4_at / 4u + i] = moved.v;
}
