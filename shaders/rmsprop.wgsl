// RMSprop over one parameter, or a window of it, of `count` elements (or vec4).
//   g = clip(d_w);  w = w - w * decay * rate
//   v = rho * v + (1 - rho) * g^2;  centered: u = rho * u + (1 - rho) * g, else u = 0
//   push = rate * g / sqrt(v - u^2 + epsilon)
//   without momentum m: w = w - push;  with it: s = m * s + push, w = w - s
// One invocation updates one element; four in the kernels on vec4.
// Source: Keras RMSprop; Hinton's lecture 6e of 2012; centered as in Graves 2013, section 4.2.

struct P {
    count: u32,
    rate: f32,
    decay: f32,
    limit: f32,
    rho: f32,
    rest: f32, // 1 - rho, from f64
    momentum: f32,
    epsilon: f32,
}

@group(0) @binding(0) var<storage, read_write> w: array<f32>;
@group(0) @binding(1) var<storage, read> d_w: array<f32>;
@group(0) @binding(2) var<storage, read_write> v: array<f32>;
@group(0) @binding(3) var<storage, read_write> u: array<f32>;
@group(0) @binding(4) var<storage, read_write> s: array<f32>;
@group(0) @binding(5) var<storage, read_write> w4: array<vec4f>;
@group(0) @binding(6) var<storage, read> d_w4: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> v4: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> u4: array<vec4f>;
@group(0) @binding(9) var<storage, read_write> s4: array<vec4f>;

fn square(d: vec4f, before: vec4f) -> vec4f {
    let g = clipped(d, p.limit);
    return p.rho * before + p.rest * g * g;
}

fn mean(d: vec4f, before: vec4f) -> vec4f {
    return p.rho * before + p.rest * clipped(d, p.limit);
}

// The variance is never negative, but its rounding may be.
fn push(d: vec4f, v: vec4f, u: vec4f) -> vec4f {
    return p.rate * clipped(d, p.limit) / sqrt(max(v - u * u, vec4f(0.0)) + p.epsilon);
}

fn moved(before: vec4f, by: vec4f) -> vec4f {
    return decayed(before, p.decay, p.rate) - by;
}

@compute @workgroup_size(SIZE)
fn plain(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let d = vec4f(d_w[d_w_at + i]);
    let squares = square(d, vec4f(v[v_at + i]));
    v[v_at + i] = squares.x;
    let by = push(d, squares, vec4f(0.0));
    w[w_at + i] = moved(vec4f(w[w_at + i]), by).x;
}

@compute @workgroup_size(SIZE)
fn plain4(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let d = d_w4[d_w4_at / 4u + i];
    let squares = square(d, v4[v4_at / 4u + i]);
    v4[v4_at / 4u + i] = squares;
    let by = push(d, squares, vec4f(0.0));
    w4[w4_at / 4u + i] = moved(w4[w4_at / 4u + i], by);
}

@compute @workgroup_size(SIZE)
fn momentum(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let d = vec4f(d_w[d_w_at + i]);
    let squares = square(d, vec4f(v[v_at + i]));
    v[v_at + i] = squares.x;
    let by = p.momentum * vec4f(s[s_at + i]) + push(d, squares, vec4f(0.0));
    s[s_at + i] = by.x;
    w[w_at + i] = moved(vec4f(w[w_at + i]), by).x;
}

@compute @workgroup_size(SIZE)
fn momentum4(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let d = d_w4[d_w4_at / 4u + i];
    let squares = square(d, v4[v4_at / 4u + i]);
    v4[v4_at / 4u + i] = squares;
    let by = p.momentum * s4[s4_at / 4u + i] + push(d, squares, vec4f(0.0));
    s4[s4_at / 4u + i] = by;
    w4[w4_at / 4u + i] = moved(w4[w4_at / 4u + i], by);
}

@compute @workgroup_size(SIZE)
fn centered(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let d = vec4f(d_w[d_w_at + i]);
    let squares = square(d, vec4f(v[v_at + i]));
    v[v_at + i] = squares.x;
    let means = mean(d, vec4f(u[u_at + i]));
    u[u_at + i] = means.x;
    let by = push(d, squares, means);
    w[w_at + i] = moved(vec4f(w[w_at + i]), by).x;
}

@compute @workgroup_size(SIZE)
fn centered4(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let d = d_w4[d_w4_at / 4u + i];
    let squares = square(d, v4[v4_at / 4u + i]);
    v4[v4_at / 4u + i] = squares;
    let means = mean(d, u4[u4_at / 4u + i]);
    u4[u4_at / 4u + i] = means;
    let by = push(d, squares, means);
    w4[w4_at / 4u + i] = moved(w4[w4_at / 4u + i], by);
}

@compute @workgroup_size(SIZE)
fn centered_momentum(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let d = vec4f(d_w[d_w_at + i]);
    let squares = square(d, vec4f(v[v_at + i]));
    v[v_at + i] = squares.x;
    let means = mean(d, vec4f(u[u_at + i]));
    u[u_at + i] = means.x;
    let by = p.momentum * vec4f(s[s_at + i]) + push(d, squares, means);
    s[s_at + i] = by.x;
    w[w_at + i] = moved(vec4f(w[w_at + i]), by).x;
}

@compute @workgroup_size(SIZE)
fn centered_momentum4(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let d = d_w4[d_w4_at / 4u + i];
    let squares = square(d, v4[v4_at / 4u + i]);
    v4[v4_at / 4u + i] = squares;
    let means = mean(d, u4[u4_at / 4u + i]);
    u4[u4_at / 4u + i] = means;
    let by = p.momentum * s4[s4_at / 4u + i] + push(d, squares, means);
    s4[s4_at / 4u + i] = by;
    w4[w4_at / 4u + i] = moved(w4[w4_at / 4u + i], by);
}
