// Winograd F(4x4, 3x3), input: V = B^T d B for every tile d of 6x6 pixels, tiles four pixels apart.
//
// x    (n, h, w, c) NHWC, c a multiple of 4; what lies outside counts as zero (padding)
// out  V[36][tile][c] as the strides say, through the piece `winograd_stack`: texels in the order of gemm's rows
//      (forward, d_x) or of gemm_tn's columns (d_w), or plain matrices for gemm_tiled.
//      Tiles from `tiles` up to the end of the last group become zero.
//
// One invocation computes one tile of four channels: 36 loads, 36 stores. There is no branch and no
// loop: on llvmpipe both would put every result through a mask.
// groups as the `lanes` piece in front of this file says
// Source: Lavin and Gray 2015, section 4.2 and the F(4x4, 3x3) matrices.

struct P {
    h: u32, w: u32,
    c4: u32,          // c / 4
    rows: u32,        // tiles along h of one image
    columns: u32,     // tiles along w
    tile_first: u32,  // the first tile of this chunk, counted over the whole batch
    tiles: u32,       // tiles in this chunk
    pad_h: u32, pad_w: u32,
    flipped: u32,     // 1: the tile is rotated by half a turn, as d_x wants it
    z_stride: u32,    // vec4f from one of the 36 to the next
    item_high: u32, item_low: u32, // vec4f per 32 tiles, per tile within 32
    quad_high: u32, quad_low: u32, // vec4f per 32 channels, per four within 32
}

fn pixel(base: u32, y: i32, x: i32, live: bool) -> vec4f {
    let inside = live && u32(y) < p.h && u32(x) < p.w; // a negative number is a large u32
    let i = base + (u32(y) * p.w + u32(x)) * p.c4;
    return select(vec4f(), x4(select(0u, i, inside)), inside);
}

// B^T applied to six values.
fn transform(v: Six) -> Six {
    let t1 = v.d - 4.0 * v.b;
    let t2 = v.e - 4.0 * v.c;
    let t3 = 2.0 * (v.d - v.b);
    let t4 = v.e - v.c;
    return Six(4.0 * v.a - 5.0 * v.c + v.e, t2 + t1, t2 - t1, t4 + t3, t4 - t3, 4.0 * v.b - 5.0 * v.d + v.f);
}

fn pixel_row(base: u32, y: i32, x: i32, live: bool) -> Six {
    let s = select(1, -1, p.flipped != 0u);
    return Six(pixel(base, y, x, live), pixel(base, y, x + s, live), pixel(base, y, x + 2 * s, live),
               pixel(base, y, x + 3 * s, live), pixel(base, y, x + 4 * s, live), pixel(base, y, x + 5 * s, live));
}

// Row j of B^T.
struct Weights { a: f32, b: f32, c: f32, d: f32, e: f32, f: f32 }
fn weights(j: u32) -> Weights {
    let first = j == 0u;
    let last = j == 5u;
    let sign = select(1.0, -1.0, (j & 1u) == 1u);
    let far = j > 2u;
    let b = select(sign * select(4.0, 2.0, far), 0.0, first);
    let c = select(select(-4.0, -1.0, far), -5.0, first);
    let d = select(-sign * select(1.0, 2.0, far), 0.0, first);
    return Weights(select(0.0, 4.0, first), select(b, 4.0, last), select(c, 0.0, last),
                   select(d, -5.0, last), select(1.0, 0.0, last), select(0.0, 1.0, last));
}

fn combine(k: Weights, v: Six) -> vec4f {
    return k.a * v.a + k.b * v.b + k.c * v.c + k.d * v.d + k.e * v.e + k.f * v.f;
}

@compute @workgroup_size(LANES)
fn input_tiles(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let own = spot(group, groups, lane, p.c4);
    if beyond(own.item, p.tiles) { return; }
    let tile = tile_at(own.item);
    let corner = select(0, 5, p.flipped != 0u);
    let s = select(1, -1, p.flipped != 0u);
    let y = i32(4u * tile.y) - i32(p.pad_h) + corner;
    let x = i32(4u * tile.x) - i32(p.pad_w) + corner;
    let live = own.item < p.tiles && own.quad < p.c4;
    let base = tile.image * p.h * p.w * p.c4 + own.quad;
    let r0 = pixel_row(base, y, x, live);
    let r1 = pixel_row(base, y + s, x, live);
    let r2 = pixel_row(base, y + 2 * s, x, live);
    let r3 = pixel_row(base, y + 3 * s, x, live);
    let r4 = pixel_row(base, y + 4 * s, x, live);
    let r5 = pixel_row(base, y + 5 * s, x, live);
    let i = stack_at(own);
    for (var j = 0u; j < 6u; j++) {
        let k = weights(j);
        let row = Six(combine(k, r0), combine(k, r1), combine(k, r2), combine(k, r3), combine(k, r4), combine(k, r5));
        put_column(i + j * p.z_stride, transform(row));
    }
}
