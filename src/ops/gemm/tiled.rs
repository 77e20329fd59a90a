//! Products by tiles in shared memory, for GPUs: those of rung `tiled`, whose invocations multiply register tiles, and those
//! of rung `coop`, whose subgroups multiply on matrix units. What a tile is loaded from is the same for both.

use std::ops::Range;

use crate::gpu::{Caps, Class, Kernel, Piece};
use crate::ops::gemm::{Epilogue, Matrix, Target, bind_target, coop, ends, half};
use crate::ops::step::grid;
use crate::ops::{Lowered, Operand, Part, Site, Step, pieces};

/// Invocations of a workgroup, and the shared memory of the smallest tile.
const INVOCATIONS: u32 = 256;
const SMALL_MEMORY: u32 = 16 << 10;
/// Shared memory of the double-buffered 128x128 tile.
const LARGE_MEMORY: u32 = 32 << 10;
/// Groups that keep a large GPU busy: a product of fewer tiles is cut along k.
const BUSY: usize = 256;
/// Shortest part of k, and most elements of all parts together.
const SHORTEST_PART: usize = 256;
const MOST_PARTIAL: usize = 16 << 20;

/// Whether the kernels of rung `tiled` fit an adapter at all.
pub fn fits(caps: &Caps) -> bool {
    caps.workgroup_invocations >= INVOCATIONS && caps.workgroup_memory >= SMALL_MEMORY
}

/// Whether this rung is the form for the site's adapter.
pub fn suits(site: &Site) -> bool {
    fits(site.caps) && site.caps.class != Class::Cpu
}

/// What multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Units {
    /// Each invocation for itself, in f32.
    Vector,
    /// The matrix units, in f16 with sums of f32.
    Matrix,
}

impl Units {
    /// The form in which a product reads a weight of `elements` elements: rounded to f16 first for matrix units.
    pub fn weight(self, out: &mut Lowered, part: Part, w: Matrix, elements: usize, site: &Site) -> Matrix {
        match self {
            Units::Vector => w,
            Units::Matrix => half::rounded(out, part, &w, elements, site),
        }
    }

    /// The tile of a workgroup for `n` columns. The rows of y, which follow the batch, have no say.
    fn tile(self, site: &Site, n: usize) -> Tile {
        let caps = site.caps;
        let large = n > 64 && caps.workgroup_memory >= LARGE_MEMORY && caps.class != Class::Integrated;
        match self {
            Units::Vector => Tile::Vector { micro: if large { 8 } else { 4 } },
            Units::Matrix => Tile::Matrix(coop::Tile::new(caps, n).expect("the rung runs here")),
        }
    }
}

/// TILE x TILE elements of y.
#[derive(Clone, Copy, Debug)]
enum Tile {
    /// Of 128 with two stages of shared memory, or of 64 with one; each invocation computes `micro` by `micro`.
    Vector {
        micro: usize,
    },
    Matrix(coop::Tile),
}

impl Tile {
    fn side(self) -> usize {
        match self {
            Tile::Vector { micro } => 16 * micro,
            Tile::Matrix(tile) => tile.side(),
        }
    }

    /// k of one step of the kernel.
    fn step(self) -> usize {
        match self {
            Tile::Vector { .. } => 2048 / self.side(),
            Tile::Matrix(tile) => tile.step(),
        }
    }

    /// The kernel without its operands.
    fn kernel(self) -> Kernel {
        match self {
            Tile::Vector { micro } => {
                Kernel::new("gemm_tiled", include_str!("../../../shaders/gemm_tiled.wgsl"), "product")
                    .with("MICRO", micro as u32)
                    .with("STAGES", if micro == 8 { 2 } else { 1 })
            }
            Tile::Matrix(tile) => tile.kernel(),
        }
    }
}

/// One operand: a tensor and the piece of WGSL that reads blocks of it.
#[derive(Clone, Debug)]
pub struct Source {
    operand: Operand,
    window: Option<Range<u64>>,
    offset: usize,
    stride: usize,
    batch: usize,
    pieces: Vec<Piece>,
    along_k: bool,
    aligned: bool,
}

impl Source {
    /// Operand x: a plain matrix (m,k).
    pub fn x(x: &Matrix, m: usize, k: usize) -> Source {
        let aligned = x.aligned(if x.transposed { m } else { k });
        Source::matrix(x, pieces::TILED_X_MATRIX, !x.transposed, aligned)
    }

    /// Operand w: a plain matrix (k,n).
    pub fn w(w: &Matrix, k: usize, n: usize) -> Source {
        let aligned = w.aligned(if w.transposed { k } else { n });
        Source::matrix(w, pieces::TILED_W_MATRIX, w.transposed, aligned)
    }

    fn matrix(from: &Matrix, piece: Piece, along_k: bool, aligned: bool) -> Source {
        let Matrix { operand, window, offset, stride, batch, .. } = from.clone();
        Source { operand, window, offset, stride, batch, pieces: vec![piece], along_k, aligned }
    }

