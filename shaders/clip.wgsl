// Clipping gradients by their joint norm:  d_w = d_w * limit / max(norm, limit), norm = sqrt(sum of all d_w^2).
// Three kernels. `squares`: each workgroup adds the squares of its share of one tensor into one element of partial.
// `total`: one workgroup adds all of partial and writes the factor. `scale`: one invocation scales one value.
// Every sum has a fixed order, whatever the adapter does.
// Source: Keras clipnorm and global_clipnorm; Pascanu et al. 2013, algorithm 1.

struct P {
    count: u32, // values of d_w, each one element or four neighbours, or elements of partial in `total`
    first: u32, // where the workgroups of this tensor begin in partial
    limit: f32,
}

@group(0) @binding(0) var<storage, read> d_w: array<Value>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
@group(0) @binding(2) var<storage, read> partials: array<f32>;
@group(0) @binding(3) var<storage, read_write> factor: array<f32>;
@group(0) @binding(4) var<storage, read> kept_factor: array<f32>;
@group(0) @binding(5) var<storage, read_write> clipped: array<Value>;

@compute @workgroup_size(SIZE)
fn squares(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    var sum = 0.0;
    for (var i = group.x * SIZE + local; i < p.count; i += groups.x * SIZE) {
        let d = d_w[d_w_at / WIDTH + i];
        sum += sum_of(d * d);
    }
    sum = sum_over_group(local, sum);
    if (local == 0u) { partial[partial_at + p.first + group.x] = sum; }
}

@compute @workgroup_size(SIZE)
fn total(@builtin(local_invocation_index) local: u32) {
    var sum = 0.0;
    for (var i = local; i < p.count; i += SIZE) { sum += partials[partials_at + i]; }
    sum = sum_over_group(local, sum);
    if (local == 0u) { factor[factor_at] = p.limit / max(sqrt(sum), p.limit); }
}

@compute @workgroup_size(SIZE)
fn scale(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.count) { return; }
    clipped[clipped_at / WIDTH + i] *= kept_factor[kept_factor_at];
}
