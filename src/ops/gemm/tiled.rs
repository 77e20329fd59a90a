//! The products of rung `tiled`, for GPUs: shared-memory tiles and register tiles, no subgroup operations.

use std::ops::Range;

use crate::gpu::{Class, Kernel, Piece};
use crate::ops::gemm::{Epilogue, Matrix, Target, bind_target, ends};
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

/// Whether the kernels of this rung run at a site at all.
pub fn runs(site: &Site) -> bool {
    site.caps.workgroup_invocations >= INVOCATIONS && site.caps.workgroup_memory >= SMALL_MEMORY
}

/// Whether this rung is the form for the site's adapter.
pub fn suits(site: &Site) -> bool {
    runs(site) && site.caps.class != Class::Cpu
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
#[derive(Clone, Debug, Default)]
pub struct Tiling {
    m: usize,
    n: usize,
    k: usize,
    convolution: Option<Convolution>,
    micro: usize,
    splits: usize,
    most_splits: usize,
    batch: usize,
}

impl Tiling {
    /// Tiles of 128 where the adapter has the memory and there are columns to fill them, else of 64. The rows, which
    /// follow the batch, have no say.
    pub fn new(site: &Site, m: usize, n: usize, k: usize) -> Tiling {
        let large =
            n > 64 && site.caps.workgroup_memory >= LARGE_MEMORY && site.caps.class != Class::Integrated;
        Tiling {
            m,
            n,
            k,
            micro: if large { 8 } else { 4 },
            splits: 1,
            most_splits: 1,
            batch: 1,
            ..Tiling::default()
        }
    }

    /// Makes it a convolution with these words of geometry (from `h` on); `backward` reads the weight for d_x.
    pub fn convolution(mut self, geometry: [usize; 13], backward: bool) -> Tiling {
        self.convolution = Some(Convolution { geometry, backward });
        self
    }

    /// Cuts k into parts, so that there are groups enough. `rows` are those of y, or 1 where they follow the batch:
    /// the parts of a smaller batch must fit where those of the whole one do.
    pub fn split(mut self, rows: usize) -> Tiling {
        let tiles = rows.div_ceil(self.tile()) * self.n.div_ceil(self.tile());
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

    fn tile(&self) -> usize {
        16 * self.micro
    }

    /// Length of a part of k: whole steps of the kernel.
    fn part(&self) -> usize {
        self.k.div_ceil(self.splits).next_multiple_of(2048 / self.tile())
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
        let mut kernel =
            Kernel::new("gemm_tiled", include_str!("../../../shaders/gemm_tiled.wgsl"), "product")
                .with("MICRO", self.micro as u32)
                .with("STAGES", if self.micro == 8 { 2 } else { 1 })
                .with("X_ALONG_K", flag(x.along_k))
                .with("W_ALONG_K", flag(w.along_k))
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
        let [columns, folds, _] = grid(self.m.div_ceil(self.tile()) as u64, site.caps.max_groups);
        let copies = self.splits * self.batch;
        let groups = [columns, self.n.div_ceil(self.tile()) as u32, folds * copies as u32];
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
