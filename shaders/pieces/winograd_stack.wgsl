// The transformed matrices of items (tiles, input channels) by channels, each column of a tile's points at once.

// Where four channels of an item lie in the first matrix.
fn stack_at(s: Spot) -> u32 {
    return (s.item >> 5u) * p.item_high + (s.item & 31u) * p.item_low + (s.quad >> 3u) * p.quad_high + (s.quad & 7u) * p.quad_low;
}

fn put_column(i: u32, v: Points) {
    let row = POINTS * p.z_stride;
    put(i, v.a);
    put(i + row, v.b);
    put(i + 2u * row, v.c);
    put(i + 3u * row, v.d);
    if POINTS == 6u {
        put(i + 4u * row, v.e);
        put(i + 5u * row, v.f);
    }
}

