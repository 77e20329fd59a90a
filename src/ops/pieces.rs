//! WGSL that several kernels share; each stands before the kernel's own file.

use crate::gpu::Piece;

/// `flat_index`: one element per invocation, in groups of [`crate::ops::step::FLAT_SIZE`].
pub const INDEX: Piece = Piece { name: "index", source: include_str!("../../shaders/index.wgsl") };

/// `pcg4d`, `random4`: counter-based random numbers, as in [`crate::ops::random`].
pub const RANDOM: Piece = Piece { name: "random", source: include_str!("../../shaders/random.wgsl") };
