// Winograd F(4x4, 3x3), output: y = A^T M A, then bias and ReLU, and perhaps the 2x2 max-pool behind them.
//
// x     M[36][tile][c] f32 as gemm wrote it, c a multiple of 4
// bias  (c), read where p.bias is 1
// y     (n, h, w, c) NHWC; or (n, h / 2, w / 2, c), the maxima of 2x2 windows, where the piece `winograd_put_pooled`
//       stores them
//
// One invocation computes one tile (4x4, pooled 2x2) of four channels.
// groups as the `lanes` piece in front of this file says. Source: Lavin and Gray 2015.

struct P {
    h: u32, w: u32,   // of the convolution's output, before pooling
    c4: u32,
    rows: u32, columns: u32,
    tile_first: u32,
    tiles: u32,       // tiles in this chunk
    z_stride: u32,    // vec4f from one z of M to the next
    tile_stride: u32, // vec4f from one tile of M to the next
    flipped: u32,     // 1: the tile comes rotated by half a turn (d_x)
    bias: u32,
    floor: f32,       // 0 for ReLU, else -3.0e38
    accumulate: u32,  // 1: add to y, where it is not pooled
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> bias: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<y_type>>;

// A^T applied to six values.
fn transform(m: Six) -> Four {
    let s1 = m.b + m.c;
    let d1 = m.b - m.c;
    let s2 = m.d + m.e;
    let d2 = m.d - m.e;
    return Four(m.a + s1 + s2, d1 + 2.0 * d2, s1 + 4.0 * s2, d1 + 8.0 * d2 + m.f);
}

// Row z of M, transformed along the row.
fn load_row(first: u32) -> Four {
    let i = x_at / 4u + first;
    let s = p.z_stride;
    return transform(Six(x[i], x[i + s], x[i + 2u * s], x[i + 3u * s], x[i + 4u * s], x[i + 5u * s]));
}

// ReLU; unlike max, this lets a NaN through.
fn keep(v: vec4f) -> vec4f {
    let least = vec4f(p.floor);
    return select(v, least, v < least);
}

fn finish(column: Six, add: vec4f) -> Four {
    let v = transform(column);
    return Four(keep(v.a + add), keep(v.b + add), keep(v.c + add), keep(v.d + add));
}

@compute @workgroup_size(LANES)
fn output_tiles(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let own = spot(group, groups, lane, p.c4);
    let c = own.quad;
    if c >= p.c4 || beyond(own.item, p.tiles) { return; }
    let tile = tile_at(own.item);
    let i = own.item * p.tile_stride + c;
    let s = 6u * p.z_stride;
    let r0 = load_row(i);
    let r1 = load_row(i + s);
    let r2 = load_row(i + 2u * s);
    let r3 = load_row(i + 3u * s);
    let r4 = load_row(i + 4u * s);
    let r5 = load_row(i + 5u * s);
    var add = vec4f();
    if p.bias == 1u { add = bias[bias_at / 4u + c]; }
    let k0 = finish(Six(r0.a, r1.a, r2.a, r3.a, r4.a, r5.a), add);
    let k1 = finish(Six(r0.b, r1.b, r2.b, r3.b, r4.b, r5.b), add);
    let k2 = finish(Six(r0.c, r1.c, r2.c, r3.c, r4.c, r5.c), add);
    let k3 = finish(Six(r0.d, r1.d, r2.d, r3.d, r4.d, r5.d), add);
    put_tile(tile.image, tile.y, tile.x, c, k0, k1, k2, k3);
}
