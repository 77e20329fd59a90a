// Dynamic loss scaling: where activations are f16, a factor on the loss keeps their gradients in range. The factor is
// found while training: halved where a gradient has overflowed, doubled after `interval` steps where none has.
//
// scaling (4)  the factor, or 0 before the first step; steps since it changed; 1 where the latest step counts, 0 where a
//              gradient was not finite; 1 / the factor of the latest step
// partial      1 for each workgroup that has found a number that is not finite
//
// `scale`: one invocation multiplies one element of the loss's gradient. `search`: one workgroup looks through its share of
// one parameter's gradient. `decide`: one workgroup reads all of partial. `unscale`: one invocation divides one element.
// Factors are powers of two, so that dividing by one is exact.
// Source: Micikevicius et al. 2018, Mixed precision training, section 3.2; Keras LossScaleOptimizer.

struct P {
    count: u32,    // elements of d, or of partial in `decide`
    first: u32,    // where the workgroups of this tensor begin in partial
    initial: f32,
    largest: f32,
    interval: u32,
}

@group(0) @binding(0) var<storage, read_write> d: array<d_type>;
@group(0) @binding(1) var<storage, read> d_w: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;
@group(0) @binding(3) var<storage, read> partials: array<f32>;
@group(0) @binding(4) var<storage, read> scaling: array<f32>;
@group(0) @binding(5) var<storage, read_write> decided: array<f32>;

// Whether any invocation of the workgroup says so.
fn any_of_group(local: u32, mine: bool) -> bool {
    return sum_over_group(local, select(0.0, 1.0, mine)) > 0.0;
}

@compute @workgroup_size(SIZE)
fn scale(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if i >= p.count { return; }
    let factor = scaling[scaling_at];
    d[d_at + i] = d_type(f32(d[d_at + i]) * select(factor, p.initial, factor == 0.0));
}

@compute @workgroup_size(SIZE)
fn search(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    var overflowed = false;
    for (var i = group.x * SIZE + local; i < p.count; i += groups.x * SIZE) {
        // By its bits: a compiler may take it that numbers are finite.
        overflowed |= (bitcast<u32>(d_w[d_w_at + i]) & 0x7f800000u) == 0x7f800000u;
    }
    let any = any_of_group(local, overflowed);
    if local == 0u { partial[partial_at + p.first + group.x] = select(0.0, 1.0, any); }
}

@compute @workgroup_size(SIZE)
fn decide(@builtin(local_invocation_index) local: u32) {
    var overflowed = false;
    for (var i = local; i < p.count; i += SIZE) { overflowed |= partials[partials_at + i] == 1.0; }
    overflowed = any_of_group(local, overflowed);
    if local > 0u { return; }
    let before = decided[decided_at];
    let factor = select(before, p.initial, before == 0.0);
    let steps = decided[decided_at + 1u] + 1.0;
    let grows = !overflowed && steps >= f32(p.interval);
    let next = select(select(factor, min(2.0 * factor, p.largest), grows), max(0.5 * factor, 1.0), overflowed);
    decided[decided_at] = next;
    decided[decided_at + 1u] = select(steps, 0.0, overflowed || grows);
    decided[decided_at + 2u] = select(1.0, 0.0, overflowed);
    decided[decided_at + 3u] = 1.0 / factor;
}

@compute @workgroup_size(SIZE)
fn unscale(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if i >= p.count { return; }
    d[d_at + i] = d_type(f32(d[d_at + i]) * scaling[scaling_at + 3u]);
}
