//! Who multiplies the transformed matrices, and how these lie for it.

use crate::gpu::{Form, Kernel};
use crate::ops::gemm::tiled::{Source, Tiling, Units};
use crate::ops::gemm::{self, Epilogue, Fit, Matrix, Packed, Sizes, Target, Tn};
use crate::ops::step::grid;
use crate::ops::{Access, Lowered, Operand, Part, Rung, Site, Step, Word, pieces};

use super::tiles::Tiles;

/// The products that the method stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Products {
    /// The subgroup's, over texels in the order in which they are read: for software drivers.
    Subgroup,
    /// Those of shared-memory tiles, over plain matrices: for GPUs.
    Tiled,
}

/// The method of a rung at a site. Its transforms stand in `transforms`.
#[derive(Clone, Copy)]
pub struct Method<'a> {
    /// Side of a tile of outputs: 4 or 2.
    pub outputs: usize,
    products: Products,
    pub site: &'a Site<'a>,
}

/// Transformed matrices of items (tiles, input channels) by channels, in vec4f.
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    operand: Operand,
    form: Form,
    /// From one matrix to the next.
    z: usize,
    /// From 32 items to the next 32, and from item to item within them.
    item: [usize; 2],
    /// From 32 channels to the next 32, and from four to four within them.
    quad: [usize; 2],
}

/// What neighbouring invocations of the subgroup's transforms share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    Channels,
    Items,
}

impl Stack {
    /// The words by which a transform finds its place in it.
    pub fn words(&self) -> [usize; 5] {
        [self.z, self.item[0], self.item[1], self.quad[0], self.quad[1]]
    }

    /// The piece of WGSL that writes it.
    pub fn bind(&self, step: Step) -> Step {
        match self.form {
            Form::Texels => step.write_texels("out", self.operand),
            Form::Words => step.write("out", self.operand),
        }
    }

    fn packed(&self) -> Packed {
        Packed { texels: self.operand, batch: self.z, panel: self.quad[0], along_k: false }
    }

    fn matrix(&self, stride: usize) -> Matrix {
        Matrix::new(self.operand, stride).batch(4 * self.z)
    }
}

