//! Tensors under the names that an op has for them.

use crate::ops::ParamSpec;

/// A tensor as an op names it; the plan turns it into a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// The i-th input.
    X(usize),
    /// The i-th parameter.
    Param(usize),
    Y,
    /// The auxiliary result that the forward pass leaves for the backward pass (or for metrics).
    Aux,
    /// Lives only within one lowering.
    Scratch(usize),
    DY,
    DX(usize),
    DParam(usize),
    /// Optimizer state.
    State(usize),
    /// What loss scaling keeps; see `optim/scaling.rs`.
    Scaling,
}

impl Operand {
    /// What prose and WGSL call it where these are the parameters: `x w b y`, with `d_` in front of a gradient.
    pub fn called(self, params: &[ParamSpec]) -> String {
        let param = |i: usize| match params.get(i).map(|spec| spec.name) {
            None | Some("kernel") => "w",
            Some("bias") => "b",
            Some(other) => other,
        };
        match self {
            Operand::X(_) => "x".to_owned(),
            Operand::Param(i) => param(i).to_owned(),
            Operand::Y => "y".to_owned(),
            Operand::Aux => "aux".to_owned(),
            Operand::Scratch(i) => format!("scratch {i}"),
            Operand::DY => "d_y".to_owned(),
            Operand::DX(_) => "d_x".to_owned(),
            Operand::DParam(i) => format!("d_{}", param(i)),
            Operand::State(i) => format!("state {i}"),
            Operand::Scaling => "loss scale".to_owned(),
        }
    }
}
