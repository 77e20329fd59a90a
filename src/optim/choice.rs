//! An update rule as data: what a run writes down, and what builds the rule again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::optim::{Adam, RmsProp, RuleRef, Sgd};

/// A rule and its settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "lowercase")]
pub enum Optimizer {
    Sgd(Sgd),
    Adam(Adam),
    RmsProp(RmsProp),
}

impl Optimizer {
    pub fn rule(&self) -> RuleRef {
        match *self {
            Optimizer::Sgd(rule) => Arc::new(rule),
            Optimizer::Adam(rule) => Arc::new(rule),
            Optimizer::RmsProp(rule) => Arc::new(rule),
        }
    }
}
