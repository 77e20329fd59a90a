//! `frostline step`: one training step taken apart.

use std::path::PathBuf;

use super::options::subject::SubjectArgs;
use super::shared::{Shared, save};
use crate::data::batches::{Loader, Options};
use crate::data::folder::{self, Dataset};
use crate::error::{Error, Result, unknown};
use crate::nn::Freeze;
use crate::report::sheet;
use crate::study::show::shades::enlarged;
use crate::study::trace::{BINS, Stop, Way, first_nan, trace};
use crate::train::{ImageSamples, Samples};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: frostline step examples/clipart8 --batch 8 --freeze block4_pool --layer block5_conv1 --backward --image d_y.png"
)]
pub struct Args {
    /// DATA/train/CLASS/* or DATA/CLASS/*; the batch is its first images in the order of the seed
    pub data: PathBuf,
    #[command(flatten)]
    pub subject: SubjectArgs,
    /// What is frozen: all (the base), none, N for Keras' `layers[:N]`, or the last frozen layer's name
    #[arg(long, default_value = "all")]
    pub freeze: String,
    /// Images of the batch
    #[arg(long, default_value_t = 8)]
    pub batch: usize,
    /// Seed of the order and of dropout
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Stand at this layer or parameter, such as block3_conv1 or dense/kernel [default: list all]
    #[arg(long)]
    pub layer: Option<String>,
    /// At the layer, look at the gradient of its result instead of the result
    #[arg(long, requires = "layer")]
    pub backward: bool,
    /// Write an image of the tensor at the layer (PNG)
    #[arg(long, value_name = "FILE", requires = "layer")]
    pub image: Option<PathBuf>,
    /// Write the statistics of every tensor, one JSON object per line
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Fail at the first tensor that holds such a value
    #[arg(long, value_parser = ["nan"])]
    pub break_on: Option<String>,
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    let data = Dataset::open(&args.data, &folder::Options { seed: args.seed, ..folder::Options::default() })?;
    let freeze: Freeze = args.freeze.parse()?;
    let mut subject = args.subject.open(shared, &freeze, data.classes.len())?;
    if !subject.classes.is_empty() && subject.classes != data.classes {
        let (ours, theirs) = (data.classes.join(", "), subject.classes.join(", "));
        return Err(Error::data(
            &args.data,
            format!("has the classes {ours}, the checkpoint knows {theirs}"),
        ));
    }
    let side = subject.network.architecture.input[0] as u32;
    let samples = ImageSamples(std::sync::Arc::new(Loader::new(
        data.train.clone(),
        Options::square(side, args.batch.max(1)),
    )?));
    let order = crate::data::order::epoch(samples.len() as u32, args.seed, 0);
    let batch = samples.batches(order)?.next().ok_or_else(|| Error::data(&args.data, "holds no image"))??;
    let memory = shared.budget(subject.store.device());
    let stops = trace(&subject.network, &mut subject.store, &batch, args.seed as u32, memory)?;
    if let Some(path) = &args.trace {
        let lines =
            stops.iter().map(|stop| serde_json::to_string(stop).expect("plain data serialises") + "\n");
        save(path, &lines.collect::<String>())?;
        shared.say(format_args!("written   {}", path.display()));
    }
    if let Some(stop) = args.break_on.as_ref().and_then(|_| first_nan(&stops)) {
        stand(stop);
        return Err(Error::Diverged(format!(
            "{} of {} is the first tensor that holds a NaN: {} of its {} elements",
            stop.way, stop.name, stop.stats.nan, stop.stats.elements
        )));
    }
    match &args.layer {
        None => list(&stops),
        Some(layer) => {
            let stop = find(&stops, layer, args.backward)?;
            stand(stop);
            if let Some(path) = &args.image {
                sheet::save_png(&enlarged(&stop.image(), 512), path)?;
                shared.say(format_args!("written   {}", path.display()));
            }
        }
    }
    Ok(())
}

fn find<'a>(stops: &'a [Stop], layer: &str, backward: bool) -> Result<&'a Stop> {
    let named: Vec<&Stop> = stops.iter().filter(|stop| stop.name == layer).collect();
    if named.is_empty() {
        let names: Vec<&str> = stops.iter().map(|stop| stop.name.as_str()).collect();
        return Err(unknown("layer", layer, &names));
    }
    let wanted =
        named.into_iter().find(|stop| stop.way == Way::Parameter || (stop.way == Way::Backward) == backward);
    wanted.ok_or_else(|| {
        let why = "nothing at or below it trains, so nobody computes it ('frostline explain' says more)";
        Error::Usage(format!("there is no gradient of {layer}'s result: {why}; try another --freeze"))
    })
}

fn list(stops: &[Stop]) {
    let width = stops.iter().map(|stop| stop.name.len()).max().unwrap_or(0);
    println!(
        "{:<4} {:width$}  {:<16} {:>11} {:>11} {:>11} {:>11} {:>8} {:>6}",
        "", "at", "shape", "min", "mean", "max", "rms", "zeros", "NaN"
    );
    for Stop { name, way, shape, stats, .. } in stops {
        let zeros = 100.0 * stats.zeros as f64 / stats.elements.max(1) as f64;
        println!(
            "{way:<4} {name:width$}  {shape:<16} {:>11.3e} {:>11.3e} {:>11.3e} {:>11.3e} {zeros:>6.1} % {:>6}",
            stats.min, stats.mean, stats.max, stats.rms, stats.nan
        );
    }
}

fn stand(stop: &Stop) {
    let stats = &stop.stats;
    println!("{} of {}, {}", stop.way, stop.name, stop.shape);
    println!("  elements  {}", stats.elements);
    println!(
        "  min       {:.4e}\n  mean      {:.4e}\n  max       {:.4e}\n  rms       {:.4e}",
        stats.min, stats.mean, stats.max, stats.rms
    );
    println!("  zeros     {}\n  NaN       {}\n  infinite  {}", stats.zeros, stats.nan, stats.infinite);
    let most = stats.histogram.iter().copied().max().unwrap_or(0).max(1);
    let width = (f64::from(stats.max) - f64::from(stats.min)) / BINS as f64;
    for (i, &count) in stats.histogram.iter().enumerate() {
        let bar = "#".repeat((40 * count).div_ceil(most) as usize);
        println!("  {:>11.3e} {bar} {count}", f64::from(stats.min) + width * i as f64);
    }
}
