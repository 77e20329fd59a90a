//! Update rules: how a gradient changes a parameter. Lowered like ops, one Rust file and one WGSL file each.

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

/// Rules are shared between programs.
pub type RuleRef = Arc<dyn Rule>;
