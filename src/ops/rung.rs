//! Rungs: the variants of a kernel, and which of them the parts of a node run on.

use crate::ops::Part;

/// A variant of a kernel; the rungs of the ladder from readable to fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// One output element per invocation: the definition, and what the others are compared with.
    Naive,
    /// One subgroup per workgroup, broadcast by shuffle, a large register tile: the form for software drivers.
    Subgroup,
    /// The same for products of many rows, where packing the weight pays.
    Packed,
    /// Winograd's F(2x2, 3x3) on the subgroup's products: four ninths of the multiplications.
    Winograd2,
    /// Winograd's F(4x4, 3x3) on the subgroup's products: a quarter of the multiplications.
    Winograd4,
    /// Shared-memory tiles and register tiles: the form for GPUs.
    Tiled,
    /// Winograd's F(2x2, 3x3) on the tiled products.
    Winograd2Tiled,
    /// Winograd's F(4x4, 3x3) on the tiled products.
    Winograd4Tiled,
    /// Shared-memory tiles of f16 on matrix units, for half precision.
    Coop,
}

impl Rung {
    pub const ALL: [Rung; 9] = [
        Rung::Naive,
        Rung::Subgroup,
        Rung::Packed,
        Rung::Winograd2,
        Rung::Winograd4,
        Rung::Tiled,
        Rung::Winograd2Tiled,
        Rung::Winograd4Tiled,
        Rung::Coop,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Rung::Naive => "naive",
            Rung::Subgroup => "subgroup",
            Rung::Packed => "packed",
            Rung::Winograd2 => "winograd2",
            Rung::Winograd4 => "winograd4",
            Rung::Tiled => "tiled",
            Rung::Winograd2Tiled => "winograd2_tiled",
            Rung::Winograd4Tiled => "winograd4_tiled",
            Rung::Coop => "coop",
        }
    }
}

/// The rung of each part of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rungs {
    pub forward: Rung,
    pub d_x: Rung,
    pub d_w: Rung,
}

impl Rungs {
    pub fn all(rung: Rung) -> Rungs {
        Rungs { forward: rung, d_x: rung, d_w: rung }
    }

    /// Whether some part takes a rung that `is`.
    pub fn any(self, is: impl Fn(Rung) -> bool) -> bool {
        [self.forward, self.d_x, self.d_w].into_iter().any(is)
    }

    /// The same with another rung for `part`; updates have none.
    pub fn with(mut self, part: Part, rung: Rung) -> Rungs {
        match part {
            Part::Forward => self.forward = rung,
            Part::DX => self.d_x = rung,
            Part::DW => self.d_w = rung,
            Part::Update => {}
        }
        self
    }
}
