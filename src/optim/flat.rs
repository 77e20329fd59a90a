//! The lowering that all rules share: one step over the elements of a parameter, in windows that fit a binding.

use std::ops::Range;

use crate::gpu::{Caps, Kernel, Piece};
use crate::ops::pieces::{INDEX, UPDATE, VALUES_OF_FOUR, VALUES_OF_ONE};
use crate::ops::step::flat_grid;
use crate::ops::{Live, Lowered, Operand, Part, Step, Word};
use crate::optim::Common;
use crate::shape::Shape;

/// A rule's kernel and what it is given, apart from the parameter's size.
pub(super) struct Flat<'a> {
    pub file: &'static str,
    pub source: &'static str,
    pub entry: &'static str,
    /// Names of the state bindings.
    pub states: &'a [&'static str],
    pub common: Common,
    /// The rule's own words, behind count, learning rate, decay and clipping.
    pub words: &'a [Word],
    /// Floating-point operations per element.
    pub flops: u64,
}

impl Flat<'_> {
    pub fn lower(&self, shape: Shape, caps: &Caps) -> Lowered {
        let width = Width::of(shape);
        let steps = windows(shape.numel(), caps).into_iter().map(|window| self.step(window, width, caps));
        Lowered { steps: steps.collect(), scratch: Vec::new() }
    }

    fn step(&self, window: Range<u64>, width: Width, caps: &Caps) -> Step {
        let kernel = Kernel::new(self.file, self.source, self.entry);
        let kernel = kernel.piece(INDEX).piece(width.piece()).piece(UPDATE);
        let bytes = window.start * 4..window.end * 4;
        let mut step = Step::new(kernel, Part::Update)
            .update("w", Operand::Param(0))
            .window(bytes.clone())
            .read("d_w", Operand::DParam(0))
            .window(bytes.clone());
        for (i, name) in self.states.iter().enumerate() {
            step = step.update(name, Operand::State(i)).window(bytes.clone());
        }
        let values = width.values(&window);
        step.sizes(&[values as usize])
            .word(Word::Live(Live::LearningRate))
            .word(Word::F32(self.common.weight_decay))
            .word(Word::F32(self.common.value_limit().unwrap_or(-1.0)))
            .words(self.words.iter().copied())
            .groups(flat_grid(values, caps.max_groups))
            .flops(self.flops * (window.end - window.start))
    }
}

/// Elements that an invocation takes as one value: four where they divide a tensor, and with it its windows.
#[derive(Clone, Copy)]
pub(super) struct Width(u64);

impl Width {
    pub fn of(shape: Shape) -> Width {
        Width(if shape.numel().is_multiple_of(4) { 4 } else { 1 })
    }

    /// What says so in WGSL.
    pub fn piece(self) -> Piece {
        if self.0 == 4 { VALUES_OF_FOUR } else { VALUES_OF_ONE }
    }

    /// Number of values in a window of elements.
    pub fn values(self, window: &Range<u64>) -> u64 {
        (window.end - window.start) / self.0
    }
}

/// Ranges of elements, each no larger than a binding and starting where bindings may.
pub(super) fn windows(elements: u64, caps: &Caps) -> Vec<Range<u64>> {
    let alignment = u64::from(caps.binding_alignment).max(16) / 4;
    let most = (caps.max_binding / 4 / alignment * alignment).max(alignment);
    let starts = (0..elements.div_ceil(most)).map(|i| i * most);
    starts.map(|start| start..(start + most).min(elements)).collect()
}

/// Workgroups that share the reduction of one window, at most: enough to fill a GPU, few enough for one more workgroup to
/// join.
const MOST_SHARES: u64 = 256;
/// Elements below which another workgroup is not worth its partial result.
const LEAST_SHARE: u64 = 4096;

/// Workgroups that reduce a window of elements.
pub(super) fn shares(window: &Range<u64>) -> u64 {
    (window.end - window.start).div_ceil(LEAST_SHARE).min(MOST_SHARES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_all_and_fit() {
        let caps = Caps { max_binding: 1 << 20, ..Caps::default() };
        let all = windows(1_000_001, &caps);
        assert_eq!((all[0].start, all.last().unwrap().end), (0, 1_000_001));
        assert!(all.windows(2).all(|pair| pair[0].end == pair[1].start && pair[1].start % 64 == 0));
        assert!(all.iter().all(|window| (window.end - window.start) * 4 <= caps.max_binding));
        assert_eq!(windows(7, &caps), vec![0..7]);
    }
}
