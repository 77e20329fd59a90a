// RMSprop over one parameter, or a window of it, of `count` values.
//   g = clip(d_w);  w = w - w * decay * rate
//   v = rho * v + (1 - rho) * g^2;  centered: u = rho * u + (1 - rho) * g, else u = 0
//   push = rate * g / sqrt(v - u^2 + epsilon)
//   without momentum m: w = w - push;  with it: s = m * s + push, w = w - s
// One invocation updates one value, which is one element or four neighbours.
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

@group(0) @binding(0) var<storage, read_write> w: array<Value>;
@group(0) @binding(1) var<storage, read> d_w: array<Value>;
@group(0) @binding(2) var<storage, read_write> v: array<Value>;
@group(0) @binding(3) var<storage, read_write> u: array<Value>;
@group(0) @binding(4) var<storage, read_write> s: array<Value>;

// v, brought up to date.
fn squares(i: u32, g: Value) -> Value {
    let now = p.rho * v[v_at / WIDTH + i] + p.rest * g * g;
    v[v_at / WIDTH + i] = now;
    return now;
}

// u, brought up to date.
fn means(i: u32, g: Value) -> Value {
    let now = p.rho * u[u_at / WIDTH + i] + p.rest * g;
    u[u_at / WIDTH + i] = now;
    return now;
}

// s, brought up to date.
fn speed(i: u32, push: Value) -> Value {
    let now = p.momentum * s[s_at / WIDTH + i] + push;
    s[s_at / WIDTH + i] = now;
    return now;
}

// The variance is never negative, but its rounding may be.
fn push(g: Value, square: Value, mean: Value) -> Value {
    return p.rate * g / sqrt(max(square - mean * mean, Value(0.0)) + p.epsilon);
}

fn move_by(i: u32, by: Value) {
    let to = w_at / WIDTH + i;
    w[to] = decayed(w[to], p.decay, p.rate) - by;
}

@compute @workgroup_size(SIZE)
fn plain(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let g = clipped(d_w[d_w_at / WIDTH + i], p.limit);
    move_by(i, push(g, squares(i, g), Value(0.0)));
}

@compute @workgroup_size(SIZE)
fn momentum(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let g = clipped(d_w[d_w_at / WIDTH + i], p.limit);
    move_by(i, speed(i, push(g, squares(i, g), Value(0.0))));
}

@compute @workgroup_size(SIZE)
fn centered(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let g = clipped(d_w[d_w_at / WIDTH + i], p.limit);
    move_by(i, push(g, squares(i, g), means(i, g)));
}

@compute @workgroup_size(SIZE)
fn centered_momentum(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let g = clipped(d_w[d_w_at / WIDTH + i], p.limit);
    move_by(i, speed(i, push(g, squares(i, g), means(i, g))));
}
