//! `frostline profile`: where the time of a training step goes, dispatch by dispatch.

use std::path::{Path, PathBuf};

use super::options::setup::SetupArgs;
use super::options::tune::TuneArgs;
use super::shared::Shared;
use crate::error::{Error, Result};
use crate::optim;
use crate::report;
use crate::report::svg::standalone;
use crate::study::profile::{Settings, profile};
use crate::study::roofline::Roofline;
use crate::train::passes::Passes;
use crate::train::run::setup;
use crate::train::{ImageSamples, Stage};

/// Every layer runs in every step, also those that 'train' would run only once per image.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: frostline profile examples/clipart8 --input 64 --batch 8 --freeze 5")]
pub struct Args {
    /// DATA/train/CLASS/* with DATA/val/CLASS/*, or DATA/CLASS/*
    pub data: PathBuf,
    #[command(flatten)]
    pub setup: SetupArgs,
    #[command(flatten)]
    pub tune: TuneArgs,
    /// Steps to watch, behind two that warm up and as many unwatched ones
    #[arg(long, default_value_t = 5)]
    pub steps: usize,
    /// Folder for flame.svg and trace.json (for Perfetto or chrome://tracing)
    #[arg(long, default_value = "profile")]
    pub out: PathBuf,
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    if args.steps == 0 {
        return Err(Error::Usage("--steps takes at least 1".into()));
    }
    let (run, data) = args.setup.run(&args.data, shared)?;
    let images = data.images()?;
    let rate = args.setup.optimizer.lr;
    let stage = Stage { freeze: args.setup.model.freeze()?, epochs: 1, rate };
    let graph = setup::graph(&run, &stage)?;
    let device = shared.open()?;
    let roofline = Roofline::measure(&device)?;
    let mut store = args.setup.precision.store(device.clone());
    setup::fill(&run, &mut store)?;
    args.tune.apply(&graph, &mut store, shared)?;
    let rule = run.optimizer.rule();
    let settings = Settings {
        steps: args.steps,
        seed: run.seed,
        learning_rate: rate,
        states: optim::states(rule.as_ref()),
    };
    let memory = shared.budget(&device);
    let mut passes = Passes::new(&graph, &mut store, run.batch, Some(rule), memory)?;
    let samples = ImageSamples(setup::loaders(&run, images)?.swap_remove(0));
    let profile = profile(&mut passes, &samples, roofline, &settings)?;
    print!("{profile}");
    let title = format!("A training step of {}, {} images", run.architecture.model, run.batch);
    std::fs::create_dir_all(&args.out).map_err(Error::io("make the folder", &args.out))?;
    write(shared, &args.out.join("flame.svg"), &standalone(&title, &report::profile::flame(&profile)))?;
    write(shared, &args.out.join("trace.json"), &profile.chrome_trace().to_string())
}

fn write(shared: &Shared, path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(Error::io("write", path))?;
    shared.say(format_args!("wrote     {}", path.display()));
    Ok(())
}
