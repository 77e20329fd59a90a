//! Update rules: how a gradient changes a parameter. Lowered like ops, one Rust file and one WGSL file each.

pub mod adam;
pub mod choice;
pub mod clip;
mod flat;
pub mod rmsprop;
pub mod sgd;
pub mod trial;

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::gpu::Caps;
use crate::ops::{Array, Lowered, Now};
use crate::shape::Shape;

/// An update rule. Its steps read [`crate::ops::Operand::DParam`] 0 and update `Param` 0 and `State` 0, 1, ... in place.
pub trait Rule: fmt::Debug + Send + Sync {
    /// The rule's name, which is the stem of its files.
    fn name(&self) -> &'static str;

    /// Number of state tensors per parameter, each of the parameter's shape, zero at the start.
    fn states(&self) -> usize;

    /// Steps that update one parameter of `shape`, in windows where it is larger than a binding.
    fn lower(&self, shape: Shape, caps: &Caps) -> Lowered;

    /// One update in plain loops: the specification.
    fn reference(&self, w: &mut Array, d_w: &Array, states: &mut [Array], now: &Now);
}

pub use adam::Adam;
pub use choice::Optimizer;
pub use rmsprop::RmsProp;
pub use sgd::Sgd;

/// What every rule does before its own formula: clip the gradient, then decay the weights.
///
/// Source of the order: Keras `BaseOptimizer.apply`.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Common {
    /// Decoupled: `w -= w * weight_decay * learning rate`.
    pub weight_decay: f32,
    /// Each element of the gradient stays within plus and minus this.
    pub clip_value: Option<f32>,
}

impl Common {
    /// # Errors
    /// A decay below 0, or clipping at 0 or less.
    pub fn check(&self) -> Result<()> {
        let decays = self.weight_decay >= 0.0 && self.weight_decay.is_finite();
        if decays && self.clip_value.is_none_or(|limit| limit > 0.0) {
            return Ok(());
        }
        Err(Error::Usage(format!(
            "weight decay {} and clip value {:?}: expected 0 or more, and more than 0",
            self.weight_decay, self.clip_value
        )))
    }

    /// The gradient's element after clipping, and the weight after its decay.
    fn prepared(&self, w: f64, d_w: f64, now: &Now) -> (f64, f64) {
        let limit = self.clip_value.map_or(f64::INFINITY, f64::from);
        let decay = f64::from(self.weight_decay) * f64::from(now.learning_rate);
        (d_w.max(-limit).min(limit), w - w * decay)
    }
}

/// Rules are shared between programs.
pub type RuleRef = Arc<dyn Rule>;

/// Every form of every rule: one table for tests and benches.
pub fn cases() -> Vec<RuleRef> {
    let (plain, strict) = (Common::default(), Common { weight_decay: 0.01, clip_value: Some(0.5) });
    let sgd = |momentum, nesterov, common| Arc::new(Sgd { momentum, nesterov, common }) as RuleRef;
    let rmsprop = |momentum, centered, common| {
        Arc::new(RmsProp { momentum, centered, common, ..RmsProp::default() }) as RuleRef
    };
    vec![
        sgd(0.0, false, plain),
        sgd(0.0, false, strict),
        sgd(0.9, false, plain),
        sgd(0.9, true, strict),
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
        assert!(Common { weight_decay: 0.1, clip_value: Some(1.0) }.check().is_ok());
        assert!(Common { weight_decay: -0.1, clip_value: None }.check().is_err());
        assert!(Common { weight_decay: 0.0, clip_value: Some(0.0) }.check().is_err());
        assert!(Common { weight_decay: f32::NAN, clip_value: None }.check().is_err());
    }
}
