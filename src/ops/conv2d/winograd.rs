//! Rungs `winograd4` and `winograd4_tiled`: F(4x4, 3x3), a quarter of the multiplications; 3x3, stride 1, channels in
//! fours.
//!
//! A map is cut into tiles of 4x4 outputs. Tiles and weights are transformed into 36 matrices each, which 36 products
//! multiply: the subgroup's on a software driver, those of shared-memory tiles on a GPU. The work runs in chunks of
//! tiles, so that the transformed tiles stay in cache and take little memory.
//! Source: Lavin and Gray 2015, "Fast algorithms for convolutional neural networks"; weight gradients are the adjoint.

mod products;
mod tiles;
mod transforms;

use crate::ops::conv2d::{Conv2d, Geometry};
use crate::ops::gemm::{self, Epilogue, Target};
use crate::ops::{Access, Lowered, Operand, Part, Site, Word};

pub use products::Products;

use products::{Method, Stack};
use tiles::Tiles;
use transforms::{Input, Store};

/// The transformed matrices: 6x6 points of a tile.
const POINTS: usize = 36;
/// Fewest tiles of an image for which forward and d_x, and d_w, pay.
const LEAST_TILES: usize = 4;
const LEAST_TILES_D_W: usize = 9;

/// Whether the method applies at all.
pub fn applies(g: &Geometry) -> bool {
    (g.kh, g.kw, g.sh, g.sw) == (3, 3, 1, 1) && g.ci.is_multiple_of(4) && g.co.is_multiple_of(4)
}

/// Whether it is faster than the direct form on a software driver, measured with batches of eight (and, for forward
/// and d_x of VGG at 224x224, with one image): the transforms of a map need channels to pay, those of the weights need
/// tiles, and for d_w more of them.
pub fn pays(g: &Geometry, part: Part) -> bool {
    let tiles = Tiles::new(1, [g.ho, g.wo]).of_image();
    g.ci.min(g.co) >= 32 && tiles >= if part == Part::DW { LEAST_TILES_D_W } else { LEAST_TILES }
}

pub fn forward(conv: &Conv2d, site: &Site, products: Products) -> Lowered {
    forward_into(conv, site, products, Store::Map)
}

/// With a 2x2 max-pool in the store: a tile of 4x4 outputs holds four of its windows.
pub fn forward_pooled(conv: &Conv2d, site: &Site, products: Products) -> Lowered {
    forward_into(conv, site, products, Store::Pooled)
}

fn forward_into(conv: &Conv2d, site: &Site, products: Products, store: Store) -> Lowered {
    let g = conv.at(&site.x[0]);
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
    let method = Method { products, site };
    let u = weights(&g, &method, &mut out);
    pass.push((Operand::X(0), u), &Target::new(Operand::Y, Access::Write, g.co), end, &method, &mut out);
    out
}

/// d_x is the same convolution of d_y, with the kernel rotated and its channels swapped. Rather than the kernel, each
/// tile is rotated on its way in and on its way out, so that the transformed weights are the forward pass's own.
pub fn input_gradient(conv: &Conv2d, site: &Site, products: Products, out: &mut Lowered) {
    let g = conv.at(&site.x[0]);
    let d_x = Operand::DX(0);
    let pass = Pass {
        part: Part::DX,
        n: g.n,
        from: [g.ho, g.wo, g.co],
        to: [g.h, g.w, g.ci],
        pad: [2 - g.top, 2 - g.left],
        store: Store::Map,
    };
    let method = Method { products, site };
    let u = weights(&g, &method, out);
    let target = Target::new(d_x, Access::Gradient, g.ci);
    pass.push((Operand::DY, u), &target, Epilogue::gradient(d_x), &method, out);
}

/// d_w is the adjoint: transformed tiles of x and d_y are multiplied over all tiles, then transformed back.
pub fn weight_gradient(conv: &Conv2d, site: &Site, products: Products, out: &mut Lowered) {
    let g = conv.at(&site.x[0]);
    let method = Method { products, site };
    let tiles = Tiles::new(g.n, [g.ho, g.wo]);
    let chunks = tiles.chunks(products.weight_chunk(), g.ci + g.co, site);
    let v = products.tile_columns(chunks.size, g.ci, g.ci.div_ceil(gemm::PANEL), out);
    let d_m = products.tile_columns(chunks.size, g.co, gemm::column_panels(g.co), out);
    let d_u = matrices(g.ci.next_multiple_of(32), g.co, Access::Update, out);
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
    let u = method.products.weights([g.ci, g.co], out);
    out.push(method.weights([g.ci, g.co], &u));
    u
}

/// Room for 36 products of `rows` rows and `columns` columns, with the margins that the subgroup's products fill.
fn matrices(rows: usize, columns: usize, access: Access, out: &mut Lowered) -> Target {
    let row = columns.next_multiple_of(64);
    // Never a multiple of 4 KiB apart: they would share one set of the cache.
    let batch = (rows * row).next_multiple_of(1024) + 16;
    Target { batch, ..Target::new(out.scratch((POINTS * batch) as u64), access, row) }
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
        let Method { products, site } = *method;
        let tiles = Tiles::new(self.n, [ho, wo]);
        let chunks = tiles.chunks(products.chunk(), ci + co, site);
        let v = products.tile_rows(chunks.size, ci, out);
        let m = matrices(chunks.size, co, Access::Write, out);
        for chunk in chunks.each() {
            let input = Input { x, size: self.from, pad: self.pad, flipped: self.part == Part::DX };
            out.push(method.input(self.part, &input, &tiles, chunk, &v));
            let sizes = [chunk.1, co, ci];
            method.multiply(out, self.part, (&v, &u), sizes, &m, tiles.rows_of_product());
            out.push(method.output(self.part, self.to, &tiles, chunk, (&m, y), (self.store, end)));
        }
    }
}
