//! Update rules: how a gradient changes a parameter. Lowered like ops, one Rust file and one WGSL file each.

pub mod adam;
pub mod average;
pub mod choice;
pub mod clip;
mod flat;
pub mod keras;
pub mod rmsprop;
pub mod scaling;
pub mod sgd;
pub mod trial;

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::gpu::Caps;
use crate::ops::{Array, Lowered, Now};
use crate::shape::Shape;

/// An update rule. Its steps read [`crate::ops::Operand::DParam`] 0 and update `Param` 0 and `State` 0, 1, ... in place.
pub trait Rule: fmt::Debug + Send + Sync {
    /// The rule's name, which is the stem of its files.
    fn name(&self) -> &'static str;

    /// What happens around the rule's own formula.
    fn common(&self) -> &Common;

    /// Keras' name for the rule and its own settings: `{"class_name": "SGD", "config": {"momentum": 0.9, ...}}`.
    fn keras(&self) -> Value;

    /// The state tensors per parameter under Keras' names, each of the parameter's shape, zero at the start.
    fn slots(&self) -> Vec<&'static str>;

    /// Number of the rule's own state tensors.
    fn states(&self) -> usize {
        self.slots().len()
    }

    /// Steps of the rule's own formula for one parameter of `shape`, in windows where it is larger than a binding.
    fn lower(&self, shape: Shape, caps: &Caps) -> Lowered;

    /// The same in plain loops: the specification.
    fn reference(&self, w: &mut Array, d_w: &Array, states: &mut [Array], now: &Now);
}

pub use adam::Adam;
pub use average::Ema;
pub use choice::Optimizer;
pub use clip::Clip;
pub use rmsprop::RmsProp;
pub use scaling::Scaling;
pub use sgd::Sgd;

/// What happens around every rule's own formula: the gradient is clipped, the weight decays, then the rule, then the
/// average.
///
/// Source of the order: Keras `BaseOptimizer.apply`.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Common {
    /// Decoupled: `w -= w * weight_decay * learning rate`.
    pub weight_decay: f32,
    pub clip: Option<Clip>,
    /// A running average of the weights, beside them.
    pub average: Option<Ema>,
    /// Step t, counted from 0, takes `learning rate / (1 + decay * t)`: the `decay` of Keras 2.
    pub decay: f32,
}

impl Common {
    /// # Errors
    /// A decay below 0, clipping at 0 or less, or an average whose momentum is outside of 0 to 1.
    pub fn check(&self) -> Result<()> {
        for (name, value) in [("weight decay", self.weight_decay), ("learning rate decay", self.decay)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::Usage(format!("a {name} of {value}: expected 0 or more")));
            }
        }
        if let Some(limit) = self.clip.map(Clip::limit).filter(|limit| !(*limit > 0.0 && limit.is_finite())) {
            return Err(Error::Usage(format!("clipping at {limit}: expected more than 0")));
        }
        self.average.map_or(Ok(()), |ema| ema.check())
    }

    /// The learning rate of one step, counted from 0.
    pub fn rate(&self, learning_rate: f32, iteration: u32) -> f32 {
        (f64::from(learning_rate) / (1.0 + f64::from(self.decay) * f64::from(iteration))) as f32
    }

    /// The gradient's element after clipping by value, and the weight after its decay.
    fn prepared(&self, w: f64, d_w: f64, now: &Now) -> (f64, f64) {
        let limit = self.value_limit().map_or(f64::INFINITY, f64::from);
        let decay = f64::from(self.weight_decay) * f64::from(now.learning_rate);
        (d_w.max(-limit).min(limit), w - w * decay)
    }

    fn value_limit(&self) -> Option<f32> {
        match self.clip {
            Some(Clip::Value(limit)) => Some(limit),
            _ => None,
        }
    }
}

/// Number of state tensors per parameter: the rule's, then the average where there is one.
pub fn states(rule: &dyn Rule) -> usize {
    rule.states() + usize::from(rule.common().average.is_some())
}

/// Steps that come before the first update, because they need every gradient: clipping by the joint norm.
pub fn before(rule: &dyn Rule, shapes: &[Shape], caps: &Caps) -> Lowered {
    match rule.common().clip {
        Some(Clip::GlobalNorm(limit)) => clip::by_norm(limit, shapes, caps),
        _ => Lowered::default(),
    }
}

