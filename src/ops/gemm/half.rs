//! Weights in half precision, for matrix units; the f32 ones stay the masters.

use crate::gpu::Kernel;
use crate::ops::gemm::Matrix;
use crate::ops::step::flat_grid;
use crate::ops::{Dtype, Lowered, Part, Site, Step, pieces};

/// Pushes the rounding of `elements` elements, and gives the same matrix over the rounded ones. The step reads nothing but
/// the weight: for a frozen one it runs once, and d_x reads what the forward pass made.
pub fn rounded(out: &mut Lowered, part: Part, w: &Matrix, elements: usize, site: &Site) -> Matrix {
    let aligned = elements.is_multiple_of(4);
    let kernel = Kernel::new("gemm_half", include_str!("../../../shaders/gemm_half.wgsl"), "half")
        .piece(pieces::INDEX)
        .piece(if aligned { pieces::X4_ALIGNED } else { pieces::X4_STRIDED })
        .piece(if aligned { pieces::Y4_ALIGNED } else { pieces::Y4_RAGGED });
    let half = out.scratch_of(Dtype::F16, elements as u64);
    let mut step = Step::new(kernel, part).read("x", w.operand);
    if let Some(window) = &w.window {
        step = step.window(window.clone());
    }
    let groups = flat_grid(elements.div_ceil(4) as u64, site.caps.max_groups);
    out.push(step.write("y", half).sizes(&[elements]).groups(groups));
    Matrix { operand: half, window: None, ..w.clone() }
}
