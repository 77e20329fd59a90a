//! `frostline train`: a folder of images in, a checkpoint out.

use std::path::{Path, PathBuf};

use clap::Parser;

use super::Cli;
use super::augment::Ranges;
use super::options::cache::CacheArgs;
use super::options::fitting::FittingArgs;
use super::options::setup::SetupArgs;
use super::options::tune::TuneArgs;
use super::options::{presets, weights};
use super::progress::{Watch, bar};
use super::reporting::Reporting;
use super::run_folder::RunFolder;
use super::shared::Shared;
use crate::data::batches::Loader;
use crate::error::{Error, Result};
use crate::graph::Store;
use crate::report::page::FILE;
use crate::train::advise::advise;
use crate::train::run::keeper::{BEST, LAST};
use crate::train::run::setup::graph;
use crate::train::{History, Run, Session, interrupt};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: frostline train examples/clipart8 --input 96 --pool avg --limit-images 64 --epochs 5"
)]
pub struct Args {
    /// DATA/train/CLASS/* with DATA/val/CLASS/*, or DATA/CLASS/*; or a file that 'frostline features' wrote
    #[arg(required_unless_present = "resume")]
    pub data: Option<PathBuf>,
    /// A known recipe; options beside it win: seed (as published) or seed-fixed (its mistakes mended)
    #[arg(long, value_parser = presets::names(&presets::PRESETS), conflicts_with = "scenario")]
    pub preset: Option<String>,
    /// 1: few images, like ImageNet's; 2: many, alike; 3: few, unlike; 4: many, unlike; or auto, which looks and says why
    #[arg(long, value_parser = presets::scenarios())]
    pub scenario: Option<String>,
    /// Go on with a run that was stopped, with the same bits as if it had not been
    #[arg(
        long,
        value_name = "RUN",
        conflicts_with_all = ["data", "preset", "scenario", "out", "overwrite", "SetupArgs", "ModelArgs", "WeightsArgs", "OptimizerArgs", "LossArgs", "PrecisionArgs", "FittingArgs", "Ranges", "TuneArgs"]
    )]
    pub resume: Option<PathBuf>,
    #[command(flatten)]
    pub setup: SetupArgs,
    #[command(flatten)]
    pub fitting: FittingArgs,
    #[command(flatten)]
    pub ranges: Ranges,
    #[command(flatten)]
    pub tune: TuneArgs,
    #[command(flatten)]
    pub cache: CacheArgs,
    /// Augment the images that validate too, as the published recipe does
    #[arg(long, help_heading = "Augmentation")]
    pub augment_validation: bool,
    /// Folder for the checkpoints and the history [default: runs/DATA-MODEL-NUMBER]
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Replace the run that --out holds
    #[arg(long)]
    pub overwrite: bool,
    /// Seconds after which the run is saved again; a crash loses no more than this
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub save_every: u64,
    /// Write event files for TensorBoard into the run's folder
    #[arg(long)]
    pub tensorboard: bool,
    /// One JSON object per epoch, and one at the end, instead of text
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    match (&args.data, args.scenario.as_deref()) {
        (Some(data), Some("auto")) => advised(args, data, shared),
        _ => train(args, shared),
    }
}

