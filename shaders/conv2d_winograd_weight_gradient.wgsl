// Winograd F(4x4, 3x3), the adjoint of the weight transform: d_w = G^T d_U G for every pair of channels.
//
// x  d_U[36][ci][co] f32 as the product wrote it, co a multiple of 4
// y  d_w (3, 3, ci, co), written or added to
//
// One invocation computes nine taps of one input and four output channels.
// groups as the `lanes` piece in front of this file says. Source: the adjoint of Lavin and Gray 2015.

struct P {
    ci: u32,
    co4: u32,        // co / 4
    z_stride: u32,   // vec4f from one z of d_U to the next
    row_stride: u32, // vec4f from one ci of d_U to the next
    accumulate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

// G^T applied to six values.
fn transform(u: Six) -> Three {
    let s1 = u.b + u.c;
    let d1 = u.b - u.c;
    let s2 = u.d + u.e;
    let d2 = u.d - u.e;
    return Three(0.25 * u.a - s1 * (1.0 / 6.0) + s2 * (1.0 / 24.0),
                 d2 * (1.0 / 12.0) - d1 * (1.0 / 6.0),
                 (s2 - s1) * (1.0 / 6.0) + u.f);
}

fn load_row(first: u32, s: u32) -> Three {
    let i = x_at / 4u + first;
    return transform(Six(x[i], x[i + s], x[i + 2u * s], x[i + 3u * s], x[i + 4u * s], x[i + 5u * s]));
}

fn put(i: u32, v: vec4f) {
    var w = v;
    if p.accumulate != 0u { w += y[y_at / 4u + i]; }
    y[y_at / 4u + i] = w;
}

fn put_column(i: u32, s: u32, u: Six) {
    let v = transform(u);
    put(i, v.a);
    put(i + 3u * s, v.b);
    put(i + 6u * s, v.c);
}

@compute @workgroup_size(LANES)
fn weight_gradient(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let own = spot(group, groups, lane, p.co4);
    let o = own.quad;
    if o >= p.co4 || beyond(own.item, p.ci) { return; }
    let z = p.z_stride;
    let i = own.item * p.row_stride + o;
    let r0 = load_row(i, z);
    let r1 = load_row(i + 6u * z, z);
    let r2 = load_row(i + 12u * z, z);
    let r3 = load_row(i + 18u * z, z);
    let r4 = load_row(i + 24u * z, z);
    let r5 = load_row(i + 30u * z, z);
    let tap = p.ci * p.co4;
    let at = own.item * p.co4 + o;
    put_column(at, tap, Six(r0.a, r1.a, r2.a, r3.a, r4.a, r5.a));
    put_column(at + tap, tap, Six(r0.b, r1.b, r2.b, r3.b, r4.b, r5.b));
    put_column(at + 2u * tap, tap, Six(r0.c, r1.c, r2.c, r3.c, r4.c, r5.c));
}
