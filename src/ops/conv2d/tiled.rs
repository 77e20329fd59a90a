//! Rungs `tiled` and `coop`: implicit GEMM with shared-memory tiles. The maps are gathered as the tiles are loaded, padding
//! is a mask, and the places along the taps move on without division.

use crate::ops::conv2d::{Conv2d, Geometry};
use crate::ops::gemm::tiled::{Source, Tiling, Units};
use crate::ops::gemm::{Epilogue, Matrix, Parts, Target};
use crate::ops::{Access, Lowered, Operand, Part, Site, Word, pieces};

pub fn forward(conv: &Conv2d, site: &Site, units: Units) -> Lowered {
    let g = conv.at(&site.x[0]);
    let mut out = Lowered::default();
    let tiling = tiling(site, units, &g, [g.n * g.ho * g.wo, g.co, taps(&g, g.ci)], false);
    let x = Source::taps(Operand::X(0), pieces::TILED_X_PIXELS, true, g.ci);
    let w = weight(&g, Part::Forward, site, units, &mut out);
    let w = Source::taps(w, pieces::TILED_W_TAPS, false, g.co);
    let end =
        Epilogue { bias: conv.bias.then_some(Operand::Param(1)), relu: conv.relu, accumulate: Word::U32(0) };
    let y = Target::new(Operand::Y, Access::Write, g.co);
    tiling.push(&mut out, Part::Forward, (&x, &w), &y, end, site);
    out
}

pub fn input_gradient(conv: &Conv2d, site: &Site, units: Units, out: &mut Lowered) {
    let g = conv.at(&site.x[0]);
    let d_x = Operand::DX(0);
    let tiling = tiling(site, units, &g, [g.n * g.h * g.w, g.ci, taps(&g, g.co)], true);
    let d_y = Source::taps(Operand::DY, pieces::TILED_X_PIXELS, true, g.co);
    let w = weight(&g, Part::DX, site, units, out);
    let w = Source::taps(w, pieces::TILED_W_TAPS, true, g.co);
    let target = Target::new(d_x, Access::Gradient, g.ci);
    tiling.push(out, Part::DX, (&d_y, &w), &target, Epilogue::gradient(d_x), site);
}

/// k runs over all pixels and is cut into parts, which a second step adds in a fixed order.
pub fn weight_gradient(conv: &Conv2d, site: &Site, units: Units, out: &mut Lowered) {
    let g = conv.at(&site.x[0]);
    let d_w = Operand::DParam(0);
    let rows = taps(&g, g.ci);
    let tiling = tiling(site, units, &g, [rows, g.co, g.n * g.ho * g.wo], false).split(rows);
    let count = tiling.splits();
    let operand = out.scratch((tiling.most_splits() * rows * g.co) as u64);
    let parts = Parts { operand, count, rows, n: g.co, channels: [g.ci, g.ci.next_multiple_of(4)] };
    let x = Source::taps(Operand::X(0), pieces::TILED_X_TAPS, false, g.ci);
    let d_y = Source::w(&Matrix::new(Operand::DY, g.co), g.n * g.ho * g.wo, g.co);
    let (target, end) = parts.target(0);
    tiling.push(out, Part::DW, (&x, &d_y), &target, end, site);
    let target = Target::new(d_w, Access::Gradient, g.co);
    parts.sum(out, Part::DW, &target, Epilogue::gradient(d_w), site);
}

/// The weight as these units read it.
fn weight(g: &Geometry, part: Part, site: &Site, units: Units, out: &mut Lowered) -> Operand {
    let w = Matrix::new(Operand::Param(0), g.co);
    units.weight(out, part, w, g.kh * g.kw * g.ci * g.co, site).operand
}

/// Taps times channels rounded up to four: no block of four crosses a tap.
fn taps(g: &Geometry, channels: usize) -> usize {
    g.kh * g.kw * channels.next_multiple_of(4)
}

fn tiling(site: &Site, units: Units, g: &Geometry, [m, n, k]: [usize; 3], backward: bool) -> Tiling {
    let (from, to) = ([g.h, g.w], [g.ho, g.wo]);
    let ([h, w], [ho, wo], c) = if backward { (to, from, g.co) } else { (from, to, g.ci) };
    let padded = c.next_multiple_of(4);
    let geometry = [h, w, c, padded, ho, wo, g.kh, g.kw, g.sh, g.sw, g.top, g.left, g.ci];
    Tiling::new(units, site, [m, n, k]).convolution(geometry, backward)
}
