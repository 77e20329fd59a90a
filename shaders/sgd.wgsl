// Stochastic gradient descent over one parameter, or a window of it, of `count` values.
//   g = clip(d_w);  w = w - w * decay * rate
//   without momentum:  w = w - rate * g
//   with momentum m:   v = m * v - rate * g;  w = w + v, or w = w + m * v - rate * g for Nesterov
// One invocation updates one value, which is one element or four neighbours.
// Source: Keras SGD; Sutskever et al. 2013, section 2.

struct P {
    count: u32,
    rate: f32,
    decay: f32,
    limit: f32,
    momentum: f32,
    nesterov: u32,
}

@group(0) @binding(0) var<storage, read_write> w: array<Value>;
@group(0) @binding(1) var<storage, read> d_w: array<Value>;
@group(0) @binding(2) var<storage, read_write> v: array<Value>;

@compute @workgroup_size(SIZE)
fn plain(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let push = p.rate * clipped(d_w[d_w_at / WIDTH + i], p.limit);
    let to = w_at / WIDTH + i;
    w[to] = decayed(w[to], p.decay, p.rate) - push;
}

@compute @workgroup_size(SIZE)
fn momentum(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let push = p.rate * clipped(d_w[d_w_at / WIDTH + i], p.limit);
    let to = w_at / WIDTH + i;
    let speed = p.momentum * v[v_at / WIDTH + i] - push;
    v[v_at / WIDTH + i] = speed;
    let by = select(speed, p.momentum * speed - push, p.nesterov == 1u);
    w[to] = decayed(w[to], p.decay, p.rate) + by;
}
