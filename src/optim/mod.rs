//! Update rules: how a gradient changes a parameter. Lowered like ops, one Rust file and one WGSL file each.

mod flat;
pub mod sgd;

use std::fmt;
use std::sync::Arc;

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

pub use sgd::Sgd;

/// What every rule does before its own formula: clip the gradient, then decay the weights.
///
/// Source of the order: Keras `BaseOptimizer.apply`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Common {
    /// Decoupled: `w -= w * weight_decay * learning rate`.
    pub weight_decay: f32,
    /// Each element of the gradient stays within plus and minus this.
    pub clip_value: Option<f32>,
}

impl Common {
    /// The gradient's element after clipping, and the weight after its decay.
    fn prepared(&self, w: f64, d_w: f64, now: &Now) -> (f64, f64) {
        let limit = self.clip_value.map_or(f64::INFINITY, f64::from);
        let decay = f64::from(self.weight_decay) * f64::from(now.learning_rate);
        (d_w.max(-limit).min(limit), w - w * decay)
    }
}

/// Rules are shared between programs.
pub type RuleRef = Arc<dyn Rule>;
