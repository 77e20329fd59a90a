//! Rung `winograd4`: F(4x4, 3x3), a quarter of the multiplications; 3x3, stride 1, channels in fours.
//!
//! A map is cut into tiles of 4x4 outputs. Tiles and weights are transformed into 36 matrices each, which 36 products
//! multiply. The work runs in chunks of tiles, so that the transformed tiles stay in cache and take little memory.
//! Source: Lavin and Gray 2015, "Fast algorithms for convolutional neural networks"; weight gradients are the adjoint.

use crate::gpu::Kernel;
use crate::ops::conv2d::{Conv2d, Geometry};
use crate::ops::gemm::{self, Epilogue, Fit, Packed, Sizes, Target, Tn};
use crate::ops::{Access, Lowered, Operand, Part, Site, Step, Word, pieces};

/// The transformed matrices: 6x6 points of a tile.
const POINTS: usize = 36;
/// Tiles of a chunk whose transforms stay in cache (measured: 64 to 128 at batch 1).
const CHUNK: usize = 64;
/// The same for d_w, whose every chunk reads and writes the 36 transformed weights again.
const WEIGHT_CHUNK: usize = 448;
/// Fewest tiles of an image for which forward and d_x, and d_w, pay.
const LEAST_TILES: usize = 4;
const LEAST_TILES_D_W: usize = 9;
/// Groups along one dimension that every adapter has, and with them tiles of a chunk.
const MOST_TILES: usize = 65_535 / 32 * 32;

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

pub fn forward(conv: &Conv2d, site: &Site) -> Lowered {
    forward_into(conv, site, Store::Map)
}

/// With a 2x2 max-pool in the store: a tile of 4x4 outputs holds four of its windows.
pub fn forward_pooled(conv: &Conv2d, site: &Site) -> Lowered {
    forward_into(conv, site, Store::Pooled)
}

fn forward_into(conv: &Conv2d, site: &Site, store: Store) -> Lowered {
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
    let u = weights(&g, &mut out);
    pass.push((Operand::X(0), u), &Target::new(Operand::Y, Access::Write, g.co), end, site, &mut out);
    out
}

/// d_x is the same convolution of d_y, with the kernel rotated and its channels swapped. Rather than the kernel, each
/// tile is rotated on its way in and on its way out, so that the transformed weights are the forward pass's own.
pub fn input_gradient(conv: &Conv2d, site: &Site, out: &mut Lowered) {
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
    let u = Packed { along_k: Some(g.ci * 8), ..weights(&g, out) };
    let target = Target::new(d_x, Access::Gradient, g.ci);
    pass.push((Operand::DY, u), &target, Epilogue::gradient(d_x), site, out);
}

/// d_w is the adjoint: transformed tiles of x and d_y are multiplied over all tiles, then transformed back.
pub fn weight_gradient(conv: &Conv2d, site: &Site, out: &mut Lowered) {
    let g = conv.at(&site.x[0]);
    let tiles = Tiles::new(g.n, [g.ho, g.wo]);
    let chunks = tiles.chunks(WEIGHT_CHUNK, g.ci + g.co, site);
    let depth = chunks.size;
    let (x_panels, y_panels) = (g.ci.div_ceil(32), gemm::column_panels(g.co));
    let x = texels(x_panels * depth * 8, out);
    let d_y = texels(y_panels * depth * 8, out);
    let row = g.co.next_multiple_of(64);
    let batch = matrix_floats(g.ci.next_multiple_of(32) * row);
    let d_u = out.scratch((POINTS * batch) as u64);
    let d_u = Target { batch, ..Target::new(d_u, Access::Update, row) };
    for (first, count) in chunks.each() {
        let deep = count.next_multiple_of(4);
        let input = Input {
            x: Operand::X(0),
            size: [g.h, g.w, g.ci],
            pad: [g.top, g.left],
            flipped: false,
            place: [256, 8, deep * 8, 1],
            lanes_on_tiles: false,
        };
        out.push(input.step(Part::DW, &tiles, (first, count), x, [x_panels, deep, 1]));
        out.push(output_gradient(&g, &tiles, (first, count), d_y, [y_panels, deep, 1]));
        let t = Tn {
            n: g.co,
            lines: usize::from(count > 0),
            line4: deep / 4,
            image_lines: 1,
            a_step: 8,
            run_panels: x_panels,
            a_panel: deep * 8,
            a_batch: x.batch,
            b_panel: deep * 8,
            b_batch: d_y.batch,
            channels: g.ci,
            taps: 1,
            runs: 1,
            batch: POINTS,
            ..Tn::default()
        };
        let end = Epilogue { bias: None, relu: false, accumulate: Word::U32(u32::from(first > 0)) };
        out.push(gemm::transposed_product(x.texels, d_y.texels, &t, &d_u, Fit::Margins, end));
    }
    out.push(back_to_weights(&g, &d_u));
}

