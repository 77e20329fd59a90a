// Winograd, the adjoint of the weight transform: d_w = G^T d_U G for every pair of channels.
//
// x  d_U[z][ci][co] f32 as the product wrote it, co a multiple of 4
// y  d_w (3, 3, ci, co), written or added to
//
// One invocation computes nine taps of one input and four output channels.
// groups as the `lanes` piece in front of this file says; transforms of a line: the piece `winograd_f4` or `winograd_f2`.

struct P {
    ci: u32,
    co4: u32,        // co / 4
    z_stride: u32,   // vec4f from one z of d_U to the next
    row_stride: u32, // vec4f from one ci of d_U to the next
    accumulate: u32,
}

@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

// Row z of d_U, transformed along the row.
fn load_row(z: u32, first: u32) -> Taps { return taps_of_points(row_of_points(z, first)); }

fn put(i: u32, v: vec4f) {
    var w = v;
    if p.accumulate != 0u { w += y[y_at / 4u + i]; }
    y[y_at / 4u + i] = w;
}

// A column of taps, `s` vec4f apart along the row.
fn put_taps(i: u32, s: u32, u: Points) {
    let v = taps_of_points(u);
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
    let i = own.item * p.row_stride + o;
    let r0 = load_row(0u, i);
    let r1 = load_row(1u, i);
    let r2 = load_row(2u, i);
    let r3 = load_row(3u, i);
    var r4: Taps;
    var r5: Taps;
    if POINTS == 6u {
        r4 = load_row(4u, i);
        r5 = load_row(5u, i);
    }
    let tap = p.ci * p.co4;
    let at = own.item * p.co4 + o;
    put_taps(at, tap, Points(r0.a, r1.a, r2.a, r3.a, r4.a, r5.a));
    put_taps(at + tap, tap, Points(r0.b, r1.b, r2.b, r3.b, r4.b, r5.b));
    put_taps(at + 2u * tap, tap, Points(r0.c, r1.c, r2.c, r3.c, r4.c, r5.c));
}
