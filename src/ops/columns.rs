//! A tensor seen as rows of channels, for sums over its rows: chunks of rows first, then their total, in a fixed order.

use crate::ops::Step;
use crate::shape::Shape;

/// Rows that one invocation goes through.
const CHUNK: u64 = 64;

/// (rows, channels) of a tensor. See the module's first line, and `shaders/pieces/strip.wgsl`.
#[derive(Clone, Copy, Debug)]
pub struct Columns {
    pub rows: u64,
    pub channels: u64,
}

impl Columns {
    pub fn new(shape: Shape) -> Columns {
        let channels = shape.last() as u64;
        Columns { rows: shape.numel() / channels, channels }
    }

    /// Fours of channels.
    pub fn quads(&self) -> u64 {
        self.channels.div_ceil(4)
    }

    fn chunks(&self) -> u64 {
        self.rows.div_ceil(CHUNK)
    }

    /// Four channels of one chunk each: the work of one invocation of the first pass.
    pub fn strips(&self) -> u64 {
        self.chunks() * self.quads()
    }

    /// Appends the words that `strip.wgsl` reads: rows, channels, chunk, chunks.
    pub fn sized(&self, step: Step) -> Step {
        step.sizes(&[self.rows, self.channels, CHUNK, self.chunks()].map(|v| v as usize))
    }
}
