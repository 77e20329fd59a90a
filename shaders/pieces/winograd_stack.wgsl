// 36 transformed matrices of items (tiles, input channels) by channels, each column of a tile's 6x6 points at once.

// Where four channels of an item lie in the first matrix.
fn stack_at(s: Spot) -> u32 {
    return (s.item >> 5u) * p.item_high + (s.item & 31u) * p.item_low + (s.quad >> 3u) * p.quad_high + (s.quad & 7u) * p.quad_low;
}

fn put_column(i: u32, v: Six) {
    put(i, v.a);
    put(i + 6u * p.z_stride, v.b);
    put(i + 12u * p.z_stride, v.c);
    put(i + 18u * p.z_stride, v.d);
    put(i + 24u * p.z_stride, v.e);
    put(i + 30u * p.z_stride, v.f);
}

