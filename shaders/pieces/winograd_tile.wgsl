// Where a tile of outputs lies: its image, and its row and column among the image's tiles.
struct Tile { image: u32, y: u32, x: u32 }

// The tile `item` of this chunk, whose tiles count over the whole batch.
fn tile_at(item: u32) -> Tile {
    let whole = p.tile_first + item;
    let image = whole / (p.rows * p.columns);
    let in_image = whole - image * p.rows * p.columns;
    let y = in_image / p.columns;
    return Tile(image, y, in_image - y * p.columns);
}

