//! Rung `naive`: one element per invocation, a dispatch per window of the weight.

use std::ops::Range;

use crate::gpu::Kernel;
use crate::ops::dense::{Dense, bytes, windows};
use crate::ops::step::flat_grid;
use crate::ops::{Lowered, Operand, Part, Site, Step, Word, pieces};

fn step(site: &Site, window: &Range<usize>, entry: &'static str, part: Part) -> Step {
    let kernel = Kernel::new("dense", include_str!("../../../shaders/dense.wgsl"), entry);
    let macs = site.x[0].dims()[0] * window.len() * site.y.last();
    Step::new(kernel.piece(pieces::INDEX), part).flops(2 * macs as u64)
}

fn sizes(site: &Site, window: &Range<usize>) -> [usize; 5] {
    [site.x[0].dims()[0], site.x[0].last(), site.y.last(), window.start, window.len()]
}

pub fn forward(dense: &Dense, site: &Site) -> Lowered {
    let mut out = Lowered::default();
    let all = windows(site.x[0].last(), dense.units, site.caps);
    for window in &all {
        let last = window.end == site.x[0].last();
        let step = step(site, window, "forward", Part::Forward)
            .read("x", Operand::X(0))
            .read("w", Operand::Param(0))
            .window(bytes(window, dense.units))
            .read("b", Operand::Param(usize::from(dense.bias)));
        // Without a bias the weight stands in for it, which one binding may not hold as a whole.
        let step = if dense.bias { step } else { step.window(bytes(window, dense.units)) };
        out.push(
            step.update("y", Operand::Y)
                .sizes(&sizes(site, window))
                .sizes(&[usize::from(dense.bias), usize::from(dense.relu && last)])
                .sizes(&[usize::from(window.start > 0)])
                .groups(flat_grid(site.y.numel(), site.caps.max_groups)),
        );
    }
    out
}

pub fn input_gradient(dense: &Dense, site: &Site, out: &mut Lowered) {
    let d_x = Operand::DX(0);
    for window in &windows(site.x[0].last(), dense.units, site.caps) {
        let elements = (site.x[0].dims()[0] * window.len()) as u64;
        out.push(
            step(site, window, "input_gradient", Part::DX)
                .read("d_y", Operand::DY)
                .read("w", Operand::Param(0))
                .window(bytes(window, dense.units))
                .gradient("d_x", d_x)
                .sizes(&sizes(site, window))
                .sizes(&[0, 0])
                .word(Word::Accumulate(d_x))
                .groups(flat_grid(elements, site.caps.max_groups)),
        );
    }
}

pub fn weight_gradient(dense: &Dense, site: &Site, out: &mut Lowered) {
    let d_w = Operand::DParam(0);
    for window in &windows(site.x[0].last(), dense.units, site.caps) {
        let elements = (window.len() * dense.units) as u64;
        out.push(
            step(site, window, "weight_gradient", Part::DW)
                .read("x", Operand::X(0))
                .read("d_y", Operand::DY)
                .gradient("d_w", d_w)
                .window(bytes(window, dense.units))
                .sizes(&sizes(site, window))
                .sizes(&[0, 0])
                .word(Word::Accumulate(d_w))
                .groups(flat_grid(elements, site.caps.max_groups)),
        );
    }
}
