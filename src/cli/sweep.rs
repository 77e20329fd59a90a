//! `frostline sweep`: how far the features of each layer carry over to new images.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::options::weights::{preprocessing, pretrained};
use super::shared::{Shared, save};
use crate::data::batches::{Loader, Options};
use crate::data::folder::{self, Dataset};
use crate::data::split::Split;
use crate::error::{Error, Result};
use crate::graph::Store;
use crate::nn::{Head, Pool, vgg};
use crate::report::freeze_points;
use crate::report::sheet;
use crate::report::svg::standalone;
use crate::study::sweep::{FreezePoints, Run, spread};
use crate::train::{ImageSamples, interrupt};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: frostline sweep examples/clipart8 --model vgg16 --out runs/sweep")]
pub struct Args {
    /// DATA/train/CLASS/* with DATA/val/CLASS/*, or DATA/CLASS/*
    pub data: PathBuf,
    /// vgg11, vgg13, vgg16 or vgg19
    #[arg(long, default_value = "vgg16")]
    pub model: String,
    /// Pretrained weights of the base: a .safetensors or Keras file
    #[arg(long, default_value = "weights/vgg16_imagenet_notop.f16.safetensors")]
    pub weights: String,
    /// Side of the square input in pixels
    #[arg(long, default_value_t = 64)]
    pub input: usize,
    /// Layers up to which the base is frozen, from the pixels up; 'none' is nothing [default: none and each pooling]
    #[arg(long, value_delimiter = ',')]
    pub points: Vec<String>,
    /// Runs of each kind, with the seeds 0, 1, ...
    #[arg(long, default_value_t = 3)]
    pub seeds: u64,
    /// Epochs of fine-tuning; 0 leaves it out
    #[arg(long, default_value_t = 3)]
    pub epochs: usize,
    /// Images per step
    #[arg(long, default_value_t = 16)]
    pub batch: usize,
    /// Folder for sweep.csv, sweep.svg and sweep.png
    #[arg(long, default_value = "runs/sweep")]
    pub out: PathBuf,
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    let Some(weights) = pretrained(&args.weights, &args.model)? else {
        return Err(Error::Usage(
            "a sweep compares pretrained with random weights; give a file to --weights".into(),
        ));
    };
    let data = Dataset::open(&args.data, &folder::Options::default())?;
    if data.val.is_empty() {
        return Err(Error::data(&args.data, "has no images to validate on; add DATA/val/CLASS/*"));
    }
    let head = Head { pool: Pool::Avg, classes: data.classes.len(), ..Head::default() };
    let architecture =
        vgg::with_head(&args.model, args.input, preprocessing(Some(&weights), &args.model)?, &head)?;
    let load = |split: &Split| -> Result<ImageSamples> {
        Ok(ImageSamples(Arc::new(Loader::new(
            split.clone(),
            Options::square(args.input as u32, args.batch.max(1)),
        )?)))
    };
    let (train, val) = (load(&data.train)?, load(&data.val)?);
    let points =
        if args.points.is_empty() { FreezePoints::usual(&architecture) } else { args.points.clone() };
    let mut store = Store::new(shared.open()?);
    let sweep = FreezePoints {
        architecture,
        points,
        train: &train,
        val: &val,
        weights: &weights,
        seeds: args.seeds,
        epochs: args.epochs,
        batch: args.batch.max(1),
        memory: shared.budget(store.device()),
    };
    sweep.check()?;
    interrupt::listen();
    announce(&sweep, &mut store, shared)?;
    let mut done = Vec::new();
    let result = sweep.run(&mut store, |run| {
        shared.say(format_args!("{}", words(run)));
        done.push(run.clone());
    });
    // What is finished is kept, also where the rest failed.
    write(&done, &sweep.points, &args.out, shared)?;
    result.map(|runs| table(&runs, &sweep.points))
}

fn announce(sweep: &FreezePoints, store: &mut Store, shared: &Shared) -> Result<()> {
    let kinds = if sweep.epochs == 0 { 2 } else { 4 };
    let seconds = sweep.estimate(store)?;
    shared.say(format_args!(
        "sweep     {} points, {} runs, {:.1} TFLOP: about {} on this device as it is now",
        sweep.points.len(),
        sweep.points.len() as u64 * kinds * sweep.seeds,
        sweep.flops()? as f64 / 1e12,
        indicatif::HumanDuration(std::time::Duration::from_secs_f64(seconds))
    ));
    Ok(())
}

fn words(run: &Run) -> String {
    let Run { point, seed, accuracy, seconds_per_epoch, .. } = run;
    let kind = freeze_points::name(run);
    format!("{point:<12} {kind:<22} seed {seed}  accuracy {accuracy:.4}  {seconds_per_epoch:.2} s per epoch")
}

fn write(runs: &[Run], points: &[String], out: &Path, shared: &Shared) -> Result<()> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    for run in runs {
        csv.serialize(run).map_err(|e| Error::data(out, format!("cannot write sweep.csv: {e}")))?;
    }
    let bytes = csv.into_inner().map_err(|e| Error::data(out, format!("cannot write sweep.csv: {e}")))?;
    save(&out.join("sweep.csv"), &String::from_utf8_lossy(&bytes))?;
    let chart = freeze_points::chart(runs, points);
    save(&out.join("sweep.svg"), &standalone("accuracy over the freeze point", &chart))?;
    sheet::save_png(&freeze_points::picture(runs, points), &out.join("sweep.png"))?;
    shared.say(format_args!("written   sweep.csv, sweep.svg and sweep.png in {}", out.display()));
    Ok(())
}

fn table(runs: &[Run], points: &[String]) {
    println!(
        "{:<12} {:<24} {:>9} {:>7} {:>12} {:>10}",
        "frozen to", "", "accuracy", "+-", "s per epoch", "memory"
    );
    for point in points {
        for (name, origin, mode) in freeze_points::LINES {
            let of: Vec<&Run> =
                runs.iter().filter(|r| r.point == *point && r.origin == origin && r.mode == mode).collect();
            let Some(first) = of.first() else { continue };
            let (mean, deviation) = spread(&of.iter().map(|run| run.accuracy).collect::<Vec<_>>());
            let seconds = of.iter().map(|run| run.seconds_per_epoch).sum::<f64>() / of.len() as f64;
            let mib = first.memory as f64 / f64::from(1 << 20);
            println!("{point:<12} {name:<24} {mean:>9.4} {deviation:>7.4} {seconds:>12.2} {mib:>6.0} MiB");
        }
    }
}
