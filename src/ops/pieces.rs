//! WGSL that several kernels share; each stands before the kernel's own file.

use crate::gpu::Piece;

/// `flat_index`: one element per invocation, in groups of [`crate::ops::step::FLAT_SIZE`].
pub const INDEX: Piece = Piece { name: "index", source: include_str!("../../shaders/index.wgsl") };

/// `pcg4d`, `random4`: counter-based random numbers, as in [`crate::ops::random`].
pub const RANDOM: Piece = Piece { name: "random", source: include_str!("../../shaders/random.wgsl") };

/// `clipped`, `decayed`: what every update rule does before its own formula.
pub const UPDATE: Piece = Piece { name: "update", source: include_str!("../../shaders/update.wgsl") };

const fn piece(name: &'static str, source: &'static str) -> Piece {
    Piece { name, source }
}

/// `texel`: the place of a texel in its texture.
pub const TEXEL: Piece = piece("texel", include_str!("../../shaders/texel.wgsl"));
/// `load_x4` for runs that are whole and aligned.
pub const X4_ALIGNED: Piece = piece("x4_aligned", include_str!("../../shaders/x4_aligned.wgsl"));
/// `load_x4` for anything.
pub const X4_STRIDED: Piece = piece("x4_strided", include_str!("../../shaders/x4_strided.wgsl"));
/// `load_w4` for runs that are whole and aligned.
pub const W4_ALIGNED: Piece = piece("w4_aligned", include_str!("../../shaders/w4_aligned.wgsl"));
/// `load_w4` for anything.
pub const W4_RAGGED: Piece = piece("w4_ragged", include_str!("../../shaders/w4_ragged.wgsl"));
/// `load_y4`, `store_y4` for runs that are whole and aligned.
pub const Y4_ALIGNED: Piece = piece("y4_aligned", include_str!("../../shaders/y4_aligned.wgsl"));
/// `load_y4`, `store_y4` for anything.
pub const Y4_RAGGED: Piece = piece("y4_ragged", include_str!("../../shaders/y4_ragged.wgsl"));
/// `bias4`: four elements of the bias.
pub const BIAS4: Piece = piece("bias4", include_str!("../../shaders/bias4.wgsl"));
/// `bias4` where there is no bias.
pub const BIAS4_NONE: Piece = piece("bias4_none", include_str!("../../shaders/bias4_none.wgsl"));
/// `Rows`, `Strip`, `add_rows`: the register tile of the subgroup rung.
pub const GEMM_ROWS: Piece = piece("gemm_rows", include_str!("../../shaders/gemm_rows.wgsl"));
/// `put_rows` with bias, ReLU and accumulation.
pub const GEMM_PUT: Piece = piece("gemm_put", include_str!("../../shaders/gemm_put.wgsl"));
/// `put_rows` for scratch with room for the margins.
pub const GEMM_PUT_PLAIN: Piece = piece("gemm_put_plain", include_str!("../../shaders/gemm_put_plain.wgsl"));
/// Operands a and b, `load_strip`.
pub const GEMM_STRIP: Piece = piece("gemm_strip", include_str!("../../shaders/gemm_strip.wgsl"));
/// `put_rows` of gemm_tn, as (kh, kw, ci, co).
pub const GEMM_TN_PUT: Piece = piece("gemm_tn_put", include_str!("../../shaders/gemm_tn_put.wgsl"));
/// `put_rows` of gemm_tn for scratch with room for the margins.
pub const GEMM_TN_PUT_PLAIN: Piece =
    piece("gemm_tn_put_plain", include_str!("../../shaders/gemm_tn_put_plain.wgsl"));
/// `x4`: four channels of a map.
pub const X4_MAP: Piece = piece("x4_map", include_str!("../../shaders/x4_map.wgsl"));
/// `Six`, `Four`, `Three`: rows of Winograd tiles.
pub const WINOGRAD_SIX: Piece =
    piece("conv2d_winograd_six", include_str!("../../shaders/conv2d_winograd_six.wgsl"));
/// `put_tile`: stores 4x4 outputs.
pub const WINOGRAD_PUT: Piece =
    piece("conv2d_winograd_put", include_str!("../../shaders/conv2d_winograd_put.wgsl"));
/// `Block`: four by four elements of a shared tile.
pub const TILED_BLOCK: Piece = piece("tiled_block", include_str!("../../shaders/tiled_block.wgsl"));
/// `x_block` of a plain matrix.
pub const TILED_X_MATRIX: Piece = piece("tiled_x_matrix", include_str!("../../shaders/tiled_x_matrix.wgsl"));
/// `x_block` of a convolution's pixels.
pub const TILED_X_PIXELS: Piece = piece("tiled_x_pixels", include_str!("../../shaders/tiled_x_pixels.wgsl"));
/// `x_block` of a weight gradient's taps.
pub const TILED_X_TAPS: Piece = piece("tiled_x_taps", include_str!("../../shaders/tiled_x_taps.wgsl"));
/// `w_block` of a plain matrix.
pub const TILED_W_MATRIX: Piece = piece("tiled_w_matrix", include_str!("../../shaders/tiled_w_matrix.wgsl"));
/// `w_block` of a convolution's weight.
pub const TILED_W_TAPS: Piece = piece("tiled_w_taps", include_str!("../../shaders/tiled_w_taps.wgsl"));
/// `Tap`: a place along a kernel's taps.
pub const TILED_TAP: Piece = piece("tiled_tap", include_str!("../../shaders/tiled_tap.wgsl"));
