//! `frostline profile`: where the time of a training step goes, dispatch by dispatch.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Shared;
use super::model::{ModelArgs, weights_path};
use super::optimizer::OptimizerArgs;
use crate::data::batches::{Loader, Options};
use crate::data::folder::{self, Dataset};
use crate::error::{Error, Result};
use crate::graph::Store;
use crate::nn::Network;
use crate::report;
use crate::report::svg::standalone;
use crate::study::profile::{Settings, profile};
use crate::study::roofline::Roofline;
use crate::train::ImageSamples;
use crate::train::passes::Passes;
use crate::train::pretrained::initialise;

/// Example: frostline profile examples/clipart8 --model vgg16 --input 64 --batch 8 --freeze 5
///
/// Every layer runs in every step, also those that 'train' would run only once per image.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// DATA/train/CLASS/* with DATA/val/CLASS/*, or DATA/CLASS/*
    pub data: PathBuf,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Pretrained weights of the base: a .safetensors or Keras file, or 'none' for random values
    #[arg(long, default_value = "none")]
    pub weights: String,
    /// Images per step
    #[arg(long, default_value_t = 16)]
    pub batch: usize,
    #[command(flatten)]
    pub optimizer: OptimizerArgs,
    /// Steps to watch, behind two that warm up and as many unwatched ones
    #[arg(long, default_value_t = 5)]
    pub steps: usize,
    /// Seed of initial values, order and dropout
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Folder for flame.svg and trace.json (for Perfetto or chrome://tracing)
    #[arg(long, default_value = "profile")]
    pub out: PathBuf,
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    if args.batch == 0 || args.steps == 0 {
        return Err(Error::Usage("--batch and --steps take at least 1".into()));
    }
    args.optimizer.check()?;
    let weights = weights_path(&args.weights)?;
    let data = Dataset::open(&args.data, &folder::Options { seed: args.seed, ..Default::default() })?;
    let network = Network::new(args.model.architecture(data.classes.len())?, &args.model.freeze()?, 0.0)?;
    let device = shared.open()?;
    let roofline = Roofline::measure(&device)?;
    let mut store = Store::new(device.clone());
    initialise(&network, weights.as_deref(), &mut store, args.seed)?;
    let options = Options::square(network.architecture.input[0] as u32, args.batch);
    let samples = ImageSamples(Arc::new(Loader::new(data.train.clone(), options)?));
    let rule = args.optimizer.rule()?;
    let settings = Settings {
        steps: args.steps,
        seed: args.seed,
        learning_rate: args.optimizer.lr,
        states: rule.states(),
    };
    let memory = shared.budget(&device);
    let mut passes = Passes::new(&network.graph, &mut store, args.batch, Some(rule), memory)?;
    let profile = profile(&mut passes, &samples, roofline, &settings)?;
    print!("{profile}");
    let title = format!("A training step of {}, {} images", args.model.model, args.batch);
    std::fs::create_dir_all(&args.out).map_err(Error::io("make the folder", &args.out))?;
    write(shared, &args.out.join("flame.svg"), &standalone(&title, &report::profile::flame(&profile)))?;
    write(shared, &args.out.join("trace.json"), &profile.chrome_trace().to_string())
}

fn write(shared: &Shared, path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(Error::io("write", path))?;
    shared.say(format_args!("wrote     {}", path.display()));
    Ok(())
}
