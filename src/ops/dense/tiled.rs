//! Rungs `tiled` and `coop`: shared-memory products. A batch has few rows, so y and d_x are cut along k to fill a GPU.

use std::ops::Range;

use crate::ops::dense::{Dense, bytes, windows};
use crate::ops::gemm::tiled::{Source, Tiling, Units};
use crate::ops::gemm::{Epilogue, Matrix, Parts, Target};
use crate::ops::{Access, Lowered, Operand, Part, Site, Word};

pub fn forward(dense: &Dense, site: &Site, units: Units) -> Lowered {
    let mut out = Lowered::default();
    let [n, ci, co] = sizes(site);
    let windows = windows(ci, co, site.caps);
    let tiling = |rows: usize| Tiling::new(units, site, [n, co, rows]).split(1);
    let count = windows.iter().map(|window| tiling(window.len()).splits()).sum();
    let operand = out.scratch((count * n * co) as u64);
    let parts = Parts { operand, count, rows: n, n: co, channels: [1, 1] };
    let mut first = 0;
    for window in windows {
        let tiling = tiling(window.len());
        let x = Source::x(&Matrix::new(Operand::X(0), ci).offset(window.start), n, window.len());
        let w = weight(Part::Forward, &window, site, units, &mut out);
        let (target, end) = parts.target(first);
        tiling.push(&mut out, Part::Forward, (&x, &Source::w(&w, window.len(), co)), &target, end, site);
        first += tiling.splits();
    }
    let end = Epilogue {
        bias: dense.bias.then_some(Operand::Param(1)),
        relu: dense.relu,
        accumulate: Word::U32(0),
    };
    parts.sum(&mut out, Part::Forward, &Target::new(Operand::Y, Access::Write, co), end, site);
    out
}

pub fn input_gradient(_: &Dense, site: &Site, units: Units, out: &mut Lowered) {
    let [n, ci, co] = sizes(site);
    let d_x = Operand::DX(0);
    for window in windows(ci, co, site.caps) {
        let tiling = Tiling::new(units, site, [n, window.len(), co]).split(1);
        let operand = out.scratch((tiling.splits() * n * window.len()) as u64);
        let parts = Parts { operand, count: tiling.splits(), rows: n, n: window.len(), channels: [1, 1] };
        let d_y = Source::x(&Matrix::new(Operand::DY, co), n, co);
        let w = weight(Part::DX, &window, site, units, out).transposed();
        let (target, end) = parts.target(0);
        tiling.push(out, Part::DX, (&d_y, &Source::w(&w, co, window.len())), &target, end, site);
        let target = Target::new(d_x, Access::Gradient, ci).offset(window.start);
        parts.sum(out, Part::DX, &target, Epilogue::gradient(d_x), site);
    }
}

/// k is the batch: short, and never cut.
pub fn weight_gradient(_: &Dense, site: &Site, units: Units, out: &mut Lowered) {
    let [n, ci, co] = sizes(site);
    let d_w = Operand::DParam(0);
    for window in windows(ci, co, site.caps) {
        let x = Matrix::new(Operand::X(0), ci).offset(window.start).transposed();
        let x = Source::x(&x, window.len(), n);
        let d_y = Source::w(&Matrix::new(Operand::DY, co), n, co);
        let target = Target::new(d_w, Access::Gradient, co).window(bytes(&window, co));
        let tiling = Tiling::new(units, site, [window.len(), co, n]);
        tiling.push(out, Part::DW, (&x, &d_y), &target, Epilogue::gradient(d_w), site);
    }
}

/// Rows of the weight as these units read them.
fn weight(part: Part, window: &Range<usize>, site: &Site, units: Units, out: &mut Lowered) -> Matrix {
    let [_, _, co] = sizes(site);
    let w = Matrix::new(Operand::Param(0), co).window(bytes(window, co));
    units.weight(out, part, w, window.len() * co, site)
}

fn sizes(site: &Site) -> [usize; 3] {
    [site.x[0].dims()[0], site.x[0].last(), site.y.last()]
}
