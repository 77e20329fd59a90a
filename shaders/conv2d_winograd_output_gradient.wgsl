// Winograd, the adjoint of the output transform: d_M = A d_y A^T for every tile of OUTPUTS x OUTPUTS.
//
// x    d_y (n, h, w, c) NHWC, c a multiple of 4
// out  d_M[z][tile][c] as the strides say, through the piece `winograd_stack`: texels as operand b of gemm_tn, by
//      columns, or plain matrices for gemm_tiled. Tiles from `tiles` up to the end of the last strip of four become zero.
//
// One invocation computes one tile of four channels.
// groups as the `lanes` piece in front of this file says; transforms of a line: the piece `winograd_f4` or `winograd_f2`.

struct P {
    h: u32, w: u32,
    c4: u32,
    rows: u32, columns: u32,
    tile_first: u32,
    tiles: u32,
    z_stride: u32,    // vec4f from one matrix to the next
    item_high: u32, item_low: u32, // vec4f per 32 tiles, per tile within 32
    quad_high: u32, quad_low: u32, // vec4f per 32 channels, per four within 32
}

fn pixel(base: u32, y: u32, x: u32, live: bool) -> vec4f {
    let inside = live && y < p.h && x < p.w;
    let i = base + (y * p.w + x) * p.c4;
    return select(vec4f(), x4(select(0u, i, inside)), inside);
}

// A line of pixels, transformed along the line.
fn pixel_row(base: u32, y: u32, x: u32, live: bool) -> Points {
    var v = Outputs(pixel(base, y, x, live), pixel(base, y, x + 1u, live), vec4f(), vec4f());
    if OUTPUTS == 4u {
        v.c = pixel(base, y, x + 2u, live);
        v.d = pixel(base, y, x + 3u, live);
    }
    return points_of_outputs(v);
}

// Column z of A d_y A^T.
fn column(z: u32, i: u32, d: Outputs) { put_column(i + z * p.z_stride, points_of_outputs(d)); }

@compute @workgroup_size(LANES)
fn output_gradient_tiles(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let own = spot(group, groups, lane, p.c4);
    if beyond(own.item, p.tiles) { return; }
    let tile = tile_at(own.item);
    let y = OUTPUTS * tile.y;
    let x = OUTPUTS * tile.x;
    let live = own.item < p.tiles && own.quad < p.c4;
    let base = tile.image * p.h * p.w * p.c4 + own.quad;
    let r0 = pixel_row(base, y, x, live);
    let r1 = pixel_row(base, y + 1u, x, live);
    var r2: Points;
    var r3: Points;
    if OUTPUTS == 4u {
        r2 = pixel_row(base, y + 2u, x, live);
        r3 = pixel_row(base, y + 3u, x, live);
    }
    let i = stack_at(own);
    column(0u, i, Outputs(r0.a, r1.a, r2.a, r3.a));
    column(1u, i, Outputs(r0.b, r1.b, r2.b, r3.b));
    column(2u, i, Outputs(r0.c, r1.c, r2.c, r3.c));
    column(3u, i, Outputs(r0.d, r1.d, r2.d, r3.d));
    if POINTS == 6u {
        column(4u, i, Outputs(r0.e, r1.e, r2.e, r3.e));
        column(5u, i, Outputs(r0.f, r1.f, r2.f, r3.f));
    }
}
