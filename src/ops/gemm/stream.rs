//! y = a w for few rows, as in a dense layer: `a` is packed, `w` is read once from its buffer.

use crate::gpu::Kernel;
use crate::ops::gemm::{Epilogue, Matrix, Packed, Sizes, Target, bind_target, stores};
use crate::ops::{Lowered, Part, Step, pieces};

/// The tile of the kernel.
const ROWS: usize = 16;
const COLUMNS: usize = 128;

/// The operands of a streamed product.
pub struct Stream<'a> {
    pub a: Packed,
    /// All of a's k, and the first of them that w belongs to, a multiple of four.
    pub a_k: usize,
    pub first: usize,
    pub w: &'a Matrix,
    /// k of one chunk, a multiple of four; each goes to its own copy of y, `y.batch` elements apart.
    pub chunk: usize,
}

/// Pushes y = a w.
pub fn stream(out: &mut Lowered, part: Part, from: &Stream, sizes: Sizes, y: &Target, end: Epilogue) {
    let Sizes { m, n, k, .. } = sizes;
    let w = from.w;
    let aligned = w.aligned(if w.transposed { k } else { n });
    let kernel = Kernel::new("gemm_stream", include_str!("../../../shaders/gemm_stream.wgsl"), "stream")
        .with("TRANSPOSED", u32::from(w.transposed))
        .piece(pieces::TEXEL)
        .piece(pieces::GEMM_ROWS)
        .piece(if aligned { pieces::W4_ALIGNED } else { pieces::W4_RAGGED });
    let step = Step::new(stores(kernel, y, n, &end), part);
    let mut step = step.read_texels("a", from.a.texels).read("w", w.operand);
    if let Some(window) = &w.window {
        step = step.window(window.clone());
    }
    out.push(
        bind_target(step, y, &end)
            .sizes(&[m, n, k, from.a_k.div_ceil(4), from.first / 4, w.stride, y.row, y.offset])
            .sizes(&[from.chunk, y.batch, usize::from(end.bias.is_some())])
            .word(end.floor())
            .word(end.accumulate)
            .groups([n.div_ceil(COLUMNS), m.div_ceil(ROWS), k.div_ceil(from.chunk)].map(|d| d as u32))
            .flops(sizes.flops()),
    );
}
