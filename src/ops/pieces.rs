//! WGSL that several kernels share; each stands before the kernel's own file.

use crate::gpu::Piece;

/// `flat_index`: one element per invocation, in groups of [`crate::ops::step::FLAT_SIZE`].
pub const INDEX: Piece = Piece { name: "index", source: include_str!("../../shaders/index.wgsl") };