/// U = G w Gᵀ. Reads nothing but the weight: for a frozen one it runs once, and d_x reads what the forward pass made.
fn weights(g: &Geometry, out: &mut Lowered) -> Packed {
    let panels = gemm::column_panels(g.co);
    let u = texels(panels * g.ci * 8, out);
    let source = include_str!("../../../shaders/conv2d_winograd_weight.wgsl");
    let kernel = kernel("conv2d_winograd_weight", source, "weight_tiles");
    out.push(
        Step::new(kernel.piece(pieces::TEXEL).piece(pieces::X4_MAP), Part::Forward)
            .read("x", Operand::Param(0))
            .write_texels("out", u.texels)
            .sizes(&[g.ci, g.co / 4, u.batch])
            .groups([g.ci as u32, panels as u32, 1]),
    );
    u
}

/// What becomes of a tile of outputs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Store {
    Map,
    /// Maxima of 2x2 windows; their positions go to the op's auxiliary result.
    Pooled,
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
    fn push(
        &self,
        (x, u): (Operand, Packed),
        target: &Target,
        end: Epilogue,
        site: &Site,
        out: &mut Lowered,
    ) {
        let ([_, _, ci], [ho, wo, co]) = (self.from, self.to);
        let tiles = Tiles::new(self.n, [ho, wo]);
        let chunks = tiles.chunks(CHUNK, ci + co, site);
        let c4 = ci / 4;
        let v = texels(chunks.size.next_multiple_of(32) * c4, out);
        let row = co.next_multiple_of(64);
        let batch = matrix_floats(chunks.size.next_multiple_of(32) * row);
        let m = Target { batch, ..Target::new(out.scratch((POINTS * batch) as u64), Access::Write, row) };
        for (first, count) in chunks.each() {
            let (size, pad, place) = (self.from, self.pad, [c4 * 32, 1, 256, 32]);
            let flipped = self.part == Part::DX;
            let input = Input { x, size, pad, flipped, place, lanes_on_tiles: true };
            out.push(input.step(self.part, &tiles, (first, count), v, [c4, count.div_ceil(8), 1]));
            let sizes = Sizes { batch: POINTS, ..Sizes::new(count, co, ci) };
            gemm::plain_product(out, self.part, (v, u), sizes, &m, tiles.rows_of_product());
            out.push(self.output(&tiles, (first, count), &m, target, end));
        }
    }

    fn output(
        &self,
        tiles: &Tiles,
        (first, count): (usize, usize),
        m: &Target,
        y: &Target,
        end: Epilogue,
    ) -> Step {
        let [h, w, c] = self.to;
        let source = include_str!("../../../shaders/conv2d_winograd_output.wgsl");
        let put = match self.store {
            Store::Map => pieces::WINOGRAD_PUT,
            Store::Pooled => pieces::WINOGRAD_PUT_POOLED,
        };
        let kernel = kernel("conv2d_winograd_output", source, "output_tiles").piece(put);
        let step =
            Step::new(kernel, self.part).read("x", m.operand).read("bias", end.bias.unwrap_or(m.operand)); // without a bias any readable tensor stands in
        let step = match y.access {
            Access::Gradient => step.gradient("y", y.operand),
            _ => step.write("y", y.operand),
        };
        let step = match self.store {
            Store::Map => step,
            Store::Pooled => step.write("positions", Operand::Aux),
        };
        step.sizes(&[h, w, c / 4, tiles.rows, tiles.columns, first, m.batch / 4, m.row / 4])
            .sizes(&[usize::from(self.part == Part::DX), usize::from(end.bias.is_some())])
            .word(end.floor())
            .word(end.accumulate)
            .groups([c.div_ceil(32) as u32, count as u32, 1])
    }
}

/// The map whose tiles are transformed.
struct Input {
    x: Operand,
    size: [usize; 3],
    pad: [usize; 2],
    /// The tile is rotated by half a turn.
    flipped: bool,
    /// Where a tile's texels go: the last four of the kernel's parameters.
    place: [usize; 4],
    lanes_on_tiles: bool,
}

