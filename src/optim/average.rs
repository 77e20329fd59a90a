//! A running average of the weights, kept beside them: steps that run after the rule's.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::gpu::{Caps, Kernel};
use crate::ops::pieces::INDEX;
use crate::ops::step::flat_grid;
use crate::ops::{Array, Live, Lowered, Now, Operand, Part, Step, Word};
use crate::optim::flat::{Width, windows};
use crate::shape::Shape;

const SOURCE: &str = include_str!("../../shaders/average.wgsl");

/// The state that holds the average, as Keras calls it.
pub const SLOT: &str = "average";

/// `average = m average + (1 - m) w`, which starts as the weights after the first step. Every `overwrite` steps the
/// weights become their average; `None` leaves that to the end of the run.
///
/// Source: Keras `use_ema`, `ema_momentum`, `ema_overwrite_frequency`; Polyak and Juditsky 1992.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Ema {
    /// In f64, because 1 - m from f32 loses digits.
    pub momentum: f64,
    pub overwrite: Option<u32>,
}

impl Ema {
    /// # Errors
    /// A momentum outside of 0 to 1, or overwriting every 0 steps.
    pub fn check(self) -> Result<()> {
        match (0.0..=1.0).contains(&self.momentum) && self.overwrite != Some(0) {
            true => Ok(()),
            false => Err(Error::Usage(format!(
                "an average with momentum {} that overwrites every {} steps: expected 0 to 1, and at least 1",
                self.momentum,
                self.overwrite.unwrap_or(1)
            ))),
        }
    }

    /// Steps that update `State(state)` from `Param(0)`.
    pub fn lower(self, state: usize, shape: Shape, caps: &Caps) -> Lowered {
        let width = Width::of(shape);
        let windows = windows(shape.numel(), caps).into_iter();
        let steps = windows.map(|window| self.step(state, window, width, caps)).collect();
        Lowered { steps, scratch: Vec::new() }
    }

    fn step(self, state: usize, window: Range<u64>, width: Width, caps: &Caps) -> Step {
        let kernel = Kernel::new("average", SOURCE, "update").piece(INDEX).piece(width.piece());
        let bytes = window.start * 4..window.end * 4;
        let values = width.values(&window);
        Step::new(kernel, Part::Update)
            .update("w", Operand::Param(0))
            .window(bytes.clone())
            .update("average", Operand::State(state))
            .window(bytes)
            .sizes(&[values as usize, self.overwrite.unwrap_or(0) as usize])
            .word(Word::F32(self.momentum as f32))
            .word(Word::F32((1.0 - self.momentum) as f32))
            .word(Word::Live(Live::Iteration))
            .groups(flat_grid(values, caps.max_groups))
            .flops(3 * (window.end - window.start))
    }

    /// The same in plain loops: the specification.
    pub fn reference(self, w: &mut Array, average: &mut Array, now: &Now) {
        let momentum = if now.iteration == 0 { 0.0 } else { self.momentum };
        let overwrites = self.overwrite.is_some_and(|every| (now.iteration + 1).is_multiple_of(every));
        for (w, average) in w.data.iter_mut().zip(&mut average.data) {
            *average = momentum * *average + (1.0 - momentum) * *w;
            if overwrites {
                *w = *average;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_as_the_weights_and_overwrites_them_when_told() {
        let one = |value: f64| Array::new(Shape::new(&[1]), vec![value]);
        let ema = Ema { momentum: 0.5, overwrite: Some(2) };
        let (mut w, mut average) = (one(4.0), one(0.0));
        ema.reference(&mut w, &mut average, &Now::default());
        assert_eq!((w.data[0], average.data[0]), (4.0, 4.0));
        w = one(8.0);
        ema.reference(&mut w, &mut average, &Now { iteration: 1, ..Now::default() });
        assert_eq!((w.data[0], average.data[0]), (6.0, 6.0));
    }
}
