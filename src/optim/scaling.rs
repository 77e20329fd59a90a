//! Dynamic loss scaling: what keeps small gradients of half precision from becoming zero, and large ones from hurting.

use std::ops::Range;

use crate::gpu::{Caps, Kernel};
use crate::ops::pieces::{GROUP_SUM, INDEX, INDEX_OF_STEPS_THAT_COUNT};
use crate::ops::step::flat_grid;
use crate::ops::{Array, Lowered, Operand, Part, Step, Word};
use crate::optim::Rule;
use crate::optim::flat::{shares, windows};
use crate::shape::Shape;

const SOURCE: &str = include_str!("../../shaders/scaling.wgsl");

/// The loss's gradient is multiplied by a factor, which the gradients of parameters are divided by. A step in which one of
/// them is not finite changes neither weights nor the rule's states and halves the factor; `interval` steps without one
/// double it. All of it is decided on the device, so that no step waits for the host.
///
/// A step that does not count is still a step of the learning rate's schedule and of Adam's corrections, and an average of
/// the weights takes the unchanged weights in once more.
///
/// Source: Micikevicius et al. 2018, section 3.2; Keras `LossScaleOptimizer`; the largest factor is apex's.
#[derive(Clone, Copy, Debug)]
pub struct Scaling {
    pub initial: f32,
    pub largest: f32,
    /// Steps, at least 1.
    pub interval: u32,
}

impl Default for Scaling {
    fn default() -> Scaling {
        Scaling { initial: 32_768.0, largest: 16_777_216.0, interval: 2000 }
    }
}

/// Numbers that stay from step to step: the factor (0 before the first step), steps since it changed, whether the latest
/// step counts, and 1 / its factor.
pub const NUMBERS: usize = 4;

impl Scaling {
    /// Multiplies the gradient that a loss gives to its first input, of `shape`.
    pub fn scale(&self, shape: Shape, caps: &Caps) -> Step {
        self.step("scale")
            .update("d", Operand::DX(0))
            .read("scaling", Operand::Scaling)
            .sizes(&[shape.numel() as usize, 0])
            .words(self.settings())
            .groups(flat_grid(shape.numel(), caps.max_groups))
            .flops(shape.numel())
    }

    /// Looks through `DParam` 0, 1, ... of these shapes, decides whether the step counts, and divides them.
    pub fn unscale(&self, shapes: &[Shape], caps: &Caps) -> Lowered {
        let of = |(tensor, shape): (usize, &Shape)| {
            windows(shape.numel(), caps).into_iter().map(move |w| (tensor, w))
        };
        let windows: Vec<(usize, Range<u64>)> = shapes.iter().enumerate().flat_map(of).collect();
        let parts: u64 = windows.iter().map(|(_, window)| shares(window)).sum();
        let mut out = Lowered::default();
        let partial = out.scratch(parts.max(1));
        let mut first = 0;
        for (tensor, window) in &windows {
            out.push(self.search(*tensor, window, partial, first));
            first += shares(window);
        }
        out.push(
            self.step("decide")
                .read("partials", partial)
                .update("decided", Operand::Scaling)
                .sizes(&[parts as usize, 0])
                .words(self.settings()),
        );
        for (tensor, window) in &windows {
            let count = window.end - window.start;
            out.push(
                self.step("unscale")
                    .update("d", Operand::DParam(*tensor))
                    .window(window.start * 4..window.end * 4)
                    .read("scaling", Operand::Scaling)
                    .sizes(&[count as usize, 0])
                    .words(self.settings())
                    .groups(flat_grid(count, caps.max_groups))
                    .flops(count),
            );
        }
        out
    }

    fn search(&self, tensor: usize, window: &Range<u64>, partial: Operand, first: u64) -> Step {
        let count = window.end - window.start;
        self.step("search")
            .read("d_w", Operand::DParam(tensor))
            .window(window.start * 4..window.end * 4)
            // Update, not Write: each tensor fills its own share of the partial results.
            .update("partial", partial)
            .sizes(&[count as usize, first as usize])
            .words(self.settings())
            .groups([shares(window) as u32, 1, 1])
            .flops(count)
    }

    fn step(&self, entry: &'static str) -> Step {
        Step::new(Kernel::new("scaling", SOURCE, entry).piece(INDEX).piece(GROUP_SUM), Part::Update)
    }

    fn settings(&self) -> [Word; 3] {
        [Word::F32(self.initial), Word::F32(self.largest), Word::U32(self.interval)]
    }

    /// What [`Scaling::unscale`] does, in plain loops: the specification. Gives whether the step counts.
    pub fn reference(&self, numbers: &mut [f64; NUMBERS], gradients: &mut [Array]) -> bool {
        let factor = if numbers[0] == 0.0 { f64::from(self.initial) } else { numbers[0] };
        let counts = gradients.iter().flat_map(|d_w| &d_w.data).all(|d| d.is_finite());
        let steps = numbers[1] + 1.0;
        let (next, steps) = match counts {
            false => ((0.5 * factor).max(1.0), 0.0),
            true if steps >= f64::from(self.interval) => ((2.0 * factor).min(f64::from(self.largest)), 0.0),
            true => (factor, steps),
        };
        *numbers = [next, steps, f64::from(u8::from(counts)), 1.0 / factor];
        gradients.iter_mut().flat_map(|d_w| &mut d_w.data).for_each(|d| *d /= factor);
        counts
    }
}

/// The steps of an update, where those of the rule itself do nothing in a step that does not count.
pub fn only_if_it_counts(rule: &dyn Rule, update: Lowered) -> Lowered {
    let guarded = |step: Step| match step.kernel.file == rule.name() {
        true => step.exchanged(INDEX, INDEX_OF_STEPS_THAT_COUNT).read("decided", Operand::Scaling),
        false => step,
    };
    Lowered { steps: update.steps.into_iter().map(guarded).collect(), ..update }
}
