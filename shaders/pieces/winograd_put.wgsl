// Stores a tile of 4x4 outputs, given by columns; what lies beyond the map is left out.

fn put(i: u32, v: vec4f) {
    var w = v;
    if p.accumulate != 0u { w += y[y_at / 4u + i]; }
    y[y_at / 4u + i] = w;
}

fn put_column(first: u32, left: u32, v: Four) {
    let pitch = p.w * p.c4;
    put(first, v.a);
    if left > 1u { put(first + pitch, v.b); }
    if left > 2u { put(first + 2u * pitch, v.c); }
    if left > 3u { put(first + 3u * pitch, v.d); }
}

fn put_tile(image: u32, tile_y: u32, tile_x: u32, c: u32, k0: Four, k1: Four, k2: Four, k3: Four) {
    let first = ((image * p.h + 4u * tile_y) * p.w + 4u * tile_x) * p.c4 + c;
    let down = p.h - 4u * tile_y;
    let right = p.w - 4u * tile_x;
    put_column(first, down, k0);
    if right > 1u { put_column(first + p.c4, down, k1); }
    if right > 2u { put_column(first + 2u * p.c4, down, k2); }
    if right > 3u { put_column(first + 3u * p.c4, down, k3); }
}

