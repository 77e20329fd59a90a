//! Rung `packed`: the products of rung `subgroup` over a packed weight, for batches of hundreds. Packing costs as much as
//! some hundred rows of the product, which then runs at twice the speed; a frozen weight is packed once.
//!
//! Forward and d_x read the same packed weight, each in its direction.

use std::ops::Range;

use crate::ops::dense::{Dense, bytes, windows};
use crate::ops::gemm::{self, Epilogue, Matrix, Packed, Sizes, Target};
use crate::ops::{Access, Lowered, Operand, Part, Site, Word};

/// Rows of the weight that are packed and multiplied at a time: a longer sum is added up from parts, to stay exact.
const CHUNK: usize = 4096;

pub fn forward(dense: &Dense, site: &Site) -> Lowered {
    let mut out = Lowered::default();
    let [n, ci, co] = sizes(site);
    for window in chunks(site) {
        let (first, last) = (window.start == 0, window.end == ci);
        let x = Matrix::new(Operand::X(0), ci).offset(window.start);
        let x = gemm::pack_rows(&mut out, Part::Forward, &x, n, window.len());
        let w = weight(&window, site, &mut out);
        let end = Epilogue {
            bias: (dense.bias && first).then_some(Operand::Param(1)),
            relu: dense.relu && last,
            accumulate: Word::U32(u32::from(!first)),
        };
        let y = Target::new(Operand::Y, Access::Update, co);
        gemm::product(&mut out, Part::Forward, (x, w), Sizes::new(n, co, window.len()), &y, end);
    }
    out
}

pub fn input_gradient(site: &Site, out: &mut Lowered) {
    let [n, ci, co] = sizes(site);
    let d_x = Operand::DX(0);
    let d_y = gemm::pack_rows(out, Part::DX, &Matrix::new(Operand::DY, co), n, co);
    for window in chunks(site) {
        let w = weight(&window, site, out).transposed();
        let target = Target::new(d_x, Access::Gradient, ci).offset(window.start);
        let sizes = Sizes::new(n, window.len(), co);
        gemm::product(out, Part::DX, (d_y, w), sizes, &target, Epilogue::gradient(d_x));
    }
}

/// The windows of the weight, cut further.
fn chunks(site: &Site) -> Vec<Range<usize>> {
    let [_, ci, co] = sizes(site);
    let mut all = Vec::new();
    for window in windows(ci, co, site.caps) {
        all.extend(window.clone().step_by(CHUNK).map(|first| first..(first + CHUNK).min(window.end)));
    }
    all
}

/// Rows of the weight, packed. Always the forward pass's step: d_x then reads what that has made.
fn weight(window: &Range<usize>, site: &Site, out: &mut Lowered) -> Packed {
    let [_, _, co] = sizes(site);
    let w = Matrix::new(Operand::Param(0), co).window(bytes(window, co));
    gemm::pack_columns(out, Part::Forward, &w, window.len(), co)
}

fn sizes(site: &Site) -> [usize; 3] {
    [site.x[0].dims()[0], site.x[0].last(), site.y.last()]
}
