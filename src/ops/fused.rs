//! What conv2d and dense fuse and share: the bias and the ReLU behind a matrix product.

use crate::gpu::Kernel;
use crate::ops::columns::Columns;
use crate::ops::step::flat_grid;
use crate::ops::{Initial, Lowered, Operand, ParamSpec, Part, Site, Step, Wants, Word, pieces};
use crate::shape::Shape;

/// The index of the bias among the parameters.
const BIAS: usize = 1;

/// From the gradient of y to the gradient of the product behind it: `d_y` is zeroed in place where y is not positive,
/// the ReLU's derivative read from its output, and its column sums become `d_b`. One pass over `d_y` does both. No step
/// where nobody wants a gradient.
pub fn output_gradient(site: &Site, wants: &Wants, relu: bool, out: &mut Lowered) {
    let part = if wants.d_params.contains(&true) { Part::DW } else { Part::DX };
    if wants.d_params.get(BIAS) != Some(&true) {
        if relu && wants.any() {
            out.push(mask(site, part));
        }
        return;
    }
    let (sums, aligned) = (BiasSums::new(site.y), site.y.last().is_multiple_of(4));
    let step = match relu {
        true => Step::new(kernel("mask_sum", aligned), part).read("x", Operand::Y),
        false => Step::new(kernel("sum", aligned), part),
    };
    let partial = sums.scratch(out);
    let step = step.update("y", Operand::DY).write("partial", partial);
    out.push(sums.partial(step, site.caps.max_groups).word(Word::U32(0)));
    out.push(sums.total(partial));
}

/// Zeroes `d_y` in place where y is not positive: the way back through a ReLU.
pub fn mask(site: &Site, part: Part) -> Step {
    let kernel = kernel("mask", site.y.last().is_multiple_of(4));
    let step = Step::new(kernel, part).read("x", Operand::Y).update("y", Operand::DY);
    let grid = flat_grid(site.y.numel().div_ceil(4), site.caps.max_groups);
    Columns::new(site.y).sized(step).word(Word::U32(0)).groups(grid)
}

/// Channels in fours are loaded and stored four at a time.
fn kernel(entry: &'static str, aligned: bool) -> Kernel {
    let kernel = Kernel::new("fused_gradient", include_str!("../../shaders/fused_gradient.wgsl"), entry);
    let kernel = kernel.piece(pieces::INDEX).piece(pieces::STRIP);
    match aligned {
        true => kernel.piece(pieces::X4_ALIGNED).piece(pieces::Y4_ALIGNED),
        false => kernel.piece(pieces::X4_STRIDED).piece(pieces::Y4_RAGGED),
    }
}

/// The sums of a gradient's columns, in two passes of fixed order: partial sums of chunks of rows, and their total.
pub struct BiasSums(Columns);

impl BiasSums {
    /// Of a gradient of this shape, seen as (rows, channels).
    pub fn new(gradient: Shape) -> BiasSums {
        BiasSums(Columns::new(gradient))
    }

    /// Asks for the partial sums.
    pub fn scratch(&self, out: &mut Lowered) -> Operand {
        out.scratch(4 * self.0.strips())
    }

    /// Words and grid of the first pass.
    pub fn partial(&self, step: Step, max_groups: u32) -> Step {
        self.0.sized(step).groups(flat_grid(self.0.strips(), max_groups))
    }

    /// The second pass: from the partial sums to the gradient of the bias.
    pub fn total(&self, partial: Operand) -> Step {
        let d_b = Operand::DParam(BIAS);
        let step = Step::new(kernel("total", true), Part::DW).read("parts", partial).gradient("d_b", d_b);
        self.0.sized(step).word(Word::Accumulate(d_b)).groups([self.0.quads() as u32, 1, 1])
    }
}

/// A kernel whose last two dimensions are (in, out), and its bias where there is one.
pub fn params(kernel: &[usize], bias: bool) -> Vec<ParamSpec> {
    let kernel_spec =
        ParamSpec { name: "kernel", shape: Shape::new(kernel), initial: fans(kernel), learnt: true };
    let units = kernel[kernel.len() - 1];
    let bias_spec =
        ParamSpec { name: "bias", shape: Shape::new(&[units]), initial: Initial::Zeros, learnt: true };
    if bias { vec![kernel_spec, bias_spec] } else { vec![kernel_spec] }
}

/// Glorot's fans of a kernel whose last two dimensions are (in, out).
fn fans(kernel: &[usize]) -> Initial {
    let field: usize = kernel[..kernel.len() - 2].iter().product();
    let [fan_in, fan_out] = [kernel[kernel.len() - 2], kernel[kernel.len() - 1]];
    Initial::Fans((field * fan_in) as u64, (field * fan_out) as u64)
}
