//! What conv2d and dense fuse and share: the bias and the ReLU behind a matrix product.

use crate::gpu::Kernel;
use crate::ops::step::flat_grid;
use crate::ops::{Lowered, Operand, ParamSpec, Part, Site, Step, Wants, Word, pieces};
use crate::shape::Shape;

/// `d_y` is zeroed in place where `y` is not positive: the ReLU's derivative, read from its output. No step where
/// nobody wants a gradient.
pub fn mask_gradient(site: &Site, wants: &Wants, out: &mut Lowered) {
    if !wants.any() {
        return;
    }
    let part = if wants.d_params.contains(&true) { Part::DW } else { Part::DX };
    out.push(relu_mask(site, part));
}

fn relu_mask(site: &Site, part: Part) -> Step {
    let count = site.y.numel();
    let kernel = Kernel::new("relu", include_str!("../../shaders/relu.wgsl"), "mask").piece(pieces::INDEX);
    Step::new(kernel, part)
        .read("y", Operand::Y)
        .update("d_y", Operand::DY)
        .sizes(&[count as usize])
        .groups(flat_grid(count.div_ceil(4), site.caps.max_groups))
}

/// Rows that one invocation adds; a power of two near the square root of the largest maps' pixel count.
const BIAS_CHUNK: u64 = 256;

/// `d_b` = column sums of `d_y` seen as (rows, channels), into parameter `index`.
pub fn bias_gradient(site: &Site, index: usize, out: &mut Lowered) {
    let channels = site.y.last() as u64;
    let rows = site.y.numel() / channels;
    let chunks = rows.div_ceil(BIAS_CHUNK);
    let partial = out.scratch(chunks * channels);
    let kernel =
        |entry| Kernel::new("bias", include_str!("../../shaders/bias.wgsl"), entry).piece(pieces::INDEX);
    let sizes = [rows as usize, channels as usize, BIAS_CHUNK as usize, chunks as usize];
    let d_b = Operand::DParam(index);
    out.push(
        Step::new(kernel("partial_sums"), Part::DW)
            .read("d_y", Operand::DY)
            .write("partial", partial)
            .sizes(&sizes)
            .word(Word::U32(0))
            .groups(flat_grid(chunks * channels, site.caps.max_groups)),
    );
    out.push(
        Step::new(kernel("total"), Part::DW)
            .read("parts", partial)
            .gradient("d_b", d_b)
            .sizes(&sizes)
            .word(Word::Accumulate(d_b))
            .groups(flat_grid(channels, site.caps.max_groups)),
    );
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
