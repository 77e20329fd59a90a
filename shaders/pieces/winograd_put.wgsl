// Stores a tile of 4x4 outputs, given by columns; what lies beyond the map is left out.

fn put(i: u32, v: vec4f) {
    var w = v;
    if p.accumulate != 0u { w += vec4f(y[y_at / 4u + i]); }
    y[y_at / 4u + i] = vec4<y_type>(w);
}

// Where row or column i of a tile goes.
fn place(i: u32) -> u32 { return select(i, 3u - i, p.flipped != 0u); }

fn put_row(first: u32, left: u32, i: u32, v: vec4f) {
    if left > i { put(first + i * p.w * p.c4, v); }
}

fn put_column(first: u32, left: u32, v: Four) {
    put_row(first, left, place(0u), v.a);
    put_row(first, left, place(1u), v.b);
    put_row(first, left, place(2u), v.c);
    put_row(first, left, place(3u), v.d);
}

fn put_tile(image: u32, tile_y: u32, tile_x: u32, c: u32, k0: Four, k1: Four, k2: Four, k3: Four) {
    let first = ((image * p.h + 4u * tile_y) * p.w + 4u * tile_x) * p.c4 + c;
    let down = p.h - 4u * tile_y;
    let right = p.w - 4u * tile_x;
    if right > place(0u) { put_column(first + place(0u) * p.c4, down, k0); }
    if right > place(1u) { put_column(first + place(1u) * p.c4, down, k1); }
    if right > place(2u) { put_column(first + place(2u) * p.c4, down, k2); }
    if right > place(3u) { put_column(first + place(3u) * p.c4, down, k3); }
}
