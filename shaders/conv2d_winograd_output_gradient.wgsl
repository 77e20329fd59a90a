// Winograd F(4x4, 3x3), the adjoint of the output transform: d_M = A d_y A^T for every tile of 4x4 outputs.
//
// x    d_y (n, h, w, c) NHWC, c a multiple of 4
// out  texels d_M[36][c / 32][tile][8]: operand b of gemm_tn, by columns.
//      Tiles from `tiles` up to the end of the last strip of four become zero.
//
// One invocation computes one tile of four channels: 16 loads, 36 texels.
// groups (c panels, tiles rounded up to 4). Source: the adjoint of Lavin and Gray 2015.

struct P {
    h: u32, w: u32,
    c4: u32,
    rows: u32, columns: u32,
    tile_first: u32,
    tiles: u32,
    depth: u32,      // tiles rounded up to 4: texels along a panel / 8
    z_stride: u32,   // panels * depth * 8
    out_offset: u32,
}

@group(0) @binding(1) var out: texture_storage_2d<rgba32float, write>;

fn pixel(base: u32, y: u32, x: u32, live: bool) -> vec4f {
    let inside = live && y < p.h && x < p.w;
    let i = base + (y * p.w + x) * p.c4;
    return select(vec4f(), x4(select(0u, i, inside)), inside);
}

// A applied to four values.
fn transform(v: Four) -> Six {
    let even = v.a + v.c;
    let odd = v.b + v.d;
    let far_even = v.a + 4.0 * v.c;
    let far_odd = 2.0 * v.b + 8.0 * v.d;
    return Six(v.a, even + odd, even - odd, far_even + far_odd, far_even - far_odd, v.d);
}

fn pixel_row(base: u32, y: u32, x: u32, live: bool) -> Six {
    return transform(Four(pixel(base, y, x, live), pixel(base, y, x + 1u, live),
                          pixel(base, y, x + 2u, live), pixel(base, y, x + 3u, live)));
}

fn put_column(i: u32, column: Four) {
    let v = transform(column);
    textureStore(out, texel(i), v.a);
    textureStore(out, texel(i + 6u * p.z_stride), v.b);
    textureStore(out, texel(i + 12u * p.z_stride), v.c);
    textureStore(out, texel(i + 18u * p.z_stride), v.d);
    textureStore(out, texel(i + 24u * p.z_stride), v.e);
    textureStore(out, texel(i + 30u * p.z_stride), v.f);
}

@compute @workgroup_size(8)
fn output_gradient_tiles(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let tile = group.y;
    let c = group.x * 8u + lane;
    let whole = p.tile_first + tile;
    let image = whole / (p.rows * p.columns);
    let in_image = whole - image * p.rows * p.columns;
    let tile_y = in_image / p.columns;
    let y = 4u * tile_y;
    let x = 4u * (in_image - tile_y * p.columns);
    let live = tile < p.tiles && c < p.c4;
    let base = image * p.h * p.w * p.c4 + c;
    let r0 = pixel_row(base, y, x, live);
    let r1 = pixel_row(base, y + 1u, x, live);
    let r2 = pixel_row(base, y + 2u, x, live);
    let r3 = pixel_row(base, y + 3u, x, live);
    let i = p.out_offset + (group.x * p.depth + tile) * 8u + lane;
    put_column(i, Four(r0.a, r1.a, r2.a, r3.a));
    put_column(i + p.z_stride, Four(r0.b, r1.b, r2.b, r3.b));
    put_column(i + 2u * p.z_stride, Four(r0.c, r1.c, r2.c, r3.c));
    put_column(i + 3u * p.z_stride, Four(r0.d, r1.d, r2.d, r3.d));
    put_column(i + 4u * p.z_stride, Four(r0.e, r1.e, r2.e, r3.e));
    put_column(i + 5u * p.z_stride, Four(r0.f, r1.f, r2.f, r3.f));
}
