//! `frostline train`: a folder of images in, a checkpoint out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Shared;
use super::loss::LossArgs;
use super::model::ModelArgs;
use super::optimizer::OptimizerArgs;
use super::progress::{Watch, bar};
use super::run_folder::{self, BEST, LAST};
use super::weights::{self, WeightsArgs};
use crate::data::batches::{Loader, Options};
use crate::data::folder::{self, Dataset};
use crate::data::split::Split;
use crate::error::{Error, Result};
use crate::graph::Store;
use crate::nn::Network;
use crate::nn::init::Random;
use crate::train::pretrained::{Pretrained, initialise};
use crate::train::transfer::{Staged, stage};
use crate::train::{Checkpoint, EpochRow, Fit, History, ImageSamples, interrupt};
use crate::weights::import::Report;

/// Example: frostline train examples/clipart8 --weights weights/vgg16_imagenet_notop.f16.safetensors --input 96
#[derive(Debug, clap::Args)]
pub struct Args {
    /// DATA/train/CLASS/* with DATA/val/CLASS/*, or DATA/CLASS/*
    pub data: PathBuf,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub weights: WeightsArgs,
    /// Go on from a checkpoint or a whole Keras model: its architecture, classes and weights
    #[arg(long, value_name = "CHECKPOINT", conflicts_with = "weights")]
    pub from: Option<PathBuf>,
    /// Passes over the training images
    #[arg(long, default_value_t = 10)]
    pub epochs: usize,
    /// Images per step
    #[arg(long, default_value_t = 16)]
    pub batch: usize,
    #[command(flatten)]
    pub optimizer: OptimizerArgs,
    #[command(flatten)]
    pub loss: LossArgs,
    /// Seed of initial values, order, dropout and split
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Share of each class that validates, where DATA has no val folder
    #[arg(long, default_value_t = 0.2)]
    pub val_fraction: f64,
    /// Stop at the first unreadable image instead of skipping it
    #[arg(long)]
    pub strict: bool,
    /// Folder for the checkpoints and the history [default: runs/DATA-MODEL-NUMBER]
    #[arg(long)]
    pub out: Option<PathBuf>,
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    check(args)?;
    let pretrained = if args.from.is_some() { None } else { args.weights.resolve(&args.model.model)? };
    let options = folder::Options { val_fraction: args.val_fraction, seed: args.seed, strict: args.strict };
    let data = Dataset::open(&args.data, &options)?;
    data.warnings.iter().for_each(|warning| shared.say(format_args!("warning   {warning}")));
    let start = Start::new(args, &data)?;
    let device = shared.open()?;
    let memory = shared.budget(&device);
    let mut store = Store::new(device);
    let report = start.fill(&mut store, pretrained.as_ref(), args.weights.random(args.seed))?;
    if let Some(report) = report {
        weights::describe(shared, &report, start.network.architecture.preprocessing)?;
    }
    let out = run_folder::make(args.out.as_deref(), &args.data, &args.model.model)?;
    interrupt::listen();
    describe(shared, &data, &start.network, &out);
    let (loaders, staged) = prepare(args, shared, &data, &start.network, &mut store, memory)?;
    let result = fit(args, shared, &start, &data, &staged, &mut store, memory, &out);
    loaders.iter().for_each(|loader| report_unreadable(loader));
    finish(args, shared, result, &out)
}

fn check(args: &Args) -> Result<()> {
    args.optimizer.check()?;
    if args.epochs == 0 || args.batch == 0 {
        return Err(Error::Usage("--epochs and --batch take at least 1".into()));
    }
    Ok(())
}

/// What training starts from.
struct Start {
    network: Network,
    classes: Vec<String>,
    /// A checkpoint to go on from.
    from: Option<PathBuf>,
}

impl Start {
    fn new(args: &Args, data: &Dataset) -> Result<Start> {
        let architecture = match &args.from {
            None => args.model.architecture(data.classes.len())?,
            Some(path) => {
                let (checkpoint, _) = Checkpoint::open(path)?;
                if !checkpoint.classes.is_empty() && checkpoint.classes != data.classes {
                    let (theirs, ours) = (checkpoint.classes.join(", "), data.classes.join(", "));
                    let what = format!("knows the classes {theirs}, but the data has {ours}");
                    return Err(Error::weights(path, what));
                }
                let mut architecture = checkpoint.architecture;
                architecture.preprocessing = args.model.preprocessing.unwrap_or(architecture.preprocessing);
                architecture
            }
        };
        let network = Network::new(architecture, &args.model.freeze()?, args.loss.label_smoothing)?;
        network.check_classes(data.classes.len())?;
        Ok(Start { network, classes: data.classes.clone(), from: args.from.clone() })
    }

    fn fill(
        &self,
        store: &mut Store,
        pretrained: Option<&Pretrained>,
        random: Random,
    ) -> Result<Option<Report>> {
        match &self.from {
            None => initialise(&self.network, pretrained, store, random),
            Some(path) => {
                let (checkpoint, mut source) = Checkpoint::open(path)?;
                checkpoint.load(&mut *source, store).map(|()| None)
            }
        }
    }
}