/// Finds out which scenario the images are, says why, and trains as if it had been asked for.
fn advised(args: &Args, data: &Path, shared: &Shared) -> Result<()> {
    let (run, data) = args.setup.run(data, shared)?;
    let images = data.images()?;
    let device = shared.open()?;
    let memory = shared.budget(&device);
    let bar = bar("probes", 0, shared.quiet);
    let advice = advise(&run, images, &mut args.setup.precision.store(device), memory, |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    advice.reasons().iter().for_each(|reason| shared.say(format_args!("advice    {reason}")));
    let line = presets::with_scenario(std::env::args_os().collect(), advice.scenario);
    Cli::parse_from(presets::expand(line)).run()
}

fn train(args: &Args, shared: &Shared) -> Result<()> {
    let (mut session, mut store, _held) = match (&args.resume, &args.data) {
        (Some(folder), _) => resume(folder, shared)?,
        (None, Some(data)) => begin(args, data, shared)?,
        (None, None) => unreachable!("the parser asks for one of them"),
    };
    session.cache = args.cache.open(shared);
    interrupt::listen();
    describe(shared, &session)?;
    let mut watch = Watch::new(
        (session.progress.epoch(), session.run.epochs()),
        session.run.data.train,
        shared.quiet,
        args.json,
    );
    let mut reporting = Reporting::new(&session, &mut watch)?;
    let result = session.go_on_losing(&mut store, &mut reporting, |what| {
        shared.say(format_args!("warning   {what}: going on from what was last saved"));
        shared.open()
    });
    let page = match &result {
        Ok(_) => reporting.finish(&session, store),
        Err(_) => reporting.write(),
    };
    drop(watch);
    session.loaders.iter().for_each(|loader| report_unreadable(loader));
    finish(args, shared, &session, result).and(page)
}

fn begin(args: &Args, data: &Path, shared: &Shared) -> Result<(Session, Store, RunFolder)> {
    presets::describe(args.preset.as_deref(), args.scenario.as_deref(), shared);
    args.fitting.check()?;
    let (mut run, opened) = args.setup.run(data, shared)?;
    args.fitting.apply(&mut run, args.setup.model.freeze()?, args.setup.optimizer.lr)?;
    run.augmentation = args.ranges.over(&run.augmentation)?;
    (run.augment_validation, run.cache_augment) = (args.augment_validation, args.cache.cache_augment);
    (run.save_every, run.tensorboard) = (args.save_every, args.tensorboard);
    let device = shared.open()?;
    let memory = shared.budget(&device);
    args.setup.batch.settle(&mut run, device.caps(), memory, shared)?;
    let mut store = args.setup.precision.store(device);
    let folder = RunFolder::begin(args.out.as_deref(), data, &run.architecture.model, args.overwrite)?;
    for stage in &run.stages {
        args.tune.apply(&graph(&run, stage)?, &mut store, shared)?;
    }
    let session = Session::begin(run, opened, &mut store, memory, &folder.path)?;
    if let Some(report) = &session.imported {
        weights::describe(shared, report, session.run.architecture.preprocessing)?;
    }
    if session.progress.in_stage.iteration > 0 {
        let steps = session.progress.in_stage.iteration;
        shared.say(format_args!("optimizer its state of {steps} steps comes along"));
    }
    Ok((session, store, folder))
}

fn resume(folder: &Path, shared: &Shared) -> Result<(Session, Store, RunFolder)> {
    let run = Run::read(folder)?;
    let held = RunFolder::of(folder)?;
    let mut shared = shared.clone();
    if let (Some(place), "auto") = (&run.place, shared.adapter.as_str()) {
        shared.adapter = place.adapter.clone();
    }
    let mut store = Store::new(shared.open()?);
    let session = Session::resume(folder, &mut store)?;
    let info = store.device().info();
    if run.place.is_some_and(|place| (&place.adapter, &place.driver) != (&info.name, &info.driver)) {
        shared.say(format_args!("warning   another adapter or driver than before: the bits will differ"));
    }
    let progress = &session.progress;
    match session.is_complete() {
        true => shared.say(format_args!("resumed   nothing is left to do; train on with --from")),
        false => shared.say(format_args!(
            "resumed   in epoch {}, {} images into it",
            progress.epoch() + 1,
            progress.in_epoch.place
        )),
    }
    Ok((session, store, held))
}

fn describe(shared: &Shared, session: &Session) -> Result<()> {
    let Run { data, architecture, .. } = &session.run;
    let params = session.parameters()?;
    shared.say(format_args!(
        "data      {} classes, {} images to train on, {} to validate",
        data.classes.len(),
        data.train,
        data.val
    ));
    shared.say(format_args!(
        "model     {} at {}x{}, {} preprocessing, {} parameters",
        architecture.model,
        architecture.input[0],
        architecture.input[1],
        architecture.preprocessing,
        crate::study::explain::thousands(params)
    ));
    shared.say(format_args!("output    {}", session.folder.display()));
    Ok(())
}

fn report_unreadable(loader: &Loader) {
    let unreadable = loader.unreadable();
    unreadable.named.values().for_each(|what| eprintln!("skipped   {what}"));
    if unreadable.count() > 0 {
        eprintln!("skipped   {} unreadable images in all (--strict refuses them)", unreadable.count());
    }
}

/// Adds to an error what the user needs to go on.
fn finish(args: &Args, shared: &Shared, session: &Session, result: Result<History>) -> Result<()> {
    let (run, folder) = (&session.run, &session.folder);
    let kept = |file: &str| folder.join(file).display().to_string();
    match result {
        Ok(history) => {
            let best = history.best_by(run.monitor).expect("at least one epoch ran");
            let acc = best.val_acc.unwrap_or(best.acc);
            if args.json {
                println!("{}", serde_json::json!({ "best": best, "checkpoint": kept(BEST) }));
            } else {
                println!("best      epoch {} with accuracy {acc:.4}: {}", best.epoch + 1, kept(BEST));
            }
            shared.say(format_args!("report    {}", kept(FILE)));
            shared.say(format_args!("try       frostline predict {} IMAGE", kept(BEST)));
            Ok(())
        }
        Err(Error::Diverged(what)) if folder.join(BEST).exists() => {
            Err(Error::Diverged(format!("{what}\nthe best checkpoint so far is kept: {}", kept(BEST))))
        }
        Err(Error::DeviceLost(what)) => Err(Error::DeviceLost(format!(
            "{what}, and again after it was opened anew; go on with: frostline train --resume {}",
            folder.display()
        ))),
        Err(Error::Interrupted(what)) if folder.join(LAST).exists() => Err(Error::Interrupted(format!(
            "{what}, saved; go on with: frostline train --resume {}",
            folder.display()
        ))),
        Err(error) => Err(error),
    }
}
