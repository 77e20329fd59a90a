// gemm_half: y = x in half precision, a weight as matrix units take it; rung `coop`.
//
// x (count) f32, y (count) f16, rounded to nearest; beyond 65,504 it is infinite. One invocation rounds four elements.

struct P { count: u32 }

@compute @workgroup_size(SIZE)
fn half(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = 4u * flat_index(group, groups, local);
    if i >= p.count { return; }
    store_y4(i, p.count - i, load_x4(i, 1u, p.count - i));
}
