// Winograd, weights: U = G g G^T for every pair of channels.
//
// x    w (3, 3, ci, co), co a multiple of 4
// out  U[z][ci][co] as the strides say, through the piece `winograd_stack`: texels as operand b of gemm, by columns,
//      with margins of zero, or plain matrices for gemm_tiled. For d_x, whose convolution runs from co to ci, the product
//      reads the same matrices the other way round.
//
// One invocation computes one pair of an input channel and four output channels.
// groups as the `lanes` piece in front of this file says; transforms of a line: the piece `winograd_f4` or `winograd_f2`.

struct P {
    ci: u32,
    co4: u32,      // co / 4
    z_stride: u32, // vec4f from one matrix to the next
    item_high: u32, item_low: u32, // vec4f per 32 input channels, per channel within 32
    quad_high: u32, quad_low: u32, // vec4f per 32 output channels, per four within 32
}

fn tap(t: u32, i: u32, o: u32) -> vec4f {
    var v = vec4f();
    if o < p.co4 { v = x4((t * p.ci + i) * p.co4 + o); }
    return v;
}

// Row t of the taps, transformed along the row.
fn tap_row(t: u32, i: u32, o: u32) -> Points {
    return points_of_taps(Taps(tap(3u * t, i, o), tap(3u * t + 1u, i, o), tap(3u * t + 2u, i, o)));
}

// Column z of G g G^T.
fn column(z: u32, i: u32, g: Taps) { put_column(i + z * p.z_stride, points_of_taps(g)); }

@compute @workgroup_size(LANES)
fn weight_tiles(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let own = spot(group, groups, lane, p.co4);
    if beyond(own.item, p.ci) { return; }
    let i = own.item;
    let o = own.quad;
    let r0 = tap_row(0u, i, o);
    let r1 = tap_row(1u, i, o);
    let r2 = tap_row(2u, i, o);
    let at = stack_at(own);
    column(0u, at, Taps(r0.a, r1.a, r2.a));
    column(1u, at, Taps(r0.b, r1.b, r2.b));
    column(2u, at, Taps(r0.c, r1.c, r2.c));
    column(3u, at, Taps(r0.d, r1.d, r2.d));
    if POINTS == 6u {
        column(4u, at, Taps(r0.e, r1.e, r2.e));
        column(5u, at, Taps(r0.f, r1.f, r2.f));
    }
}
