// Winograd F(4x4, 3x3), weights: U = G g G^T for every pair of channels.
//
// x    w (3, 3, ci, co), co a multiple of 4
// out  texels U[36][co / 32][ci][8]: operand b of gemm by columns; margins are zero. For d_x, whose convolution runs
//      from co to ci, gemm reads the same texels the other way round.
//
// One invocation computes one pair of an input channel and four output channels.
// groups (ci, co panels). Source: Lavin and Gray 2015.

struct P {
    ci: u32,
    co4: u32,      // co / 4
    z_stride: u32, // texels from one z of U to the next
}

@group(0) @binding(1) var out: texture_storage_2d<rgba32float, write>;

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

fn put_column(at: u32, step: u32, g: Three) {
    let u = transform(g);
    textureStore(out, texel(at), u.a);
    textureStore(out, texel(at + 6u * step), u.b);
    textureStore(out, texel(at + 12u * step), u.c);
    textureStore(out, texel(at + 18u * step), u.d);
    textureStore(out, texel(at + 24u * step), u.e);
    textureStore(out, texel(at + 30u * step), u.f);
}

@compute @workgroup_size(8)
fn weight_tiles(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group.x;
    let o = group.y * 8u + lane;
    let r0 = transform(Three(tap(0u, i, o), tap(1u, i, o), tap(2u, i, o)));
    let r1 = transform(Three(tap(3u, i, o), tap(4u, i, o), tap(5u, i, o)));
    let r2 = transform(Three(tap(6u, i, o), tap(7u, i, o), tap(8u, i, o)));
    let step = p.z_stride;
    let at = (group.y * p.ci + i) * 8u + lane;
    put_column(at, step, Three(r0.a, r1.a, r2.a));
    put_column(at + step, step, Three(r0.b, r1.b, r2.b));
    put_column(at + 2u * step, step, Three(r0.c, r1.c, r2.c));
    put_column(at + 3u * step, step, Three(r0.d, r1.d, r2.d));
    put_column(at + 4u * step, step, Three(r0.e, r1.e, r2.e));
    put_column(at + 5u * step, step, Three(r0.f, r1.f, r2.f));
}
