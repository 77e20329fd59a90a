//! Rung `subgroup`: matrix products in the form for software drivers, over windows of the weight.
//!
//! A batch has few rows, so the weight is streamed from its buffer: packing it into texels costs more than the product.

use crate::ops::dense::{Dense, bytes, windows};
use crate::ops::gemm::{self, Epilogue, Matrix, Parts, Sizes, Stream, Target};
use crate::ops::{Access, Lowered, Operand, Part, Site, Word};

/// k of a chunk: its rows of w stay in cache and within few pages.
const CHUNK: usize = 512;

pub fn forward(dense: &Dense, site: &Site) -> Lowered {
    let mut out = Lowered::default();
    let (n, ci, co) = sizes(site);
    let windows = windows(ci, co, site.caps);
    let count = windows.iter().map(|window| window.len().div_ceil(CHUNK)).sum();
    let operand = out.scratch((count * n * co) as u64);
    let parts = Parts { operand, count, rows: n, n: co, channels: [1, 1] };
    let a = gemm::pack_rows(&mut out, Part::Forward, &Matrix::new(Operand::X(0), ci), n, ci);
    let mut first = 0;
    for window in windows {
        let w = Matrix::new(Operand::Param(0), co).window(bytes(&window, co));
        let stream = Stream { a, a_k: ci, first: window.start, w: &w, chunk: CHUNK };
        let (target, end) = parts.target(first);
        let sizes = Sizes::new(n, co, window.len());
        gemm::stream(&mut out, Part::Forward, &stream, sizes, &target, end);
        first += window.len().div_ceil(CHUNK);
    }
    let end = Epilogue {
        bias: dense.bias.then_some(Operand::Param(1)),
        relu: dense.relu,
        accumulate: Word::U32(0),
    };
    parts.sum(&mut out, Part::Forward, &Target::new(Operand::Y, Access::Write, co), end, site);
    out
}

pub fn input_gradient(_: &Dense, site: &Site, out: &mut Lowered) {
    let (n, ci, co) = sizes(site);
    let d_x = Operand::DX(0);
    let a = gemm::pack_rows(out, Part::DX, &Matrix::new(Operand::DY, co), n, co);
    for window in windows(ci, co, site.caps) {
        let w = Matrix::new(Operand::Param(0), co).window(bytes(&window, co)).transposed();
        let stream = Stream { a, a_k: co, first: 0, w: &w, chunk: co.next_multiple_of(4) };
        let target = Target::new(d_x, Access::Gradient, ci).offset(window.start);
        let sizes = Sizes::new(n, window.len(), co);
        gemm::stream(out, Part::DX, &stream, sizes, &target, Epilogue::gradient(d_x));
    }
}

pub fn weight_gradient(_: &Dense, site: &Site, out: &mut Lowered) {
    let (n, ci, co) = sizes(site);
    let d_w = Operand::DParam(0);
    let d_y = gemm::pack_columns(out, Part::DW, &Matrix::new(Operand::DY, co), n, co);
    for window in windows(ci, co, site.caps) {
        let x = Matrix::new(Operand::X(0), ci).offset(window.start).transposed();
        let x = gemm::pack_rows(out, Part::DW, &x, window.len(), n);
        let target = Target::new(d_w, Access::Gradient, co).window(bytes(&window, co));
        let sizes = Sizes { columns_first: true, ..Sizes::new(window.len(), co, n) };
        gemm::product(out, Part::DW, (x, d_y), sizes, &target, Epilogue::gradient(d_w));
    }
}

fn sizes(site: &Site) -> (usize, usize, usize) {
    (site.x[0].dims()[0], site.x[0].last(), site.y.last())
}
