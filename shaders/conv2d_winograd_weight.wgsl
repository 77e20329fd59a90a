// Winograd F(4x4, 3x3), weights: U = G g G^T for every pair of channels.
//
// x    w (3, 3, ci, co), co a multiple of 4
// out  U[36][ci][co] as the strides say, through the piece `winograd_stack`: texels as operand b of gemm, by columns,
//      with margins of zero, or plain matrices for gemm_tiled. For d_x, whose convolution runs from co to ci, the product
//      reads the same matrices the other way round.
//
// One invocation computes one pair of an input channel and four output channels.
// groups as the `lanes` piece in front of this file says. Source: Lavin and Gray 2015.

struct P {
    ci: u32,
    co4: u32,      // co / 4
    z_stride: u32, // vec4f from one of the 36 to the next
    item_high: u32, item_low: u32, // vec4f per 32 input channels, per channel within 32
    quad_high: u32, quad_low: u32, // vec4f per 32 output channels, per four within 32
}

// G applied to three values.
fn transform(g: Three) -> Six {
    let s = (g.a + g.c) * (-1.0 / 6.0);
    let d = g.b * (1.0 / 6.0);
    let q = g.a * (1.0 / 24.0) + g.c * (1.0 / 6.0);
    let m = g.b * (1.0 / 12.0);
    return Six(0.25 * g.a, s - d, s + d, q + m, q - m, g.c);
}

fn tap(t: u32, i: u32, o: u32) -> vec4f {
    var v = vec4f();
    if o < p.co4 { v = x4((t * p.ci + i) * p.co4 + o); }
    return v;
}

// Column z of G g G^T.
fn column(z: u32, i: u32, g: Three) { put_column(i + z * p.z_stride, transform(g)); }

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
    let r0 = transform(Three(tap(0u, i, o), tap(1u, i, o), tap(2u, i, o)));
    let r1 = transform(Three(tap(3u, i, o), tap(4u, i, o), tap(5u, i, o)));
    let r2 = transform(Three(tap(6u, i, o), tap(7u, i, o), tap(8u, i, o)));
    let at = stack_at(own);
    column(0u, at, Three(r0.a, r1.a, r2.a));
    column(1u, at, Three(r0.b, r1.b, r2.b));
    column(2u, at, Three(r0.c, r1.c, r2.c));
    column(3u, at, Three(r0.d, r1.d, r2.d));
    column(4u, at, Three(r0.e, r1.e, r2.e));
    column(5u, at, Three(r0.f, r1.f, r2.f));
}
