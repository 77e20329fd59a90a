// Stochastic gradient descent over one parameter, or a window of it, of `count` elements (or vec4).
//   g = clip(d_w);  w = w - w * decay * rate
//   without momentum:  w = w - rate * g
//   with momentum m:   v = m * v - rate * g;  w = w + v, or w = w + m * v - rate * g for Nesterov
// One invocation updates one element; four in the kernels on vec4.
// Source: Keras SGD; Sutskever et al. 2013, section 2.

struct P {
    count: u32,
    rate: f32,
    decay: f32,
    limit: f32,
    momentum: f32,
    nesterov: u32,
}

@group(0) @binding(0) var<storage, read_write> w: array<f32>;
@group(0) @binding(1) var<storage, read> d_w: array<f32>;
@group(0) @binding(2) var<storage, read_write> v: array<f32>;
@group(0) @binding(3) var<storage, read_write> w4: array<vec4f>;
@group(0) @binding(4) var<storage, read> d_w4: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> v4: array<vec4f>;

fn plain_step(before: vec4f, d: vec4f) -> vec4f {
    return decayed(before, p.decay, p.rate) - p.rate * clipped(d, p.limit);
}

struct Moved {
    w: vec4f,
    v: vec4f,
}

fn momentum_step(before: vec4f, d: vec4f, speed: vec4f) -> Moved {
    let push = p.rate * clipped(d, p.limit);
    let w = decayed(before, p.decay, p.rate);
    let v = p.momentum * speed - push;
    if (p.nesterov == 1u) { return Moved(w + p.momentum * v - push, v); }
    return Moved(w + v, v);
}

@compute @workgroup_size(SIZE)
fn plain(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    w[w_at + i] = plain_step(vec4f(w[w_at + i]), vec4f(d_w[d_w_at + i])).x;
}

@compute @workgroup_size(SIZE)
fn plain4(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    w4[w4_at / 4u + i] = plain_step(w4[w4_at / 4u + i], d_w4[d_w4_at / 4u + i]);
}

@compute @workgroup_size(SIZE)
fn momentum(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let moved = momentum_step(vec4f(w[w_at + i]), vec4f(d_w[d_w_at + i]), vec4f(v[v_at + i]));
    w[w_at + i] = moved.w.x;
    v[v_at + i] = moved.v.x;
}

@compute @workgroup_size(SIZE)
fn momentum4(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let moved = momentum_step(w4[w4_at / 4u + i], d_w4[d_w4_at / 4u + i], v4[v4_at / 4u + i]);
    w4[w4_at / 4u + i] = moved.w;
    v4[v4_at / 4u + i] = moved.v;
}
