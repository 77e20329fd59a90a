//! The options that say what is trained on what: shared by the subcommands that train.

use std::path::{Path, PathBuf};

use super::batch::Batch;
use super::loss::LossArgs;
use super::model::ModelArgs;
use super::optimizer::OptimizerArgs;
use super::precision::PrecisionArgs;
use super::weights::{WeightsArgs, compare};
use crate::cli::shared::Shared;
use crate::data::folder;
use crate::data::resize::Filter;
use crate::error::{Error, Result};
use crate::nn::Architecture;
use crate::train::features::file::FeatureFile;
use crate::train::pretrained::Pretrained;
use crate::train::pretrained::Start;
use crate::train::run::{Data, DataSettings};
use crate::train::{Checkpoint, Run};

/// Data, model, first weights and update rule.
#[derive(Clone, Debug, clap::Args)]
pub struct SetupArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub weights: WeightsArgs,
    /// Begin with the architecture, classes and weights of a checkpoint, or of a whole Keras model
    #[arg(long, value_name = "CHECKPOINT", conflicts_with = "weights")]
    pub from: Option<PathBuf>,
    #[command(flatten)]
    pub optimizer: OptimizerArgs,
    #[command(flatten)]
    pub loss: LossArgs,
    #[command(flatten)]
    pub precision: PrecisionArgs,
    /// Images per step; what does not fit at once runs in parts, whose gradients add up to the same update. Or auto: as
    /// many as fit at once, 32 at most
    #[arg(long, default_value = "16")]
    pub batch: Batch,
    /// Seed of initial values, order, dropout and split
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Share of each class that validates, where DATA has no val folder [default: 0.2]
    #[arg(long)]
    pub val_fraction: Option<f64>,
    /// Use at most this many images to train on, and as many to validate
    #[arg(long, value_name = "N")]
    pub limit_images: Option<usize>,
    /// bilinear (anti-aliased), or nearest as Keras' flow_from_directory does [default: bilinear]
    #[arg(long)]
    pub resize: Option<Filter>,
    /// Stop at the first unreadable image instead of skipping it
    #[arg(long)]
    pub strict: bool,
}

impl SetupArgs {
    /// A run with these settings and Keras' defaults for all else, and its images.
    ///
    /// # Errors
    /// An option that makes no sense, data that cannot be trained on, or weights that are not there.
    pub fn run(&self, data: &Path, shared: &Shared) -> Result<(Run, Data)> {
        self.optimizer.check()?;
        let (settings, data) = self.data(data)?;
        let (start, architecture, counts) = match &data {
            Data::Features(file) => self.on_features(file, shared)?,
            Data::Images(images) => {
                images.warnings.iter().for_each(|warning| shared.say(format_args!("warning   {warning}")));
                let start = self.start()?;
                let architecture = self.architecture(&start, &settings.classes, shared)?;
                (start, architecture, images.train.class_counts(settings.classes.len()))
            }
        };
        self.model.freeze()?.count(&architecture)?;
        let run = Run {
            start,
            initial: self.weights.init,
            label_smoothing: self.loss.label_smoothing,
            weighting: self.loss.weighting(&settings.classes, &counts)?,
            optimizer: self.optimizer.rule()?,
            batch: self.batch.most(),
            precision: self.precision.precision,
            seed: self.seed,
            ..Run::new(settings, architecture)
        };
        Ok((run, data))
    }

    /// First weights and architecture of a head on `file`, and how many of its rows of each class train.
    fn on_features(&self, file: &FeatureFile, shared: &Shared) -> Result<(Start, Architecture, Vec<usize>)> {
        let origin = &file.origin;
        self.agrees_with(file)?;
        let (made, trains) = (origin.precision, self.precision.precision);
        if made != trains {
            let (made, trains) = (made.name(), trains.name());
            shared.say(format_args!(
                "warning   these features were made in {made} and the head trains in {trains}: a whole pass in either will \
                 differ a little from what it trained on"
            ));
        }
        let head = self.model.head(origin.pool(self.model.pool), file.classes().len())?;
        Ok((origin.start()?, origin.with_head(head), file.class_counts()))
    }

    /// # Errors
    /// An option about images or the base that says otherwise than what made the features.
    fn agrees_with(&self, file: &FeatureFile) -> Result<()> {
        let made = &file.origin.architecture;
        let otherwise = [
            ("--preprocessing", self.model.preprocessing.is_some_and(|how| how != made.preprocessing)),
            ("--weights", self.weights.weights.is_some()),
            ("--from", self.from.is_some()),
            ("--resize", self.resize.is_some()),
            ("--val-fraction", self.val_fraction.is_some()),
        ];
        let mut given = self.model.against(made);
        given.extend(otherwise.into_iter().filter_map(|(name, given)| given.then_some(name)));
        if given.is_empty() {
            return Ok(());
        }
        Err(Error::Usage(format!(
            "{}: these features are of {}, and nothing can change that now; leave it out, or write others with \
             'frostline features'",
            given.join(", "),
            described(made)
        )))
    }

    fn data(&self, path: &Path) -> Result<(DataSettings, Data)> {
        let options = folder::Options {
            val_fraction: self.val_fraction.unwrap_or(0.2),
            seed: self.seed,
            strict: self.strict,
        };
        let (settings, data) = DataSettings::open(path, &options, self.limit_images)?;
        Ok((DataSettings { resize: self.resize.unwrap_or_default(), ..settings }, data))
    }

    fn start(&self) -> Result<Start> {
        let absolute = |path: &Path| path.canonicalize().map_err(Error::io("find", path));
        if let Some(path) = &self.from {
            return absolute(path).map(Start::Checkpoint);
        }
        match self.weights.resolve(self.model.name())? {
            Some(found) => Ok(Start::Weights(Pretrained { path: absolute(&found.path)?, ..found })),
            None => Ok(Start::Random),
        }
    }

    fn architecture(&self, start: &Start, classes: &[String], shared: &Shared) -> Result<Architecture> {
        let path = match start {
            Start::Random => return self.model.architecture(classes.len(), None),
            Start::Weights(found) => return self.model.architecture(classes.len(), Some(found)),
            Start::Checkpoint(path) => path,
        };
        let (checkpoint, _) = Checkpoint::open(path)?;
        let given = self.model.against(&checkpoint.architecture);
        if !given.is_empty() {
            return Err(Error::Usage(format!(
                "{}: --from goes on with {}; leave it out, or take nothing but weights with --weights",
                given.join(", "),
                described(&checkpoint.architecture)
            )));
        }
        if checkpoint.classes.is_empty() {
            checkpoint.network()?.check_classes(classes.len())?;
        }
        if checkpoint.classes.is_empty() || checkpoint.classes == classes {
            let stored = checkpoint.architecture;
            let preprocessing = self.model.preprocessing.unwrap_or(stored.preprocessing);
            compare(shared, "the model of --from expects", stored.preprocessing, preprocessing);
            return Ok(Architecture { preprocessing, ..stored });
        }
        let (theirs, ours) = (checkpoint.classes.join(", "), classes.join(", "));
        Err(Error::weights(path, format!("knows the classes {theirs}, but the data has {ours}")))
    }
}

/// A base that is there already, in words.
fn described(made: &Architecture) -> String {
    let [h, w] = made.input;
    let last = made.layers[..made.base].last().map(|layer| format!(" up to {}", layer.name));
    format!("{} at {h}x{w}{}", made.model, last.unwrap_or_default())
}
