//! Writes what a run leaves in its folder: the last and the best checkpoint, and the history.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::data::augmentation::Augmentation;
use crate::error::Result;
use crate::graph::Store;
use crate::ops::Precision;
use crate::optim::keras::Described;
use crate::train::callbacks::events::Events;
use crate::train::callbacks::history::{EpochRow, History};
use crate::train::checkpoint::Checkpoint;
use crate::train::fit::Observer;
use crate::train::keras::compiled::Compiled;
use crate::train::keras::trained::Trained;
use crate::train::metrics::Metrics;
use crate::train::progress::{InStage, Progress};
use crate::train::run::Run;
use crate::train::run::watcher::Watcher;
use crate::train::schedule::{Schedule, Stage};
use crate::train::weighting::Weighting;

/// The checkpoint of the best epoch so far.
pub const BEST: &str = "best.safetensors";
/// The run as it was last saved: a checkpoint that can also be resumed.
pub const LAST: &str = "last.safetensors";
/// A line for each epoch.
pub const HISTORY: &str = "history.csv";

/// Hands everything on to a watcher.
pub(super) struct Keeper<'a> {
    run: &'a Run,
    folder: &'a Path,
    history: History,
    events: Option<Events>,
    saved: Instant,
    watcher: &'a mut dyn Watcher,
}

impl<'a> Keeper<'a> {
    /// # Errors
    /// The folder cannot be written.
    pub fn new(
        run: &'a Run,
        folder: &'a Path,
        history: &History,
        watcher: &'a mut dyn Watcher,
    ) -> Result<Keeper<'a>> {
        let events = run.tensorboard.then(|| Events::create(folder, &history.rows)).transpose()?;
        Ok(Keeper { run, folder, history: history.clone(), events, saved: Instant::now(), watcher })
    }

    fn checkpoint(&self, row: Option<&EpochRow>) -> Checkpoint {
        Checkpoint {
            epoch: row.map_or(0, |row| row.epoch),
            val_acc: row.and_then(|row| row.val_acc),
            resize: self.run.data.resize,
            ..Checkpoint::new(&self.run.architecture, &self.run.data.classes)
        }
    }

    fn trained(&self, stage: &Stage, iteration: u32, rate: f32) -> Trained {
        let described = Described { optimizer: self.run.optimizer, learning_rate: Some(rate) };
        let compiled = Compiled { described, smoothing: self.run.label_smoothing };
        Trained { compiled, freeze: stage.freeze.clone(), iteration, besides: besides(self.run) }
    }

    /// Saves the run after `stage`, whose optimizer's state stays in the file for Keras.
    pub fn close(&mut self, store: &Store, stage: &Stage, done: InStage, progress: &Progress) -> Result<()> {
        let latest = progress.history.rows.last().map_or(stage.rate, |row| row.lr);
        self.write(store, progress, &self.trained(stage, done.iteration, latest))
    }

    fn write(&mut self, store: &Store, progress: &Progress, trained: &Trained) -> Result<()> {
        let checkpoint = self.checkpoint(progress.history.rows.last());
        checkpoint.save_run(&self.folder.join(LAST), store, progress, trained)?;
        self.saved = Instant::now();
        self.watcher.save(store, progress)
    }
}

impl Observer for Keeper<'_> {
    fn step(&mut self, epoch: usize, samples_done: usize, metrics: &Metrics) {
        self.watcher.step(epoch, samples_done, metrics);
    }

    fn epoch(&mut self, store: &Store, row: &EpochRow, best: bool) -> Result<()> {
        self.history.rows.push(row.clone());
        if best {
            self.checkpoint(Some(row)).save(&self.folder.join(BEST), store)?;
        }
        self.history.write_csv(&self.folder.join(HISTORY))?;
        self.events.as_mut().map_or(Ok(()), |events| events.add(row))?;
        self.watcher.epoch(store, row, best)
    }

    fn wants_save(&mut self) -> bool {
        self.saved.elapsed() >= Duration::from_secs(self.run.save_every) || self.watcher.wants_save()
    }

    fn save(&mut self, store: &Store, progress: &Progress) -> Result<()> {
        let (stage, next) = (&self.run.stages[progress.stage], progress.in_epoch.rate);
        self.write(store, progress, &self.trained(stage, progress.in_stage.iteration, next))
    }
}

/// What decides on a run's steps and has no place in a Keras file: there it is told to `fit`, or does not exist.
fn besides(run: &Run) -> Vec<String> {
    let parts = [
        (run.schedule != Schedule::default(), "the schedule of the learning rate"),
        (run.plateau.is_some(), "the learning rate's cut on a plateau"),
        (run.block_factor != 1.0, "the learning rates of single blocks"),
        (run.weighting != Weighting::default(), "the weights of classes and samples"),
        (run.augmentation != Augmentation::default(), "the augmentation"),
        (run.precision != Precision::F32, "the half precision of activations"),
    ];
    parts.into_iter().filter(|(used, _)| *used).map(|(_, what)| what.to_owned()).collect()
}
