//! What conv2d and dense fuse and share: the bias and the ReLU behind a matrix product.

use crate::gpu::Kernel;
use crate::ops::step::flat_grid;
use crate::ops::{Lowered, Operand, ParamSpec, Part, Site, Step, Wants, Word, pieces};
use crate::shape::Shape;

/// Rows that one invocation adds.
const CHUNK: u64 = 64;

/// The index of the bias among the parameters.
const BIAS: usize = 1;

/// From the gradient of y to the gradient of the product behind it: `d_y` is zeroed in place where y is not positive,
/// the ReLU's derivative read from its output, and its column sums become `d_b`. One pass over `d_y` does both. No step
/// where nobody wants a gradient.
pub fn output_gradient(site: &Site, wants: &Wants, relu: bool, out: &mut Lowered) {
    let wants_bias = wants.d_params.get(BIAS) == Some(&true);
    let entry = match (relu && wants.any(), wants_bias) {
        (false, false) => return,
        (true, false) => "mask",
        (true, true) => "mask_sum",
        (false, true) => "sum",
    };
    let sums = BiasSums::new(site.y);
    let part = if wants.d_params.contains(&true) { Part::DW } else { Part::DX };
    let mut step = Step::new(kernel(entry, sums.channels.is_multiple_of(4)), part);
    if relu {
        step = step.read("x", Operand::Y);
    }
    step = step.update("y", Operand::DY);
    if !wants_bias {
        let quads = site.y.numel().div_ceil(4);
        return out.push(sums.sized(step).word(Word::U32(0)).groups(flat_grid(quads, site.caps.max_groups)));
    }
    let partial = sums.scratch(out);
    let step = sums.partial(step.write("partial", partial), site.caps.max_groups);
    out.push(step.word(Word::U32(0)));
    out.push(sums.total(partial));
}

/// Channels in fours are loaded and stored four at a time.
fn kernel(entry: &'static str, aligned: bool) -> Kernel {
    let kernel = Kernel::new("fused_gradient", include_str!("../../shaders/fused_gradient.wgsl"), entry);
    let kernel = kernel.piece(pieces::INDEX);
    match aligned {
        true => kernel.piece(pieces::X4_ALIGNED).piece(pieces::Y4_ALIGNED),
        false => kernel.piece(pieces::X4_STRIDED).piece(pieces::Y4_RAGGED),
    }
}

/// The sums of a gradient's columns, in two passes of fixed order: partial sums of `CHUNK` rows, and their total.
pub struct BiasSums {
    rows: u64,
    channels: u64,
}

impl BiasSums {
    /// Of a gradient of this shape, seen as (rows, channels).
    pub fn new(gradient: Shape) -> BiasSums {
        let channels = gradient.last() as u64;
        BiasSums { rows: gradient.numel() / channels, channels }
    }

    fn chunks(&self) -> u64 {
        self.rows.div_ceil(CHUNK)
    }

    /// Asks for the partial sums.
    pub fn scratch(&self, out: &mut Lowered) -> Operand {
        out.scratch(self.chunks() * self.channels.next_multiple_of(4))
    }

    /// Words and grid of the first pass.
    pub fn partial(&self, step: Step, max_groups: u32) -> Step {
        let strips = self.chunks() * self.channels.div_ceil(4);
        self.sized(step).groups(flat_grid(strips, max_groups))
    }

    /// The second pass: from the partial sums to the gradient of the bias.
    pub fn total(&self, partial: Operand) -> Step {
        let d_b = Operand::DParam(BIAS);
        let step = Step::new(kernel("total", true), Part::DW).read("parts", partial).gradient("d_b", d_b);
        self.sized(step).word(Word::Accumulate(d_b)).groups([self.channels.div_ceil(4) as u32, 1, 1])
    }

    fn sized(&self, step: Step) -> Step {
        step.sizes(&[self.rows, self.channels, CHUNK, self.chunks()].map(|v| v as usize))
    }
}

/// A kernel whose last two dimensions are (in, out), and its bias where there is one.
pub fn params(kernel: &[usize], bias: bool) -> Vec<ParamSpec> {
    let kernel_spec = ParamSpec { name: "kernel", shape: Shape::new(kernel), fans: Some(fans(kernel)) };
    let units = kernel[kernel.len() - 1];
    let bias_spec = ParamSpec { name: "bias", shape: Shape::new(&[units]), fans: None };
    if bias { vec![kernel_spec, bias_spec] } else { vec![kernel_spec] }
}

/// Glorot's fans of a kernel whose last two dimensions are (in, out).
fn fans(kernel: &[usize]) -> (u64, u64) {
    let field: usize = kernel[..kernel.len() - 2].iter().product();
    let [fan_in, fan_out] = [kernel[kernel.len() - 2], kernel[kernel.len() - 1]];
    ((field * fan_in) as u64, (field * fan_out) as u64)
}
