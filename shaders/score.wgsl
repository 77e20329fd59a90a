// y[n] = sum over e of x[n, e] * w[n, e];  d_x[n, e] = w[n, e] * loss_scale.
// x, w, d_x (n, elements); partial (n, parts); y (n).
// In `partial_sums` one workgroup adds one part of one sample, by a tree in workgroup memory; in `total` one invocation
// adds a sample's parts; in `backward` one invocation computes one element of d_x. Fixed order, no atomics.

struct P { n: u32, elements: u32, part: u32, parts: u32, loss_scale: f32, accumulate: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;
@group(0) @binding(3) var<storage, read> sums: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_x: array<f32>;

@compute @workgroup_size(SIZE)
fn partial_sums(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = group.y * groups.x + group.x;
    // Groups beyond the last part have no elements, but they pass every barrier.
    let inside = i < p.n * p.parts;
    let first = i % p.parts * p.part;
    let end = select(first, min(first + p.part, p.elements), inside);
    let row = i / p.parts * p.elements;
    var sum = 0.0;
    for (var e = first + local; e < end; e += SIZE) {
        sum += x[x_at + row + e] * w[w_at + row + e];
    }
    sum = sum_over_group(local, sum);
    if local == 0u && inside { partial[partial_at + i] = sum; }
}

@compute @workgroup_size(SIZE)
fn total(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let n = flat_index(group, groups, local);
    if n >= p.n { return; }
    var sum = 0.0;
    for (var k = 0u; k < p.parts; k++) { sum += sums[sums_at + n * p.parts + k]; }
    y[y_at + n] = sum;
}

@compute @workgroup_size(SIZE)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = flat_index(group, groups, local);
    if e >= p.n * p.elements { return; }
    var d = w[w_at + e] * p.loss_scale;
    if p.accumulate != 0u { d += d_x[d_x_at + e]; }
    d_x[d_x_at + e] = d;
}
