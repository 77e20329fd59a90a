//! What a tensor is for, and whose work a step is.

use crate::graph::builder::{NodeId, ParamId, ValueId};

/// What a tensor is for. A role names one tensor of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Input(ValueId),
    Activation(ValueId),
    Aux(NodeId),
    Gradient(ValueId),
    Param(ParamId),
    ParamGradient(ParamId),
    State(ParamId, usize),
    /// What loss scaling keeps from step to step.
    Scaling,
    /// (lowering, index within it)
    Scratch(usize, usize),
}

/// Whose work a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Node(NodeId),
    Param(ParamId),
    /// All parameters that train, in the order of their gradients.
    Trained,
}
