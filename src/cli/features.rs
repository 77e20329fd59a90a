//! `frostline features`: what a layer of a pretrained network makes of a folder of images, in a file.

use std::path::PathBuf;
use std::sync::Arc;

use super::options::precision::PrecisionArgs;
use super::options::weights::{describe, preprocessing, pretrained};
use super::progress::bar;
use super::shared::Shared;
use crate::data::batches::{Loader, Options};
use crate::data::folder::{self, Dataset};
use crate::data::split::Split;
use crate::error::{Error, Result};
use crate::graph::cut::split_after;
use crate::nn::init::Random;
use crate::nn::{Freeze, Head, Network, Pool, Preprocessing, vgg};
use crate::train::features::Extractor;
use crate::train::features::file::{self, Origin};
use crate::train::pretrained::{Pretrained, initialise};
use crate::train::{ImageSamples, interrupt};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: frostline features examples/clipart8 --layer block2_pool --pool avg --input 96 --out features.safetensors"
)]
pub struct Args {
    /// DATA/train/CLASS/* with DATA/val/CLASS/*, or DATA/CLASS/*
    pub data: PathBuf,
    /// The layer whose results are written, such as block2_pool
    #[arg(long)]
    pub layer: String,
    /// Write the mean of each map instead of the maps: avg
    #[arg(long, value_parser = ["avg"])]
    pub pool: Option<String>,
    /// The file: .safetensors, .h5 or .npz; 'frostline train' takes it in place of images
    #[arg(long)]
    pub out: PathBuf,
    /// vgg11, vgg13, vgg16 or vgg19
    #[arg(long, default_value = "vgg16")]
    pub model: String,
    /// Side of the square input in pixels
    #[arg(long, default_value_t = 224)]
    pub input: usize,
    /// Pretrained weights: a .safetensors or Keras file, or 'none' for random values
    #[arg(long, default_value = "weights/vgg16_imagenet_notop.f16.safetensors")]
    pub weights: String,
    /// caffe, tf, torch or rescale [default: what the weights were trained with]
    #[arg(long)]
    pub preprocessing: Option<Preprocessing>,
    /// Images per pass
    #[arg(long, default_value_t = 16)]
    pub batch: usize,
    #[command(flatten)]
    pub precision: PrecisionArgs,
    /// Seed of random weights and of the split
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Share of each class that is marked as validating, where DATA has no val folder
    #[arg(long, default_value_t = 0.2)]
    pub val_fraction: f64,
    /// Stop at the first unreadable image instead of skipping it
    #[arg(long)]
    pub strict: bool,
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    if args.batch == 0 {
        return Err(Error::Usage("--batch takes at least 1".into()));
    }
    let weights = pretrained(&args.weights, &args.model)?;
    let options = folder::Options { val_fraction: args.val_fraction, seed: args.seed, strict: args.strict };
    let data = Dataset::open(&args.data, &options)?;
    data.warnings.iter().for_each(|warning| shared.say(format_args!("warning   {warning}")));
    let pooled = args.pool.is_some();
    let network = network(args, weights.as_ref(), data.classes.len())?;
    // Pooled, the first layer of the head belongs to the features.
    let last = network.architecture.base - 1 + usize::from(pooled);
    let name = network.architecture.layers[last].name.clone();
    let prefix = split_after(&network.graph, &name).expect("a layer of this network").prefix;

    let device = shared.open()?;
    let memory = shared.budget(&device);
    let mut store = args.precision.store(device);
    if let Some(report) = initialise(&network, weights.as_ref(), &mut store, Random::new(args.seed))? {
        describe(shared, &report, network.architecture.preprocessing)?;
    }
    let mut extractor = Extractor::new(&prefix, &name, &mut store, args.batch, memory)?;
    let load = |split: &Split| -> Result<Arc<Loader>> {
        let mut options = Options::square(args.input as u32, args.batch);
        options.strict = args.strict;
        Ok(Arc::new(Loader::new(split.clone(), options)?))
    };
    let (train, val) = (load(&data.train)?, load(&data.val)?);
    let progress = bar("features", data.train.len() + data.val.len(), shared.quiet);
    interrupt::listen();
    let (seed, precision) = (args.seed, args.precision.precision);
    let origin = Origin { pooled, weights, seed, precision, ..Origin::new(&network.architecture) };
    let samples = (&ImageSamples(train.clone()) as _, &ImageSamples(val.clone()) as _);
    let rows = file::write(&args.out, samples, &mut extractor, &data.classes, &origin, |done| {
        progress.set_position(done as u64)
    });
    progress.finish_and_clear();
    for what in [&train, &val].iter().flat_map(|loader| loader.unreadable().named.into_values()) {
        eprintln!("skipped   {what}");
    }
    let shape: Vec<String> = extractor.shape.iter().map(usize::to_string).collect();
    println!("{}  {} rows of {} from {name}", args.out.display(), rows?, shape.join("x"));
    Ok(())
}

/// The base up to the layer, under a small head of which nothing but the pooling is used.
fn network(args: &Args, weights: Option<&Pretrained>, classes: usize) -> Result<Network> {
    let head = Head { pool: Pool::Avg, classes, ..Head::default() };
    let pixels = match args.preprocessing {
        Some(asked) => asked,
        None => preprocessing(weights, &args.model)?,
    };
    let whole = vgg::with_head(&args.model, args.input, pixels, &head)?;
    Network::new(whole.ending_at(&args.layer, &head)?, &Freeze::All, 0.0)
}
