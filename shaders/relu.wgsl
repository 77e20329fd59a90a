// The backward pass of a fused ReLU: d_y is zeroed in place where the output was not positive.
//
//   d_y[i] = y[i] > 0 ? d_y[i] : 0
//
// y and d_y (count), any shape. One invocation computes four neighbouring elements.

struct P { count: u32 }

@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read_write> d_y: array<f32>;

@compute @workgroup_size(SIZE)
fn mask(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let first = flat_index(group, groups, local) * 4u;
    for (var i = first; i < min(first + 4u, p.count); i++) {
        if y[y_at + i] <= 0.0 { d_y[d_y_at + i] = 0.0; }
    }
}