/// Everything that one parameter of `shape` goes through: its own clipping, the rule, the average.
pub fn update(rule: &dyn Rule, shape: Shape, caps: &Caps) -> Lowered {
    let mut out = match rule.common().clip {
        Some(Clip::Norm(limit)) => clip::by_norm(limit, &[shape], caps),
        _ => Lowered::default(),
    };
    out.steps.extend(rule.lower(shape, caps).steps);
    if let Some(ema) = rule.common().average {
        out.steps.extend(ema.lower(rule.states(), shape, caps).steps);
    }
    out
}

/// One step of all parameters in plain loops: the specification of [`before`] and [`update`].
pub fn reference(rule: &dyn Rule, all: &mut [(&mut Array, Array, &mut [Array])], now: &Now) {
    match rule.common().clip {
        Some(Clip::GlobalNorm(limit)) => clip::reference(limit, all.iter_mut().map(|(_, d_w, _)| d_w)),
        Some(Clip::Norm(limit)) => all.iter_mut().for_each(|(_, d_w, _)| clip::reference(limit, [d_w])),
        Some(Clip::Value(_)) | None => {}
    }
    for (w, d_w, states) in all {
        let (own, average) = states.split_at_mut(rule.states());
        rule.reference(w, d_w, own, now);
        if let (Some(ema), [average]) = (rule.common().average, average) {
            ema.reference(w, average, now);
        }
    }
}

/// Rules are shared between programs.
pub type RuleRef = Arc<dyn Rule>;

/// Every form of every rule: one table for tests and benches.
pub fn cases() -> Vec<RuleRef> {
    let plain = Common::default();
    let strict = Common { weight_decay: 0.01, clip: Some(Clip::Value(0.5)), ..plain };
    let sgd = |momentum, nesterov, common| Arc::new(Sgd { momentum, nesterov, common }) as RuleRef;
    let rmsprop = |momentum, centered, common| {
        Arc::new(RmsProp { momentum, centered, common, ..RmsProp::default() }) as RuleRef
    };
    vec![
        sgd(0.0, false, plain),
        sgd(0.0, false, strict),
        sgd(0.9, false, plain),
        sgd(0.9, true, strict),
        sgd(0.9, false, Common { average: Some(Ema { momentum: 0.9, overwrite: Some(2) }), ..plain }),
        Arc::new(Adam::default()),
        Arc::new(Adam { common: strict, ..Adam::with_decay(0.004) }),
        rmsprop(0.0, false, plain),
        rmsprop(0.9, false, strict),
        rmsprop(0.0, true, plain),
        rmsprop(0.9, true, strict),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_without_sense_are_refused() {
        let refused = |common: Common| common.check().is_err();
        let plain = Common::default();
        assert!(!refused(Common { weight_decay: 0.1, clip: Some(Clip::Value(1.0)), ..plain }));
        assert!(refused(Common { weight_decay: -0.1, ..plain }));
        assert!(refused(Common { weight_decay: f32::NAN, ..plain }));
        assert!(refused(Common { clip: Some(Clip::GlobalNorm(0.0)), ..plain }));
        assert!(refused(Common { average: Some(Ema { momentum: 1.5, overwrite: None }), ..plain }));
    }

    #[test]
    fn the_decay_of_keras_2_divides_the_rate() {
        let common = Common { decay: 0.5, ..Common::default() };
        assert_eq!((common.rate(0.25, 0), common.rate(0.25, 2)), (0.25, 0.125));
    }

    /// Clipped to the norm 1, decayed by a half, moved, then averaged.
    #[test]
    fn the_order_is_clip_decay_update_average() {
        let common = Common {
            weight_decay: 1.0,
            clip: Some(Clip::Norm(1.0)),
            average: Some(Ema { momentum: 0.75, overwrite: None }),
            decay: 0.0,
        };
        let rule = Sgd { common, ..Sgd::default() };
        let pair = |a, b| Array::new(Shape::new(&[2]), vec![a, b]);
        let (mut w, mut states) = (pair(8.0, 8.0), [pair(0.0, 0.0)]);
        let now = Now { learning_rate: 0.5, iteration: 1, ..Now::default() };
        reference(&rule, &mut [(&mut w, pair(3.0, 4.0), &mut states)], &now);
        assert_eq!(w, pair(4.0 - 0.3, 4.0 - 0.4));
        assert_eq!(states[0], pair(0.25 * 3.7, 0.25 * 3.6));
    }
}
