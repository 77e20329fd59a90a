// Adam over one parameter, or a window of it, of `count` values; t counts optimizer steps from 1.
//   g = clip(d_w);  w = w - w * decay * rate
//   m = b1 * m + (1 - b1) * g;  v = b2 * v + (1 - b2) * g^2
//   w = w - rate * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon)
// One invocation updates one value, which is one element or four neighbours.
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

@group(0) @binding(0) var<storage, read_write> w: array<Value>;
@group(0) @binding(1) var<storage, read> d_w: array<Value>;
@group(0) @binding(2) var<storage, read_write> m: array<Value>;
@group(0) @binding(3) var<storage, read_write> v: array<Value>;

@compute @workgroup_size(SIZE)
fn update(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let g = clipped(d_w[d_w_at / WIDTH + i], p.limit);
    // Not b1 * before + ...: that the two shares add up to 1 would be lost in the rounding of b1.
    let mean_before = m[m_at / WIDTH + i];
    let mean = mean_before + p.rest1 * (g - mean_before);
    m[m_at / WIDTH + i] = mean;
    let square_before = v[v_at / WIDTH + i];
    let square = square_before + p.rest2 * (g * g - square_before);
    v[v_at / WIDTH + i] = square;
    let a = p.rate * sqrt(p.rest2_t) / p.rest1_t;
    let to = w_at / WIDTH + i;
    w[to] = decayed(w[to], p.decay, p.rate) - a * mean / (sqrt(square) + p.epsilon);
}
