//! Rung `naive`: one element per invocation, straight from the definition.

use crate::gpu::Kernel;
use crate::ops::conv2d::{Conv2d, Geometry};
use crate::ops::gemm::{Epilogue, Parts, Target};
use crate::ops::step::{LONGEST_LOOP, flat_grid};
use crate::ops::{Access, Lowered, Operand, Part, Site, Step, Word, pieces};

fn step(conv: &Conv2d, site: &Site, part: Part) -> Step {
    let entry = match part {
        Part::DX => "input_gradient",
        Part::DW => "weight_gradient",
        _ => "forward",
    };
    let kernel = Kernel::new("conv2d", include_str!("../../../shaders/conv2d.wgsl"), entry);
    Step::new(kernel.piece(pieces::INDEX), part).flops(2 * conv.at(&site.x[0]).macs())
}

fn sized(step: Step, conv: &Conv2d, g: &Geometry) -> Step {
    step.sizes(&[g.n, g.h, g.w, g.ci, g.ho, g.wo, g.co, g.kh, g.kw, g.sh, g.sw, g.top, g.left])
        .sizes(&[usize::from(conv.bias), usize::from(conv.relu)])
}

pub fn forward(conv: &Conv2d, site: &Site) -> Step {
    let g = conv.at(&site.x[0]);
    let bias = Operand::Param(usize::from(conv.bias)); // without a bias any readable tensor stands in
    let step = step(conv, site, Part::Forward)
        .read("x", Operand::X(0))
        .read("w", Operand::Param(0))
        .read("b", bias)
        .write("y", Operand::Y)
        .groups(flat_grid(site.y.numel(), site.caps.max_groups));
    sized(step, conv, &g).word(Word::U32(0)).sizes(&[0])
}

pub fn input_gradient(conv: &Conv2d, site: &Site) -> Step {
    let g = conv.at(&site.x[0]);
    let d_x = Operand::DX(0);
    let step = step(conv, site, Part::DX)
        .read("d_y", Operand::DY)
        .read("w", Operand::Param(0))
        .gradient("d_x", d_x)
        .groups(flat_grid(site.x[0].numel(), site.caps.max_groups));
    sized(step, conv, &g).word(Word::Accumulate(d_x)).sizes(&[0])
}

/// In parts, each no longer than a software driver's loops may be, and their sum.
pub fn weight_gradient(conv: &Conv2d, site: &Site, out: &mut Lowered) {
    let g = conv.at(&site.x[0]);
    let d_w = Operand::DParam(0);
    let part_rows = (LONGEST_LOOP / (g.wo + 1)).max(1);
    let (rows, count) = (g.kh * g.kw * g.ci, (g.n * g.ho).div_ceil(part_rows));
    let elements = (count * rows * g.co) as u64;
    let operand = out.scratch(elements);
    let step = step(conv, site, Part::DW)
        .read("d_y", Operand::DY)
        .read("x", Operand::X(0))
        .write("parts", operand)
        .groups(flat_grid(elements, site.caps.max_groups));
    out.push(sized(step, conv, &g).word(Word::U32(0)).sizes(&[part_rows]));
    let parts = Parts { operand, count, rows, n: g.co, channels: [1, 1] };
    parts.sum(out, Part::DW, &Target::new(d_w, Access::Gradient, g.co), Epilogue::gradient(d_w), site);
}
