//! Words of a step's parameter block: sizes, factors, and values that are known only when the step runs.

use crate::ops::operand::Operand;

/// One word of the parameter block `p`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Word {
    U32(u32),
    F32(f32),
    /// 1 where the planner wants the gradient added to what is there, else 0.
    Accumulate(Operand),
    /// Known only when the step runs.
    Live(Live),
    /// 1 - bᵗ, where t counts optimizer steps from 1; from f64, because 1 - 0.999 from f32 has five digits.
    Rest(f64),
    /// A live f32 times a factor.
    Scaled(Live, f32),
}

/// Values that change from step to step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Live {
    Seed,
    /// Number of the optimizer step, from 0.
    Iteration,
    /// Index of this micro-batch's first sample within the whole batch.
    FirstSample,
    /// 1 / samples in the whole batch.
    LossScale,
    LearningRate,
}

/// The current [`Live`] values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Now {
    pub seed: u32,
    pub iteration: u32,
    pub first_sample: u32,
    pub loss_scale: f32,
    pub learning_rate: f32,
}

impl Word {
    /// What the kernel reads now; `accumulate` answers for a gradient destination.
    pub(super) fn bits(self, now: &Now, accumulate: impl Fn(Operand) -> bool) -> u32 {
        match self {
            Word::U32(value) => value,
            Word::F32(value) => value.to_bits(),
            Word::Accumulate(operand) => u32::from(accumulate(operand)),
            Word::Live(live) => now.word(live),
            Word::Rest(b) => ((1.0 - b.powf(f64::from(now.iteration) + 1.0)) as f32).to_bits(),
            Word::Scaled(live, factor) => (f32::from_bits(now.word(live)) * factor).to_bits(),
        }
    }
}

impl Now {
    pub fn word(&self, live: Live) -> u32 {
        match live {
            Live::Seed => self.seed,
            Live::Iteration => self.iteration,
            Live::FirstSample => self.first_sample,
            Live::LossScale => self.loss_scale.to_bits(),
            Live::LearningRate => self.learning_rate.to_bits(),
        }
    }
}
