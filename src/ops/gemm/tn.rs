//! y = aᵀ b, for weight gradients: `a` lies as it is read, four neighbours along m in a texel.

use crate::gpu::Kernel;
use crate::ops::gemm::{Epilogue, Target, bind_target};
use crate::ops::{Operand, Part, Step, pieces};

/// Where the operands of [`transposed_product`] lie; the fields are words of the kernel's parameter block, in texels
/// where nothing else is said.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tn {
    /// Columns of y.
    pub n: usize,
    /// Lines of k, each `line4` times four k long.
    pub lines: usize,
    pub line4: usize,
    pub image_lines: usize,
    /// The first line within its image.
    pub image_line: usize,
    pub a_offset: usize,
    /// From the end of an image's lines to the next image; may be negative.
    pub a_image_skip: isize,
    pub a_line: usize,
    pub a_step: usize,
    pub a_run: usize,
    /// Panels of eight texels in a run.
    pub run_panels: usize,
    pub a_panel: usize,
    pub a_batch: usize,
    pub b_panel: usize,
    pub b_batch: usize,
    /// Channels of `a` that exist, elements.
    pub channels: usize,
    /// Taps in a run.
    pub taps: usize,
    /// Rows of taps.
    pub runs: usize,
    pub batch: usize,
}

/// Whether y has room for margins (rows up to a multiple of 32, columns of 64), or is a weight (kh,kw,ci,co) itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    Margins,
    Exact,
}

/// Pushes y = aᵀ b, or y += aᵀ b.
pub fn transposed_product(a: Operand, b: Operand, t: &Tn, y: &Target, fit: Fit, end: Epilogue) -> Step {
    let aligned = [t.n, y.row, y.offset, y.batch].iter().all(|v| v.is_multiple_of(4));
    let kernel = Kernel::new("gemm_tn", include_str!("../../../shaders/gemm_tn.wgsl"), "product")
        .piece(pieces::TEXEL)
        .piece(if aligned { pieces::Y4_ALIGNED } else { pieces::Y4_RAGGED })
        .piece(if fit == Fit::Margins { pieces::GEMM_TN_PUT_PLAIN } else { pieces::GEMM_TN_PUT });
    let c4 = t.channels.div_ceil(4);
    let groups = [t.runs * t.run_panels, t.n.div_ceil(64), t.batch].map(|d| d as u32);
    let macs = [t.lines, t.line4, 4, t.taps, t.runs, t.channels, t.n, t.batch];
    let step = Step::new(kernel, Part::DW).read_texels("a", a).read_texels("b", b);
    bind_target(step, y, &end)
        .sizes(&[t.n, t.lines, t.line4, t.image_lines, t.image_line, t.a_offset])
        .sizes(&[t.a_image_skip as u32 as usize, t.a_line, t.a_step, t.a_run, t.run_panels])
        .sizes(&[t.a_panel, t.a_batch, 0, t.b_panel, t.b_batch, t.channels, c4, t.taps * c4 * 4])
        .sizes(&[y.row, y.offset, y.batch])
        .word(end.accumulate)
        .groups(if t.lines == 0 { [0; 3] } else { groups })
        .flops(2 * macs.iter().map(|&d| d as u64).product::<u64>())
}
