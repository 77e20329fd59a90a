// A running average over one parameter, or a window of it, of `count` values; iteration counts from 0.
//   average = m * average + (1 - m) * w, and average = w in the first step;  every `overwrite` steps w = average
// One invocation updates one value, which is one element or four neighbours.
// Source: Keras use_ema; Polyak and Juditsky 1992.

struct P {
    count: u32,
    overwrite: u32, // 0 for never
    momentum: f32,
    rest: f32, // 1 - m, from f64
    iteration: u32,
}

@group(0) @binding(0) var<storage, read_write> w: array<Value>;
@group(0) @binding(1) var<storage, read_write> average: array<Value>;

fn mixed(now: Value, before: Value) -> Value {
    if (p.iteration == 0u) { return now; }
    return p.momentum * before + p.rest * now;
}

fn overwrites() -> bool {
    return p.overwrite > 0u && (p.iteration + 1u) % max(p.overwrite, 1u) == 0u;
}

@compute @workgroup_size(SIZE)
fn update(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    let mean = mixed(w[w_at / WIDTH + i], average[average_at / WIDTH + i]);
    average[average_at / WIDTH + i] = mean;
    if (overwrites()) { w[w_at / WIDTH + i] = mean; }
}
