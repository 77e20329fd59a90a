//! The options that say how gradients change the weights.

use std::sync::Arc;

use crate::error::{Error, Result, unknown};
use crate::optim::{Adam, Common, RmsProp, RuleRef, Sgd};

/// The update rule and its settings.
#[derive(Clone, Debug, clap::Args)]
pub struct OptimizerArgs {
    /// Learning rate
    #[arg(long, default_value_t = 0.001)]
    pub lr: f32,
    /// sgd, adam or rmsprop, with Keras' settings; adam with --weight-decay is AdamW
    #[arg(long, default_value = "sgd")]
    pub optimizer: String,
    /// Momentum of SGD
    #[arg(long, default_value_t = 0.9)]
    pub momentum: f32,
    /// Nesterov's form of momentum
    #[arg(long)]
    pub nesterov: bool,
    /// Decoupled: each step takes this share, times the learning rate, off each weight
    #[arg(long, default_value_t = 0.0)]
    pub weight_decay: f32,
}

impl OptimizerArgs {
    /// # Errors
    /// An unknown rule, or a setting that makes no sense.
    pub fn check(&self) -> Result<()> {
        self.rule()?;
        match self.lr.is_finite() && self.lr > 0.0 {
            true => Ok(()),
            false => Err(Error::Usage(format!("--lr {} is not a positive number; try 0.001", self.lr))),
        }
    }

    /// # Errors
    /// An unknown rule, or a setting that makes no sense.
    pub fn rule(&self) -> Result<RuleRef> {
        let common = Common { weight_decay: self.weight_decay, ..Common::default() };
        common.check()?;
        Ok(match self.optimizer.as_str() {
            "sgd" => Arc::new(Sgd { momentum: self.momentum, nesterov: self.nesterov, common }),
            "adam" => Arc::new(Adam { common, ..Adam::default() }),
            "rmsprop" => Arc::new(RmsProp { common, ..RmsProp::default() }),
            other => return Err(unknown("optimizer", other, &["sgd", "adam", "rmsprop"])),
        })
    }
}
