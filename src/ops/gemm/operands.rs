//! What a matrix product reads and where it goes, as plain values.

use std::ops::Range;

use crate::ops::{Access, Operand, Word};

/// Stands for "no ReLU": the least value that f32 holds.
const NO_FLOOR: f32 = f32::MIN;

/// A matrix that lies in a tensor row by row, `stride` elements apart.
#[derive(Clone, Debug)]
pub struct Matrix {
    pub operand: Operand,
    /// Bytes of the tensor that are bound.
    pub window: Option<Range<u64>>,
    pub offset: usize,
    pub stride: usize,
    /// Elements from one matrix of a batch to the next.
    pub batch: usize,
    /// What is meant is the transposed matrix.
    pub transposed: bool,
}

impl Matrix {
    pub fn new(operand: Operand, stride: usize) -> Matrix {
        Matrix { operand, window: None, offset: 0, stride, batch: 0, transposed: false }
    }

    pub fn window(mut self, window: Range<u64>) -> Matrix {
        self.window = Some(window);
        self
    }

    pub fn offset(mut self, elements: usize) -> Matrix {
        self.offset = elements;
        self
    }

    pub fn batch(mut self, elements: usize) -> Matrix {
        self.batch = elements;
        self
    }

    pub fn transposed(mut self) -> Matrix {
        self.transposed = !self.transposed;
        self
    }

    /// Whether runs of four along its stored rows, `length` elements long, are whole and aligned.
    pub(super) fn aligned(&self, length: usize) -> bool {
        [self.offset, self.stride, self.batch, length].iter().all(|v| v.is_multiple_of(4))
    }
}

/// An operand in texels, in the order in which [`product`](super::product) reads it.
#[derive(Clone, Copy, Debug)]
pub struct Packed {
    pub texels: Operand,
    /// Texels from one matrix of a batch to the next.
    pub batch: usize,
    /// Texels of a panel.
    pub panel: usize,
    /// Operand b lies transposed, (n,k) packed by columns.
    pub along_k: bool,
}

impl Packed {
    /// Operand b, packed by columns, the other way round.
    pub fn transposed(self) -> Packed {
        Packed { along_k: !self.along_k, ..self }
    }
}

/// y (m,n) = a (m,k) b (k,n), `batch` times.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub batch: usize,
    /// Neighbouring workgroups fill rows of y, for a short k; otherwise they share columns of b.
    pub columns_first: bool,
}

impl Sizes {
    pub fn new(m: usize, n: usize, k: usize) -> Sizes {
        Sizes { m, n, k, batch: 1, columns_first: false }
    }

    pub fn flops(&self) -> u64 {
        2 * [self.m, self.n, self.k, self.batch].iter().map(|&d| d as u64).product::<u64>()
    }
}

/// Where a product goes.
#[derive(Clone, Debug)]
pub struct Target {
    pub operand: Operand,
    pub access: Access,
    pub window: Option<Range<u64>>,
    pub offset: usize,
    /// Elements from row to row.
    pub row: usize,
    /// Elements from one product of a batch to the next.
    pub batch: usize,
}

impl Target {
    pub fn new(operand: Operand, access: Access, row: usize) -> Target {
        Target { operand, access, window: None, offset: 0, row, batch: 0 }
    }

    pub fn window(mut self, window: Range<u64>) -> Target {
        self.window = Some(window);
        self
    }

    pub fn offset(mut self, elements: usize) -> Target {
        self.offset = elements;
        self
    }
}

/// What happens to a product on its way out.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue {
    pub bias: Option<Operand>,
    pub relu: bool,
    pub accumulate: Word,
}

impl Epilogue {
    /// Written, or added where the planner says so.
    pub fn gradient(operand: Operand) -> Epilogue {
        Epilogue { bias: None, relu: false, accumulate: Word::Accumulate(operand) }
    }

    pub fn floor(&self) -> Word {
        Word::F32(if self.relu { 0.0 } else { NO_FLOOR })
    }
}
