// Winograd, output: y = A^T M A, then bias and ReLU, and perhaps the 2x2 max-pool behind them.
//
// x     M[z][tile][c] f32 as gemm wrote it, c a multiple of 4
// bias  (c), read where p.bias is 1
// y     (n, h, w, c) NHWC; or (n, h / 2, w / 2, c), the maxima of 2x2 windows, where the piece `winograd_put_pooled`
//       stores them
//
// One invocation computes one tile of OUTPUTS x OUTPUTS, pooled half of that a side, of four channels.
// groups as the `lanes` piece in front of this file says; transforms of a line: the piece `winograd_f4` or `winograd_f2`.

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

@group(0) @binding(1) var<storage, read> bias: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<y_type>>;

// Row z of M, transformed along the row.
fn load_row(z: u32, first: u32) -> Outputs { return outputs_of_points(row_of_points(z, first)); }

// ReLU; unlike max, this lets a NaN through.
fn keep(v: vec4f) -> vec4f {
    let least = vec4f(p.floor);
    return select(v, least, v < least);
}

fn finish(column: Points, add: vec4f) -> Outputs {
    let v = outputs_of_points(column);
    return Outputs(keep(v.a + add), keep(v.b + add), keep(v.c + add), keep(v.d + add));
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
    let r0 = load_row(0u, i);
    let r1 = load_row(1u, i);
    let r2 = load_row(2u, i);
    let r3 = load_row(3u, i);
    var r4: Outputs;
    var r5: Outputs;
    if POINTS == 6u {
        r4 = load_row(4u, i);
        r5 = load_row(5u, i);
    }
    var add = vec4f();
    if p.bias == 1u { add = bias[bias_at / 4u + c]; }
    let k0 = finish(Points(r0.a, r1.a, r2.a, r3.a, r4.a, r5.a), add);
    let k1 = finish(Points(r0.b, r1.b, r2.b, r3.b, r4.b, r5.b), add);
    var k2: Outputs;
    var k3: Outputs;
    if OUTPUTS == 4u {
        k2 = finish(Points(r0.c, r1.c, r2.c, r3.c, r4.c, r5.c), add);
        k3 = finish(Points(r0.d, r1.d, r2.d, r3.d, r4.d, r5.d), add);
    }
    put_tile(tile, c, k0, k1, k2, k3);
}
