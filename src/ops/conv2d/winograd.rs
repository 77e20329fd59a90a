//! Rungs `winograd4` and `winograd2`: F(4x4, 3x3) and F(2x2, 3x3), a quarter and four ninths of the multiplications; 3x3,
//! stride 1, channels in fours. With `_tiled` behind them, the same for GPUs.
//!
//! A map is cut into tiles of 4x4 (2x2) outputs. Tiles and weights are transformed into 36 (16) matrices each, which as
//! many products multiply: the subgroup's on a software driver, those of shared-memory tiles on a GPU. The work runs in
//! chunks of tiles, so that the transformed tiles stay in cache and take little memory.
//! Source: Lavin and Gray 2015, "Fast algorithms for convolutional neural networks"; weight gradients are the adjoint.

mod products;
mod tiles;
mod transforms;

use crate::ops::conv2d::{Conv2d, Geometry};
use crate::ops::gemm::{self, Epilogue, Target};
use crate::ops::{Access, Lowered, Operand, Part, Rung, Word};

pub use products::Method;

use products::Stack;
use tiles::Tiles;
use transforms::{Input, Store};

/// Fewest tiles of an image for which forward and d_x, and d_w, pay.
const LEAST_TILES: usize = 4;
const LEAST_TILES_D_W: usize = 9;
/// Channels in by channels out whose 36 transformed matrices outgrow a cache.
const MANY_CHANNELS: usize = 256 * 256;

/// Whether the method applies at all.
pub fn applies(g: &Geometry) -> bool {
    (g.kh, g.kw, g.sh, g.sw) == (3, 3, 1, 1) && g.ci.is_multiple_of(4) && g.co.is_multiple_of(4)
}

/// The rung that is faster than the direct form on a software driver, if one is, measured with batches of eight (and, for
/// forward and d_x of VGG at 224x224, with one image). The transforms of a map need channels to pay, those of the weights
/// need tiles, and for d_w more of them; where maps are small and channels are many, F(2x2) has less than half as much of
/// a weight to transform.
pub fn best(g: &Geometry, part: Part) -> Option<Rung> {
    let tiles = |outputs| Tiles::new(outputs, 1, [g.ho, g.wo]).of_image();
    let small = g.ci * g.co >= MANY_CHANNELS && tiles(4) < LEAST_TILES_D_W;
    let (rung, tiles) = if small { (Rung::Winograd2, tiles(2)) } else { (Rung::Winograd4, tiles(4)) };
    let least = if part == Part::DW { LEAST_TILES_D_W } else { LEAST_TILES };
    (g.ci.min(g.co) >= 32 && tiles >= least).then_some(rung)
}

pub fn forward(conv: &Conv2d, method: &Method) -> Lowered {
    forward_into(conv, method, Store::Map)
}

/// With a 2x2 max-pool in the store: a tile of outputs holds whole windows.
pub fn forward_pooled(conv: &Conv2d, method: &Method) -> Lowered {
    forward_into(conv, method, Store::Pooled)
}

fn forward_into(conv: &Conv2d, method: &Method, store: Store) -> Lowered {
    let g = conv.at(&method.site.x[0]);
    let end =
        Epilogue { bias: conv.bias.then_some(Operand::Param(1)), relu: conv.relu, accumulate: Word::U32(0) };
    let pass = Pass {
        part: Part::Forward,
        n: g.n,
        from: [g.h, g.w, g.ci],
        to: [g.ho, g.wo, g.co],
        pad: [g.top, g.left],
        store,
    };
    let mut out = Lowered::default();
    let u = weights(&g, method, &mut out);
    pass.push((Operand::X(0), u), &Target::new(Operand::Y, Access::Write, g.co), end, method, &mut out);
    out
}

/// d_x is the same convolution of d_y, with the kernel rotated and its channels swapped. Rather than the kernel, each
/// tile is rotated on its way in and on its way out, so that the transformed weights are the forward pass's own.
pub fn input_gradient(conv: &Conv2d, method: &Method, out: &mut Lowered) {
    let g = conv.at(&method.site.x[0]);
    let d_x = Operand::DX(0);
    let pass = Pass {
        part: Part::DX,
        n: g.n,
        from: [g.ho, g.wo, g.co],
        to: [g.h, g.w, g.ci],
        pad: [2 - g.top, 2 - g.left],
        store: Store::Map,
    };
    let u = weights(&g, method, out);
    let target = Target::new(d_x, Access::Gradient, g.ci);
    pass.push((Operand::DY, u), &target, Epilogue::gradient(d_x), method, out);
}

