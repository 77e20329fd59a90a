// Stores a tile of outputs, given by columns; what lies beyond the map is left out.

fn put(i: u32, v: vec4f) {
    var w = v;
    if p.accumulate != 0u { w += vec4f(y[y_at / 4u + i]); }
    y[y_at / 4u + i] = vec4<y_type>(w);
}

// Where row or column i of a tile goes.
fn place(i: u32) -> u32 { return select(i, OUTPUTS - 1u - i, p.flipped != 0u); }

fn put_row(first: u32, left: u32, i: u32, v: vec4f) {
    if left > place(i) { put(first + place(i) * p.w * p.c4, v); }
}

fn put_column(first: u32, right: u32, down: u32, i: u32, v: Outputs) {
    if right <= place(i) { return; }
    let top = first + place(i) * p.c4;
    put_row(top, down, 0u, v.a);
    put_row(top, down, 1u, v.b);
    if OUTPUTS == 4u {
        put_row(top, down, 2u, v.c);
        put_row(top, down, 3u, v.d);
    }
}

fn put_tile(tile: Tile, c: u32, k0: Outputs, k1: Outputs, k2: Outputs, k3: Outputs) {
    let first = ((tile.image * p.h + OUTPUTS * tile.y) * p.w + OUTPUTS * tile.x) * p.c4 + c;
    let down = p.h - OUTPUTS * tile.y;
    let right = p.w - OUTPUTS * tile.x;
    put_column(first, right, down, 0u, k0);
    put_column(first, right, down, 1u, k1);
    if OUTPUTS == 4u {
        put_column(first, right, down, 2u, k2);
        put_column(first, right, down, 3u, k3);
    }
}
