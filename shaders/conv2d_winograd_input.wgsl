// Winograd, input: V = B^T d B for every tile d of POINTS x POINTS pixels, tiles OUTPUTS pixels apart.
//
// x    (n, h, w, c) NHWC, c a multiple of 4; what lies outside counts as zero (padding)
// out  V[z][tile][c] as the strides say, through the piece `winograd_stack`: texels in the order of gemm's rows
//      (forward, d_x) or of gemm_tn's columns (d_w), or plain matrices for gemm_tiled.
//      Tiles from `tiles` up to the end of the last group become zero.
//
// One invocation computes one tile of four channels, as many loads as stores. There is no branch and no
// loop: on llvmpipe both would put every result through a mask.
// groups as the `lanes` piece in front of this file says
// The transforms of a line are those of the piece `winograd_f4` or `winograd_f2`.

struct P {
    h: u32, w: u32,
    c4: u32,          // c / 4
    rows: u32,        // tiles along h of one image
    columns: u32,     // tiles along w
    tile_first: u32,  // the first tile of this chunk, counted over the whole batch
    tiles: u32,       // tiles in this chunk
    pad_h: u32, pad_w: u32,
    flipped: u32,     // 1: the tile is rotated by half a turn, as d_x wants it
    z_stride: u32,    // vec4f from one matrix to the next
    item_high: u32, item_low: u32, // vec4f per 32 tiles, per tile within 32
    quad_high: u32, quad_low: u32, // vec4f per 32 channels, per four within 32
}

fn pixel(base: u32, y: i32, x: i32, live: bool) -> vec4f {
    let inside = live && u32(y) < p.h && u32(x) < p.w; // a negative number is a large u32
    let i = base + (u32(y) * p.w + u32(x)) * p.c4;
    return select(vec4f(), x4(select(0u, i, inside)), inside);
}

// A line of pixels, transformed along the line.
fn pixel_row(base: u32, y: i32, x: i32, live: bool) -> Points {
    let s = select(1, -1, p.flipped != 0u);
    var v = Points(pixel(base, y, x, live), pixel(base, y, x + s, live), pixel(base, y, x + 2 * s, live),
                   pixel(base, y, x + 3 * s, live), vec4f(), vec4f());
    if POINTS == 6u {
        v.e = pixel(base, y, x + 4 * s, live);
        v.f = pixel(base, y, x + 5 * s, live);
    }
    return points_of_pixels(v);
}

// Column z of B^T d B.
fn column(z: u32, i: u32, v: Points) { put_column(i + z * p.z_stride, points_of_pixels(v)); }

@compute @workgroup_size(LANES)
fn input_tiles(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let own = spot(group, groups, lane, p.c4);
    if beyond(own.item, p.tiles) { return; }
    let tile = tile_at(own.item);
    let corner = select(0, i32(POINTS) - 1, p.flipped != 0u);
    let s = select(1, -1, p.flipped != 0u);
    let y = i32(OUTPUTS * tile.y) - i32(p.pad_h) + corner;
    let x = i32(OUTPUTS * tile.x) - i32(p.pad_w) + corner;
    let live = own.item < p.tiles && own.quad < p.c4;
    let base = tile.image * p.h * p.w * p.c4 + own.quad;
    let r0 = pixel_row(base, y, x, live);
    let r1 = pixel_row(base, y + s, x, live);
    let r2 = pixel_row(base, y + 2 * s, x, live);
    let r3 = pixel_row(base, y + 3 * s, x, live);
    var r4: Points;
    var r5: Points;
    if POINTS == 6u {
        r4 = pixel_row(base, y + 4 * s, x, live);
        r5 = pixel_row(base, y + 5 * s, x, live);
    }
    let i = stack_at(own);
    column(0u, i, Points(r0.a, r1.a, r2.a, r3.a, r4.a, r5.a));
    column(1u, i, Points(r0.b, r1.b, r2.b, r3.b, r4.b, r5.b));
    column(2u, i, Points(r0.c, r1.c, r2.c, r3.c, r4.c, r5.c));
    column(3u, i, Points(r0.d, r1.d, r2.d, r3.d, r4.d, r5.d));
    if POINTS == 6u {
        column(4u, i, Points(r0.e, r1.e, r2.e, r3.e, r4.e, r5.e));
        column(5u, i, Points(r0.f, r1.f, r2.f, r3.f, r4.f, r5.f));
    }
}