/// d_w is the adjoint: transformed tiles of x and d_y are multiplied over all tiles, then transformed back.
pub fn weight_gradient(conv: &Conv2d, method: &Method, out: &mut Lowered) {
    let g = conv.at(&method.site.x[0]);
    let tiles = method.tiles(g.n, [g.ho, g.wo]);
    let chunks = tiles.chunks(method.weight_chunk(), g.ci + g.co, method.site);
    let v = method.tile_columns(chunks.size, g.ci, g.ci.div_ceil(gemm::PANEL), out);
    let d_m = method.tile_columns(chunks.size, g.co, gemm::column_panels(g.co), out);
    let d_u = method.matrices(g.ci.next_multiple_of(32), g.co, Access::Update, out);
    for chunk in chunks.each() {
        let input = Input { x: Operand::X(0), size: [g.h, g.w, g.ci], pad: [g.top, g.left], flipped: false };
        out.push(method.input(Part::DW, &input, &tiles, chunk, &v));
        out.push(method.output_gradient([g.ho, g.wo, g.co], &tiles, chunk, &d_m));
        let (first, count) = chunk;
        method.multiply_transposed(out, (&v, &d_m), [g.ci, g.co, count], &d_u, first > 0);
    }
    out.push(method.weight_gradient([g.ci, g.co], &d_u));
}

/// U = G w Gᵀ. Reads nothing but the weight: for a frozen one it runs once, and d_x reads what the forward pass made.
fn weights(g: &Geometry, method: &Method, out: &mut Lowered) -> Stack {
    let u = method.weight_matrices([g.ci, g.co], out);
    out.push(method.weights([g.ci, g.co], &u));
    u
}

/// A convolution from one map to another.
struct Pass {
    part: Part,
    n: usize,
    from: [usize; 3],
    to: [usize; 3],
    pad: [usize; 2],
    store: Store,
}

impl Pass {
    fn push(&self, (x, u): (Operand, Stack), y: &Target, end: Epilogue, method: &Method, out: &mut Lowered) {
        let ([_, _, ci], [ho, wo, co]) = (self.from, self.to);
        let tiles = method.tiles(self.n, [ho, wo]);
        let chunks = tiles.chunks(method.chunk(), ci + co, method.site);
        let v = method.tile_rows(chunks.size, ci, out);
        let m = method.matrices(chunks.size, co, Access::Write, out);
        for chunk in chunks.each() {
            let input = Input { x, size: self.from, pad: self.pad, flipped: self.part == Part::DX };
            out.push(method.input(self.part, &input, &tiles, chunk, &v));
            let sizes = [chunk.1, co, ci];
            method.multiply(out, self.part, (&v, &u), sizes, &m, tiles.rows_of_product());
            out.push(method.output(self.part, self.to, &tiles, chunk, (&m, y), (self.store, end)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Shape;

    #[test]
    fn small_maps_of_many_channels_take_the_smaller_tile() {
        let best = |side: usize, channels: usize| {
            let g = Conv2d::vgg(channels).at(&Shape::new(&[1, side, side, channels]));
            [Part::Forward, Part::DX, Part::DW].map(|part| best(&g, part))
        };
        assert_eq!(best(56, 128), [Some(Rung::Winograd4); 3]);
        assert_eq!(best(14, 512), [Some(Rung::Winograd4); 3]);
        assert_eq!(best(8, 512), [Some(Rung::Winograd2); 3]);
        assert_eq!(best(4, 512), [Some(Rung::Winograd2), Some(Rung::Winograd2), None]);
        assert_eq!(best(2, 512), [None; 3]);
        assert_eq!(best(8, 128), [Some(Rung::Winograd4), Some(Rung::Winograd4), None]);
        assert_eq!(best(56, 16), [None; 3]);
    }
}