    /// A convolution's map or weight, whose contiguous runs are `channels` long.
    pub fn taps(operand: Operand, piece: Piece, along_k: bool, channels: usize) -> Source {
        let aligned = channels.is_multiple_of(4);
        let pieces = vec![piece];
        Source { operand, window: None, offset: 0, stride: 0, batch: 0, pieces, along_k, aligned }
    }
}

#[derive(Clone, Copy, Debug)]
struct Convolution {
    /// Words of the kernel's parameter block, from `h` on.
    geometry: [usize; 13],
    backward: bool,
}

/// A product and how it is cut.
#[derive(Clone, Debug)]
pub struct Tiling {
    m: usize,
    n: usize,
    k: usize,
    convolution: Option<Convolution>,
    tile: Tile,
    splits: usize,
    most_splits: usize,
    batch: usize,
}

impl Tiling {
    pub fn new(units: Units, site: &Site, [m, n, k]: [usize; 3]) -> Tiling {
        let tile = units.tile(site, n);
        Tiling { m, n, k, convolution: None, tile, splits: 1, most_splits: 1, batch: 1 }
    }

    /// Makes it a convolution with these words of geometry (from `h` on); `backward` reads the weight for d_x.
    pub fn convolution(mut self, geometry: [usize; 13], backward: bool) -> Tiling {
        self.convolution = Some(Convolution { geometry, backward });
        self
    }

    /// Cuts k into parts, so that there are groups enough. `rows` are those of y, or 1 where they follow the batch:
    /// the parts of a smaller batch must fit where those of the whole one do.
    pub fn split(mut self, rows: usize) -> Tiling {
        let tiles = rows.div_ceil(self.tile.side()) * self.n.div_ceil(self.tile.side());
        let room = (MOST_PARTIAL / (rows * self.n)).max(1);
        self.most_splits = (BUSY / tiles).clamp(1, self.k.div_ceil(SHORTEST_PART)).min(room);
        self.splits = self.most_splits;
        self.splits = self.k.div_ceil(self.part());
        self
    }

    /// Makes it `count` products of as many pairs of matrices, which lie `batch` elements apart; k is then not cut.
    pub fn batch(mut self, count: usize) -> Tiling {
        self.batch = count;
        self
    }

    /// Length of a part of k: whole steps of the kernel.
    fn part(&self) -> usize {
        self.k.div_ceil(self.splits).next_multiple_of(self.tile.step())
    }

    pub fn splits(&self) -> usize {
        self.splits
    }

    /// Never less than [`Tiling::splits`], and never less for a longer k: what scratch memory is asked for.
    pub fn most_splits(&self) -> usize {
        self.most_splits
    }

    fn kernel(&self, x: &Source, w: &Source) -> Kernel {
        let flag = u32::from;
        let mut kernel = self
            .tile
            .kernel()
            .with("X_ALONG_K", flag(x.along_k))
            .with("W_ALONG_K", flag(w.along_k))
            .piece(pieces::TILED_PRODUCT)
            .piece(pieces::TILED_BLOCK);
        if let Some(convolution) = &self.convolution {
            kernel = kernel.with("BACKWARD", flag(convolution.backward)).piece(pieces::TILED_TAP);
        }
        kernel = kernel.piece(if x.aligned { pieces::X4_ALIGNED } else { pieces::X4_STRIDED });
        kernel = kernel.piece(if w.aligned { pieces::W4_ALIGNED } else { pieces::W4_RAGGED });
        x.pieces.iter().chain(&w.pieces).fold(kernel, |kernel, &piece| kernel.piece(piece))
    }

    /// Pushes y = x w. The parts of a cut k, and the products of a batch, go `y.batch` elements one behind the other.
    pub fn push(
        &self,
        out: &mut Lowered,
        part: Part,
        (x, w): (&Source, &Source),
        y: &Target,
        end: Epilogue,
        site: &Site,
    ) {
        let kernel = ends(self.kernel(x, w), y, self.n, &end);
        let mut step = Step::new(kernel, part);
        for (name, source) in [("x", x), ("w", w)] {
            step = step.read(name, source.operand);
            if let Some(window) = &source.window {
                step = step.window(window.clone());
            }
        }
        let [columns, folds, _] = grid(self.m.div_ceil(self.tile.side()) as u64, site.caps.max_groups);
        let copies = self.splits * self.batch;
        let groups = [columns, self.n.div_ceil(self.tile.side()) as u32, folds * copies as u32];
        let macs = [self.m, self.n, self.k, self.batch].iter().map(|&d| d as u64).product::<u64>();
        out.push(
            bind_target(step, y, &end)
                .sizes(&[self.m, self.n, self.k, copies, self.part()])
                .sizes(&[x.offset, x.stride, x.batch, w.offset, w.stride, w.batch])
                .sizes(&[y.row, y.offset, y.batch])
                .sizes(&[usize::from(end.bias.is_some())])
                .word(end.floor())
                .word(end.accumulate)
                .sizes(&self.convolution.map_or([0; 13], |convolution| convolution.geometry))
                .groups(if macs == 0 { [0; 3] } else { groups })
                .flops(2 * macs),
        );
    }
}
