//! The tiles of a map, and the chunks of tiles that are transformed and multiplied at a time.

use crate::ops::Site;

/// Groups along one dimension that every adapter has, and with them tiles of a chunk.
const MOST_TILES: usize = 65_535 / 32 * 32;

/// Tiles of outputs: rows and columns of one image, and all of them.
pub struct Tiles {
    pub rows: usize,
    pub columns: usize,
    all: usize,
}

/// Tiles in runs of `size`. Their number is the same for any batch; runs of a small batch may be empty.
pub struct Chunks {
    /// A multiple of 32.
    pub size: usize,
    count: usize,
    all: usize,
}

impl Tiles {
    /// Of `outputs` by `outputs`.
    pub fn new(outputs: usize, n: usize, [h, w]: [usize; 2]) -> Tiles {
        let (rows, columns) = (h.div_ceil(outputs), w.div_ceil(outputs));
        Tiles { rows, columns, all: n * rows * columns }
    }

    pub fn of_image(&self) -> usize {
        self.rows * self.columns
    }

    /// Rows of a register tile: a single image of few tiles would leave half of a large one empty.
    pub fn rows_of_product(&self) -> usize {
        if self.of_image() <= 16 { 16 } else { 32 }
    }

    /// Cuts the tiles of a batch into at most 32 chunks of at least `least` tiles; their number serves up to eight
    /// images at that size, and more images make them larger.
    pub fn chunks(&self, least: usize, channels: usize, site: &Site) -> Chunks {
        let image_bytes = self.of_image() * channels * 4;
        let images = (site.caps.max_binding as usize / image_bytes).clamp(1, 65_535);
        let most = (images * self.of_image()).max(self.all);
        let count = (8 * self.of_image()).div_ceil(least).clamp(4, 32).max(most.div_ceil(MOST_TILES));
        let size = self.all.div_ceil(count).max(least.min(self.all)).next_multiple_of(32);
        Chunks { size, count, all: self.all }
    }
}

impl Chunks {
    /// (first tile, number of tiles) of each chunk.
    pub fn each(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (size, all) = (self.size, self.all);
        (0..self.count).map(move |i| (i * size).min(all)).map(move |first| (first, size.min(all - first)))
    }
}
