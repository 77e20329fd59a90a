//! The options that say how long and how fast a run trains, and when it stops.

use crate::error::{Error, Result};
use crate::nn::{Architecture, Freeze};
use crate::train::schedule::stages;
use crate::train::{Curve, EarlyStopping, Monitor, Plateau, Run, Schedule, Stage};

/// Lengths, rates and callbacks.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Fitting")]
pub struct FittingArgs {
    /// Passes over the training images
    #[arg(long, default_value_t = 10)]
    pub epochs: usize,
    /// Unfreeze in stages, as in head:5,block5:10@0.0001,all:20: what trains, epochs, and the rate if not --lr
    #[arg(long, value_name = "PART:EPOCHS[@RATE],...")]
    pub stages: Option<String>,
    /// How the rate moves over a stage: constant, step:EPOCHS:FACTOR, exponential:FACTOR, cosine or cosine:FLOOR, one-cycle
    #[arg(long, default_value = "constant")]
    pub schedule: String,
    /// Epochs in which the rate climbs to its full value
    #[arg(long, default_value_t = 0.0)]
    pub warm_up: f64,
    /// Each block of the base takes this share of the rate of the block above it
    #[arg(long, default_value_t = 1.0)]
    pub block_factor: f32,
    /// Figure that says which epoch is the best: val_acc, val_loss, acc or loss
    #[arg(long, default_value = "val_acc")]
    pub monitor: String,
    /// Stop after this many epochs in a row without a better --monitor
    #[arg(long, value_name = "EPOCHS")]
    pub patience: Option<usize>,
    /// What counts as better for --patience
    #[arg(long, default_value_t = 0.0)]
    pub min_delta: f64,
    /// Multiply the rate by --plateau-factor after this many epochs in a row without a lower val_loss
    #[arg(long, value_name = "EPOCHS")]
    pub plateau: Option<usize>,
    #[arg(long, default_value_t = 0.1)]
    pub plateau_factor: f32,
}

impl FittingArgs {
    /// Writes these options into a run; `freeze` and `rate` are for the only stage where there are no others.
    ///
    /// # Errors
    /// A setting that makes no sense.
    pub fn apply(&self, run: &mut Run, freeze: Freeze, rate: f32) -> Result<()> {
        self.check()?;
        run.stages = self.stages(&run.architecture, freeze, rate)?;
        run.schedule = Schedule { curve: self.schedule.parse::<Curve>()?, warm_up: self.warm_up };
        run.schedule.check()?;
        run.block_factor = self.block_factor;
        run.monitor = self.monitor.parse()?;
        run.stopping = self.patience.map(|patience| EarlyStopping {
            min_delta: self.min_delta,
            ..EarlyStopping::new(run.monitor, patience)
        });
        run.plateau = self.plateau.map(|patience| Plateau {
            patience,
            factor: self.plateau_factor,
            ..Plateau::default()
        });
        Ok(())
    }

    /// # Errors
    /// A setting that makes no sense, as far as that shows without data and model.
    pub fn check(&self) -> Result<()> {
        if self.epochs == 0 {
            return Err(Error::Usage("--epochs takes at least 1".into()));
        }
        let share = |name: &str, value: f32| match value > 0.0 && value <= 1.0 {
            true => Ok(()),
            false => Err(Error::Usage(format!(
                "--{name} {value}: give a share above 0 and at most 1, such as 0.5"
            ))),
        };
        share("block-factor", self.block_factor)?;
        share("plateau-factor", self.plateau_factor)?;
        self.monitor.parse::<Monitor>()?;
        self.schedule.parse::<Curve>().map(drop)
    }

    fn stages(&self, architecture: &Architecture, freeze: Freeze, rate: f32) -> Result<Vec<Stage>> {
        match &self.stages {
            Some(text) => stages::parse(text, architecture, rate),
            None => Ok(vec![Stage { freeze, epochs: self.epochs, rate }]),
        }
    }
}
