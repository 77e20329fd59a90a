//! What a plan is asked for.

use crate::graph::choices::Choices;
use crate::graph::role::Role;
use crate::ops::Precision;
use crate::optim::RuleRef;

/// What to plan for.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Samples that one pass holds: the whole batch, or a micro-batch of it.
    pub batch: usize,
    /// Forward, backward and update; otherwise forward only.
    pub training: bool,
    pub rule: Option<RuleRef>,
    /// Gradients accumulate over several passes before the update.
    pub updates_at_end: bool,
    /// Results that must survive the pass.
    pub outputs: Vec<Role>,
    /// What activations and their gradients are stored as.
    pub precision: Precision,
    /// Rungs to use instead of the ops' defaults.
    pub choices: Choices,
}