impl<'a> Method<'a> {
    /// `None` for the direct rungs.
    pub fn of(rung: Rung, site: &'a Site<'a>) -> Option<Method<'a>> {
        let (outputs, products) = match rung {
            Rung::Winograd2 => (2, Products::Subgroup),
            Rung::Winograd4 => (4, Products::Subgroup),
            Rung::Winograd2Tiled => (2, Products::Tiled),
            Rung::Winograd4Tiled => (4, Products::Tiled),
            _ => return None,
        };
        Some(Method { outputs, products, site })
    }

    /// The transformed matrices of a stack, one for each point of a tile.
    pub fn points(&self) -> usize {
        (self.outputs + 2).pow(2)
    }

    pub fn tiles(&self, n: usize, map: [usize; 2]) -> Tiles {
        Tiles::new(self.outputs, n, map)
    }

    /// Fewest tiles of a chunk of forward and d_x: their transforms should stay in cache (measured for the subgroup's
    /// at batch 1: 64 to 128) and fill the machine.
    pub fn chunk(&self) -> usize {
        match self.products {
            Products::Subgroup => 64,
            Products::Tiled => 512,
        }
    }

    /// The same for d_w, whose every chunk reads and writes the transformed weights again. Its length bounds the
    /// rounding error too: the sum over a chunk is one chain of additions.
    pub fn weight_chunk(&self) -> usize {
        match self.products {
            Products::Subgroup => 448,
            Products::Tiled => 512,
        }
    }

    /// Tiles as the rows of a product.
    pub fn tile_rows(&self, tiles: usize, channels: usize, out: &mut Lowered) -> Stack {
        let quads = channels / 4;
        match self.products {
            Products::Subgroup => self.texels(tiles * quads, [32 * quads, 1], [256, 32], out),
            Products::Tiled => self.words(tiles, quads, out),
        }
    }

    /// Tiles as what a product sums over; `panels` of 32 channels.
    pub fn tile_columns(&self, tiles: usize, channels: usize, panels: usize, out: &mut Lowered) -> Stack {
        match self.products {
            Products::Subgroup => self.texels(tiles * panels * 8, [256, 8], [tiles * 8, 1], out),
            Products::Tiled => self.words(tiles, channels / 4, out),
        }
    }

    /// Transformed weights, an item for each input channel.
    pub fn weight_matrices(&self, [ci, co]: [usize; 2], out: &mut Lowered) -> Stack {
        match self.products {
            Products::Subgroup => self.texels(ci * gemm::column_panels(co) * 8, [256, 8], [ci * 8, 1], out),
            Products::Tiled => self.words(ci, co / 4, out),
        }
    }

    /// Room for the products, `rows` by `columns`, with the margins that the subgroup's fill.
    pub fn matrices(&self, rows: usize, columns: usize, access: Access, out: &mut Lowered) -> Target {
        let row = columns.next_multiple_of(64);
        // Never a multiple of 4 KiB apart: they would share one set of the cache.
        let batch = (rows * row).next_multiple_of(1024) + 16;
        Target { batch, ..Target::new(out.scratch((self.points() * batch) as u64), access, row) }
    }

    /// A transform's kernel and grid for `items` items, written up to a multiple of `margin`, of `channels` channels.
    pub fn spread(
        &self,
        kernel: Kernel,
        lanes: Lanes,
        [items, margin]: [usize; 2],
        channels: usize,
    ) -> (Kernel, [u32; 3]) {
        let quads = channels / 4;
        let items = if self.products == Products::Subgroup { items.next_multiple_of(margin) } else { items };
        let (piece, groups) = match (self.products, lanes) {
            (Products::Tiled, _) => {
                (pieces::LANES_FLAT, grid((items * quads).div_ceil(64) as u64, self.site.caps.max_groups))
            }
            (_, Lanes::Channels) => (pieces::LANES_ON_CHANNELS, [quads.div_ceil(8) as u32, items as u32, 1]),
            (_, Lanes::Items) => (pieces::LANES_ON_ITEMS, [quads as u32, items.div_ceil(8) as u32, 1]),
        };
        (kernel.piece(piece), if items == 0 { [0; 3] } else { groups })
    }

    /// The pieces with which a transform writes a stack.
    pub fn writes(&self, kernel: Kernel) -> Kernel {
        let kernel = match self.products {
            Products::Subgroup => kernel.piece(pieces::TEXEL).piece(pieces::OUT_TEXELS),
            Products::Tiled => kernel.piece(pieces::OUT_WORDS),
        };
        kernel.piece(pieces::WINOGRAD_STACK)
    }

    /// y = v u for each point: (tiles, k) by (k, n), where d_x reads the forward pass's weights the other way round.
    pub fn multiply(
        &self,
        out: &mut Lowered,
        part: Part,
        (v, u): (&Stack, &Stack),
        [m, n, k]: [usize; 3],
        y: &Target,
        rows: usize,
    ) {
        let backward = part == Part::DX;
        match self.products {
            Products::Subgroup => {
                let b = Packed { along_k: backward, ..u.packed() };
                let sizes = Sizes { batch: self.points(), ..Sizes::new(m, n, k) };
                gemm::plain_product(out, part, (v.packed(), b), sizes, y, rows);
            }
            Products::Tiled => {
                let w = if backward { u.matrix(k).transposed() } else { u.matrix(n) };
                let (x, w) = (Source::x(&v.matrix(k), m, k), Source::w(&w, k, n));
                let tiling = Tiling::new(Units::Vector, self.site, [m, n, k]).batch(self.points());
                tiling.push(out, part, (&x, &w), y, WRITE, self.site);
            }
        }
    }

    /// y = vᵀ d_m for each point, summed over `tiles` tiles; added to y where `add`.
    pub fn multiply_transposed(
        &self,
        out: &mut Lowered,
        (v, d_m): (&Stack, &Stack),
        [m, n, tiles]: [usize; 3],
        y: &Target,
        add: bool,
    ) {
        let end = Epilogue { accumulate: Word::U32(u32::from(add)), ..WRITE };
        match self.products {
            Products::Subgroup => {
                let t = Tn {
                    n,
                    lines: usize::from(tiles > 0),
                    line4: tiles.div_ceil(4),
                    image_lines: 1,
                    a_step: 8,
                    run_panels: m.div_ceil(gemm::PANEL),
                    a_panel: v.quad[0],
                    a_batch: v.z,
                    b_panel: d_m.quad[0],
                    b_batch: d_m.z,
                    channels: m,
                    taps: 1,
                    runs: 1,
                    batch: self.points(),
                    ..Tn::default()
                };
                out.push(gemm::transposed_product(v.operand, d_m.operand, &t, y, Fit::Margins, end));
            }
            Products::Tiled => {
                let x = Source::x(&v.matrix(m).transposed(), m, tiles);
                let w = Source::w(&d_m.matrix(n), tiles, n);
                let tiling = Tiling::new(Units::Vector, self.site, [m, n, tiles]).batch(self.points());
                tiling.push(out, Part::DW, (&x, &w), y, end, self.site);
            }
        }
    }

    fn texels(&self, count: usize, item: [usize; 2], quad: [usize; 2], out: &mut Lowered) -> Stack {
        let z = apart(count);
        Stack { operand: out.texels((self.points() * z) as u64), form: Form::Texels, z, item, quad }
    }

    fn words(&self, items: usize, quads: usize, out: &mut Lowered) -> Stack {
        let z = apart(items * quads);
        let operand = out.scratch((self.points() * z * 4) as u64);
        Stack { operand, form: Form::Words, z, item: [32 * quads, quads], quad: [8, 1] }
    }
}

const WRITE: Epilogue = Epilogue { bias: None, relu: false, accumulate: Word::U32(0) };

/// At least `count` vec4f, never a multiple of 4 KiB: the matrices would share one set of the cache.
fn apart(count: usize) -> usize {
    count.next_multiple_of(256) + 32
}
