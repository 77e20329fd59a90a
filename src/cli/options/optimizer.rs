//! The options that say how gradients change the weights.

use crate::error::{Error, Result, unknown};
use crate::optim::{Adam, Clip, Common, Ema, Optimizer, RmsProp, Sgd};

/// The update rule and its settings.
#[derive(Clone, Debug, clap::Args)]
pub struct OptimizerArgs {
    /// Learning rate
    #[arg(long, default_value_t = 0.001)]
    pub lr: f32,
    /// sgd, adam or rmsprop, with Keras' settings; adam with --weight-decay is AdamW
    #[arg(long, default_value = "sgd")]
    pub optimizer: String,
    /// Momentum [default: 0.9 for sgd, 0 for rmsprop]
    #[arg(long)]
    pub momentum: Option<f32>,
    /// Nesterov's form of momentum
    #[arg(long)]
    pub nesterov: bool,
    /// Decoupled: each step takes this share, times the learning rate, off each weight
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    pub weight_decay: f32,
    /// Keras 2's decay: step t takes lr / (1 + DECAY * t)
    #[arg(long, value_name = "DECAY", default_value_t = 0.0)]
    pub lr_decay: f32,
    /// RMSprop divides by the deviation of the gradient, not by its root mean square
    #[arg(long)]
    pub centered: bool,
    /// Keep each element of a gradient within plus and minus this
    #[arg(long, value_name = "LIMIT", conflicts_with_all = ["clip_norm", "global_clip_norm"])]
    pub clip_value: Option<f32>,
    /// Keep the norm of each parameter's gradient at most this
    #[arg(long, value_name = "LIMIT", conflicts_with = "global_clip_norm")]
    pub clip_norm: Option<f32>,
    /// Keep the joint norm of all gradients at most this
    #[arg(long, value_name = "LIMIT")]
    pub global_clip_norm: Option<f32>,
    /// Average the weights with this momentum, such as 0.99; the run ends with the average
    #[arg(long, value_name = "MOMENTUM")]
    pub ema: Option<f64>,
    /// Let the average overwrite the weights every so many steps
    #[arg(long, value_name = "STEPS", requires = "ema")]
    pub ema_overwrite: Option<u32>,
}

impl OptimizerArgs {
    /// # Errors
    /// An unknown rule, or a setting that makes no sense.
    pub fn check(&self) -> Result<()> {
        self.rule()?;
        if let Some(momentum) = self.momentum.filter(|momentum| !(0.0..1.0).contains(momentum)) {
            return Err(Error::Usage(format!(
                "--momentum {momentum} is outside of 0 to 1 (1 excluded); try 0.9"
            )));
        }
        match self.lr.is_finite() && self.lr > 0.0 {
            true => Ok(()),
            false => Err(Error::Usage(format!("--lr {} is not a positive number; try 0.001", self.lr))),
        }
    }

    /// # Errors
    /// An unknown rule, or a setting that makes no sense.
    pub fn rule(&self) -> Result<Optimizer> {
        let common = self.common();
        common.check()?;
        Ok(match self.optimizer.as_str() {
            "sgd" => {
                let momentum = self.momentum.unwrap_or(0.9);
                Optimizer::Sgd(Sgd { momentum, nesterov: self.nesterov, common })
            }
            "adam" => Optimizer::Adam(Adam { common, ..Adam::default() }),
            "rmsprop" => {
                let momentum = self.momentum.unwrap_or(0.0);
                Optimizer::RmsProp(RmsProp {
                    momentum,
                    centered: self.centered,
                    common,
                    ..RmsProp::default()
                })
            }
            other => return Err(unknown("optimizer", other, &["sgd", "adam", "rmsprop"])),
        })
    }

    fn common(&self) -> Common {
        let clips = [
            self.clip_value.map(Clip::Value),
            self.clip_norm.map(Clip::Norm),
            self.global_clip_norm.map(Clip::GlobalNorm),
        ];
        Common {
            weight_decay: self.weight_decay,
            clip: clips.into_iter().flatten().next(),
            average: self.ema.map(|momentum| Ema { momentum, overwrite: self.ema_overwrite }),
            decay: self.lr_decay,
        }
    }
}
