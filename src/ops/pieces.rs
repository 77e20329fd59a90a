//! WGSL that several kernels share; each stands before the kernel's own file.

use crate::gpu::Piece;

/// A piece from its file.
macro_rules! piece {
    ($about:literal, $constant:ident, $name:literal) => {
        #[doc = $about]
        pub const $constant: Piece =
            Piece { name: $name, source: include_str!(concat!("../../shaders/pieces/", $name, ".wgsl")) };
    };
}

piece!(
    "`flat_index`: one element per invocation, in groups of [`crate::ops::step::FLAT_SIZE`].",
    INDEX,
    "index"
);
piece!(
    "`flat_index` beyond everything in a step that does not count; see `optim/scaling.rs`.",
    INDEX_OF_STEPS_THAT_COUNT,
    "index_of_steps_that_count"
);
piece!("`pcg4d`, `random4`: counter-based random numbers, as in [`crate::ops::random`].", RANDOM, "random");
piece!("`clipped`, `decayed`: what every update rule does before its own formula.", UPDATE, "update");
piece!("`strip`: four channels of a chunk of rows.", STRIP, "strip");
piece!("`Value`, `WIDTH`, `sum_of` for kernels on single elements.", VALUES_OF_ONE, "values_of_one");
piece!("The same for kernels on four neighbours.", VALUES_OF_FOUR, "values_of_four");
piece!("`sum_over_group`: a sum over a workgroup, in a fixed order.", GROUP_SUM, "group_sum");
piece!("`mapped`: a pixel as a network was trained on it.", COLOUR, "colour");
piece!("`texel`: the place of a texel in its texture.", TEXEL, "texel");
piece!("`load_x4` for runs that are whole and aligned.", X4_ALIGNED, "x4_aligned");
piece!("`load_x4` for anything.", X4_STRIDED, "x4_strided");
piece!("`load_w4` for runs that are whole and aligned.", W4_ALIGNED, "w4_aligned");
piece!("`load_w4` for anything.", W4_RAGGED, "w4_ragged");
piece!("`load_y4`, `store_y4` for runs that are whole and aligned.", Y4_ALIGNED, "y4_aligned");
piece!("`load_y4`, `store_y4` for anything.", Y4_RAGGED, "y4_ragged");
piece!("`bias4`: four elements of the bias.", BIAS4, "bias4");
piece!("`bias4` where there is no bias.", BIAS4_NONE, "bias4_none");
piece!("`Rows`, `Strip`, `add_rows`: the register tile of the subgroup rung.", GEMM_ROWS, "gemm_rows");
piece!("`put_rows` with bias, ReLU and accumulation.", GEMM_PUT, "gemm_put");
piece!("`put_rows` for scratch with room for the margins.", GEMM_PUT_PLAIN, "gemm_put_plain");
piece!("Operands a and b, `load_strip`.", GEMM_STRIP, "gemm_strip");
piece!("`put_rows` of gemm_tn, as (kh, kw, ci, co).", GEMM_TN_PUT, "gemm_tn_put");
piece!(
    "`put_rows` of gemm_tn for scratch with room for the margins.",
    GEMM_TN_PUT_PLAIN,
    "gemm_tn_put_plain"
);
piece!("`x4`: four channels of a map.", X4_MAP, "x4_map");
piece!("`tile_at`: where a tile of a Winograd chunk lies.", WINOGRAD_TILE, "winograd_tile");
piece!("`put`: a vec4f into texels.", OUT_TEXELS, "out_texels");
piece!("`put`: a vec4f into a buffer.", OUT_WORDS, "out_words");
piece!("`spot`: eight lanes, 32 channels of one item.", LANES_ON_CHANNELS, "lanes_on_channels");
piece!("`spot`: eight lanes, four channels of eight items.", LANES_ON_ITEMS, "lanes_on_items");
piece!("`spot`: items and channels one behind the other, for GPUs.", LANES_FLAT, "lanes_flat");
piece!("`stack_at`, `put_column`: the transformed matrices.", WINOGRAD_STACK, "winograd_stack");
piece!("`Points`, `Outputs`, `Taps`: lines of Winograd tiles.", WINOGRAD_LINE, "winograd_line");
piece!("The transforms of F(4x4, 3x3) along a line.", WINOGRAD_F4, "winograd_f4");
piece!("The transforms of F(2x2, 3x3) along a line.", WINOGRAD_F2, "winograd_f2");
piece!("`row_of_points`: what the products left of a tile.", WINOGRAD_PRODUCTS, "winograd_products");
piece!("`put_tile`: stores a tile of outputs.", WINOGRAD_PUT, "winograd_put");
piece!(
    "`put_tile`: stores the maxima of 2x2 windows, and their positions.",
    WINOGRAD_PUT_POOLED,
    "winograd_put_pooled"
);
piece!("`P`, `task_of`, `put`: a product by tiles.", TILED_PRODUCT, "tiled_product");
piece!("`Block`: four by four elements of a shared tile.", TILED_BLOCK, "tiled_block");
piece!("`x_block` of a plain matrix.", TILED_X_MATRIX, "tiled_x_matrix");
piece!("`x_block` of a convolution's pixels.", TILED_X_PIXELS, "tiled_x_pixels");
piece!("`x_block` of a weight gradient's taps.", TILED_X_TAPS, "tiled_x_taps");
piece!("`w_block` of a plain matrix.", TILED_W_MATRIX, "tiled_w_matrix");
piece!("`w_block` of a convolution's weight.", TILED_W_TAPS, "tiled_w_taps");
piece!("`Tap`: a place along a kernel's taps.", TILED_TAP, "tiled_tap");
piece!("`Left`, `Right`, `Sum`: matrices of 8 by 8.", COOP8, "coop8");
piece!("`Left`, `Right`, `Sum`: matrices of 16 by 16.", COOP16, "coop16");