fn describe(shared: &Shared, data: &Dataset, network: &Network, out: &Path) {
    let architecture = &network.architecture;
    let trainable: u64 =
        network.graph.params.iter().filter(|p| p.trainable).map(|p| p.spec.shape.numel()).sum();
    let all: u64 = network.graph.params.iter().map(|p| p.spec.shape.numel()).sum();
    shared.say(format_args!(
        "data      {} classes, {} images to train on, {} to validate",
        data.classes.len(),
        data.train.len(),
        data.val.len()
    ));
    shared.say(format_args!(
        "model     {} at {}x{}, {} preprocessing, {} of {} parameters train",
        architecture.model,
        architecture.input[0],
        architecture.input[1],
        architecture.preprocessing,
        crate::study::explain::thousands(trainable),
        crate::study::explain::thousands(all)
    ));
    shared.say(format_args!("output    {}", out.display()));
}

type Loaders = Vec<Arc<Loader>>;

/// Runs the frozen prefix once per image, where there is one.
fn prepare<'a>(
    args: &Args,
    shared: &Shared,
    data: &Dataset,
    network: &Network,
    store: &mut Store,
    memory: u64,
) -> Result<(Loaders, Staged<'a>)> {
    let load = |split: &Split| -> Result<Arc<Loader>> {
        let mut options = Options::square(network.architecture.input[0] as u32, args.batch);
        options.strict = args.strict;
        Ok(Arc::new(Loader::new(split.clone(), options)?))
    };
    let train = load(&data.train)?;
    let val = if data.val.is_empty() { None } else { Some(load(&data.val)?) };
    let samples = |loader: &Arc<Loader>| ImageSamples(loader.clone());
    let all = data.train.len() + data.val.len();
    let progress = bar("features", all, shared.quiet);
    let staged = stage(
        &network.graph,
        store,
        samples(&train),
        val.as_ref().map(samples),
        args.batch,
        memory,
        |done| progress.set_position(done as u64),
    )?;
    progress.finish_and_clear();
    match &staged.cached {
        Some(layer) => shared.say(format_args!("cached    {layer}: everything up to it ran once per image")),
        None => shared.say(format_args!("cached    nothing: every layer runs in every epoch")),
    }
    Ok((std::iter::once(train).chain(val).collect(), staged))
}

fn fit(
    args: &Args,
    shared: &Shared,
    start: &Start,
    data: &Dataset,
    staged: &Staged,
    store: &mut Store,
    memory: u64,
    out: &Path,
) -> Result<History> {
    let fit = Fit {
        graph: &staged.graph,
        train: &*staged.train,
        val: staged.val.as_deref(),
        rule: args.optimizer.rule()?,
        weighting: args.loss.weighting(data)?,
        epochs: args.epochs,
        batch: args.batch,
        learning_rate: args.optimizer.lr,
        seed: args.seed,
        memory,
    };
    let mut so_far = History::default();
    let save = |store: &Store, row: &EpochRow, best: bool| {
        let mut checkpoint = Checkpoint::new(&start.network.architecture, &start.classes);
        (checkpoint.epoch, checkpoint.val_acc) = (row.epoch, row.val_acc);
        if best {
            checkpoint.save(&out.join(BEST), store)?;
        }
        if interrupt::asked() || row.epoch + 1 == args.epochs {
            checkpoint.save(&out.join(LAST), store)?;
        }
        so_far.rows.push(row.clone());
        so_far.write_csv(&out.join("history.csv"))
    };
    fit.run(store, &mut Watch::new(args.epochs, staged.train.len(), shared.quiet, save))
}

fn report_unreadable(loader: &Loader) {
    let unreadable = loader.unreadable();
    unreadable.named.values().for_each(|what| eprintln!("skipped   {what}"));
    if unreadable.count() > 0 {
        eprintln!("skipped   {} unreadable images in all (--strict refuses them)", unreadable.count());
    }
}

/// Adds to an error what the user needs to go on.
fn finish(args: &Args, shared: &Shared, result: Result<History>, out: &Path) -> Result<()> {
    let kept = |file: &str| out.join(file).display().to_string();
    match result {
        Ok(history) => {
            let best = history.best().expect("at least one epoch ran");
            let acc = best.val_acc.unwrap_or(best.acc);
            println!("best      epoch {} with accuracy {acc:.4}: {}", best.epoch + 1, kept(BEST));
            shared.say(format_args!("try       frostline predict {} IMAGE", kept(BEST)));
            Ok(())
        }
        Err(Error::Diverged(what)) if out.join(BEST).exists() => {
            Err(Error::Diverged(format!("{what}\nthe best checkpoint so far is kept: {}", kept(BEST))))
        }
        Err(Error::Interrupted(what)) if out.join(LAST).exists() => Err(Error::Interrupted(format!(
            "{what}, saved; go on with: frostline train {} --from {} --freeze {} --lr {}",
            args.data.display(),
            kept(LAST),
            args.model.freeze,
            args.optimizer.lr
        ))),
        Err(error) => Err(error),
    }
}