impl Input {
    fn step(
        &self,
        part: Part,
        tiles: &Tiles,
        (first, count): (usize, usize),
        v: Packed,
        groups: [usize; 3],
    ) -> Step {
        let [h, w, c] = self.size;
        let source = include_str!("../../../shaders/conv2d_winograd_input.wgsl");
        let kernel = kernel("conv2d_winograd_input", source, "input_tiles")
            .with("LANES_ON_TILES", u32::from(self.lanes_on_tiles))
            .piece(pieces::TEXEL)
            .piece(pieces::X4_MAP);
        Step::new(kernel, part)
            .read("x", self.x)
            .write_texels("out", v.texels)
            .sizes(&[h, w, c / 4, tiles.rows, tiles.columns, first, count])
            .sizes(&self.pad)
            .sizes(&[usize::from(self.flipped), v.batch])
            .sizes(&self.place)
            .groups(groups.map(|d| d as u32))
    }
}

fn output_gradient(
    g: &Geometry,
    tiles: &Tiles,
    (first, count): (usize, usize),
    d_m: Packed,
    groups: [usize; 3],
) -> Step {
    let source = include_str!("../../../shaders/conv2d_winograd_output_gradient.wgsl");
    let kernel = kernel("conv2d_winograd_output_gradient", source, "output_gradient_tiles")
        .piece(pieces::TEXEL)
        .piece(pieces::X4_MAP);
    Step::new(kernel, Part::DW)
        .read("x", Operand::DY)
        .write_texels("out", d_m.texels)
        .sizes(&[g.ho, g.wo, g.co / 4, tiles.rows, tiles.columns, first, count, groups[1], d_m.batch, 0])
        .groups(groups.map(|d| d as u32))
}

fn back_to_weights(g: &Geometry, d_u: &Target) -> Step {
    let d_w = Operand::DParam(0);
    let source = include_str!("../../../shaders/conv2d_winograd_weight_gradient.wgsl");
    Step::new(kernel("conv2d_winograd_weight_gradient", source, "weight_gradient"), Part::DW)
        .read("x", d_u.operand)
        .gradient("y", d_w)
        .sizes(&[g.ci, g.co / 4, d_u.batch / 4, d_u.row / 4])
        .word(Word::Accumulate(d_w))
        .groups([g.co.div_ceil(32) as u32, g.ci as u32, 1])
}

fn kernel(file: &'static str, source: &'static str, entry: &'static str) -> Kernel {
    Kernel::new(file, source, entry).piece(pieces::WINOGRAD_SIX)
}

/// 36 matrices of at least `count` texels, never a multiple of 4 KiB apart: they would share one set of the cache.
fn texels(count: usize, out: &mut Lowered) -> Packed {
    let batch = count.next_multiple_of(256) + 32;
    Packed { texels: out.texels((POINTS * batch) as u64), batch, along_k: None }
}

/// The same for f32.
fn matrix_floats(count: usize) -> usize {
    count.next_multiple_of(1024) + 16
}

/// Tiles of 4x4 outputs: rows and columns of one image, and all of them.
struct Tiles {
    rows: usize,
    columns: usize,
    all: usize,
}

/// Tiles in runs of `size`. Their number is the same for any batch; runs of a small batch may be empty.
struct Chunks {
    size: usize,
    count: usize,
    all: usize,
}

impl Tiles {
    fn new(n: usize, [h, w]: [usize; 2]) -> Tiles {
        let (rows, columns) = (h.div_ceil(4), w.div_ceil(4));
        Tiles { rows, columns, all: n * rows * columns }
    }

    fn of_image(&self) -> usize {
        self.rows * self.columns
    }

    /// Rows of a register tile: a single image of few tiles would leave half of a large one empty.
    fn rows_of_product(&self) -> usize {
        if self.of_image() <= 16 { 16 } else { 32 }
    }

    /// Cuts the tiles of a batch into at most 32 chunks of at least `least` tiles; their number serves up to eight
    /// images at that size, and more images make them larger.
    fn chunks(&self, least: usize, channels: usize, site: &Site) -> Chunks {
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
    fn each(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (size, all) = (self.size, self.all);
        (0..self.count).map(move |i| (i * size).min(all)).map(move |first| (first, size.min(all - first)))
    }
}
