//! The products of rung `coop`: tiles of f16 that matrix units multiply and sum in f32, for networks in half precision.

use crate::gpu::{Caps, Class, Kernel, MatrixSize, Piece};
use crate::ops::{Precision, Site, pieces};

/// k of one step.
const STEP: u32 = 32;
/// Halves between the rows of a shared tile, so that neighbouring rows lie in different banks; as in the kernel.
const PADDING: u32 = 8;

/// Tiles of fewer lanes than this are small: each lane would have to hold too much of them.
const MANY_LANES: u32 = 32;
const LARGE: Shape = Shape { side: 128, subgroups: 8 };
const MIDDLE: Shape = Shape { side: 64, subgroups: 4 };
const SMALL: Shape = Shape { side: 32, subgroups: 4 };

/// How many subgroups share a tile, two of them side by side.
#[derive(Clone, Copy, Debug)]
struct Shape {
    side: u32,
    subgroups: u32,
}

/// The tile of y that one workgroup computes.
#[derive(Clone, Copy, Debug)]
pub struct Tile {
    shape: Shape,
    matrix: u32,
    lanes: u32,
}

impl Tile {
    /// The largest tile for `n` columns that these limits admit; `None` where there are no matrix units for f16 summed in
    /// f32, or where the size of a subgroup is not certain.
    pub fn new(caps: &Caps, n: usize) -> Option<Tile> {
        let lanes = caps.exact_lanes().filter(|_| caps.f16)?;
        let matrix = [16, 8].into_iter().find(|&side| caps.matrices.contains(&MatrixSize::half(side)))?;
        let shapes: &[Shape] = match () {
            () if lanes < MANY_LANES => &[SMALL],
            () if n > 64 && caps.class != Class::Integrated => &[LARGE, MIDDLE],
            () => &[MIDDLE],
        };
        let mut tiles = shapes.iter().map(|&shape| Tile { shape, matrix, lanes });
        tiles.find(|tile| {
            tile.memory() <= caps.workgroup_memory
                && tile.size() <= caps.workgroup_invocations
                && tile.depth() <= STEP
        })
    }

    /// k of the blocks that half of the workgroup loads at once, four by four elements each.
    fn depth(&self) -> u32 {
        8 * self.size() / self.shape.side
    }

    /// Invocations of a workgroup.
    fn size(&self) -> u32 {
        self.shape.subgroups * self.lanes
    }

    /// Bytes of shared memory: two tiles of halves, and a matrix of sums for each subgroup on its way out.
    fn memory(&self) -> u32 {
        let Shape { side, subgroups } = self.shape;
        2 * STEP * (side + PADDING) * 2 + subgroups * self.matrix * self.matrix * 4
    }

    /// Rows and columns.
    pub fn side(&self) -> usize {
        self.shape.side as usize
    }

    /// k of one step.
    pub fn step(&self) -> usize {
        STEP as usize
    }

    /// The kernel without its operands.
    pub fn kernel(&self) -> Kernel {
        let Shape { side, subgroups } = self.shape;
        Kernel::new("gemm_coop", include_str!("../../../shaders/gemm_coop.wgsl"), "product")
            .enabling(&["f16", "wgpu_cooperative_matrix"])
            .with("TILE", side)
            .with("SUBGROUPS", subgroups)
            .with("LANES", self.lanes)
            .with("LOADS", STEP / self.depth())
            .piece(self.matrices())
    }

    fn matrices(&self) -> Piece {
        if self.matrix == 16 { pieces::COOP16 } else { pieces::COOP8 }
    }
}

/// Whether the kernels of this rung run at a site: on its adapter, and for its precision.
pub fn runs(site: &Site) -> bool {
    site.precision == Precision::F16 && Tile::new(site.caps, 1).is_some()
}
