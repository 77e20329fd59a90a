//! The epoch loop of one stage, from its beginning or from anywhere within it.

use std::time::Instant;

use crate::data::augmentation::Augmentation;
use crate::data::order;
use crate::error::{Error, Result};
use crate::graph::store::is_state;
use crate::graph::{Graph, Store};
use crate::optim::RuleRef;
use crate::train::average;
use crate::train::callbacks::early_stopping::EarlyStopping;
use crate::train::callbacks::history::{EpochRow, History};
use crate::train::callbacks::monitor::Monitor;
use crate::train::callbacks::plateau::Plateau;
use crate::train::evaluate::Evaluator;
use crate::train::interrupt;
use crate::train::metrics::Metrics;
use crate::train::passes::{self, Passes};
use crate::train::progress::{InEpoch, Progress};
use crate::train::receipt::fingerprint;
use crate::train::samples::Samples;
use crate::train::schedule::{At, Schedule};
use crate::train::shares::timed;
use crate::train::weighting::Weighting;

/// A training run over a graph with a loss: one stage of it, where there are several.
pub struct Fit<'a> {
    pub graph: &'a Graph,
    pub train: &'a dyn Samples,
    pub val: Option<&'a dyn Samples>,
    pub rule: RuleRef,
    /// How much each training sample counts; validation counts all the same.
    pub weighting: Weighting,
    /// What happens to training images, where the graph has ops for it.
    pub augmentation: Augmentation,
    pub augment_validation: bool,
    pub epochs: usize,
    pub batch: usize,
    /// The full rate, which the schedule takes shares of.
    pub learning_rate: f32,
    pub schedule: Schedule,
    pub plateau: Option<Plateau>,
    pub stopping: Option<EarlyStopping>,
    /// Says which epoch is the best.
    pub monitor: Monitor,
    pub seed: u64,
    /// Bytes that the device may hold.
    pub memory: u64,
}

/// Who watches a run: progress bars, checkpoints, logs.
pub trait Observer {
    /// After each step was queued; metrics are of what has been read back so far.
    fn step(&mut self, _epoch: usize, _samples_done: usize, _metrics: &Metrics) {}

    /// After each epoch; `best` if no epoch so far was better.
    ///
    /// # Errors
    /// Whatever stops the run, such as a full disk.
    fn epoch(&mut self, _store: &Store, _row: &EpochRow, _best: bool) -> Result<()> {
        Ok(())
    }

    /// Asked between steps: whether the run should be saved now.
    fn wants_save(&mut self) -> bool {
        false
    }

    /// The run as it stands between two steps, every loss so far known to be a number.
    ///
    /// # Errors
    /// Whatever stops the run, such as a full disk.
    fn save(&mut self, _store: &Store, _progress: &Progress) -> Result<()> {
        Ok(())
    }
}

impl<'a> Fit<'a> {
    /// Ten epochs in batches of 16 at a constant rate of 0.001, seed 0, nothing validated, no bound on memory.
    pub fn new(graph: &'a Graph, train: &'a dyn Samples, rule: RuleRef) -> Fit<'a> {
        Fit {
            graph,
            train,
            val: None,
            rule,
            weighting: Weighting::default(),
            augmentation: Augmentation::default(),
            augment_validation: false,
            epochs: 10,
            batch: 16,
            learning_rate: 1e-3,
            schedule: Schedule::default(),
            plateau: None,
            stopping: None,
            monitor: Monitor::default(),
            seed: 0,
            memory: u64::MAX,
        }
    }

    /// Trains from the beginning. Parameters are in the store, before and after.
    ///
    /// # Errors
    /// A loss that is not a number, an unreadable sample under strict, Ctrl-C, or the device.
    pub fn run(&self, store: &mut Store, observer: &mut dyn Observer) -> Result<History> {
        let mut progress = Progress::default();
        self.go_on(store, &mut progress, observer)?;
        Ok(progress.history)
    }

    /// Trains from `progress` to the stage's end; the store holds what it held then.
    ///
    /// # Errors
    /// As [`Fit::run`].
    pub fn go_on(
        &self,
        store: &mut Store,
        progress: &mut Progress,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        if progress.stage_is_new() {
            // A stage begins with a clean optimizer, whatever an earlier one left on the device.
            store.forget(is_state);
        }
        let mut trainer = self.trainer(store, progress)?;
        trainer.weigh(self.weighting.clone());
        if !self.augmentation.is_none() {
            trainer.augment(&self.augmentation);
        }
        let mut evaluator = self.val.map(|_| self.evaluator(&trainer, store)).transpose()?;
        while progress.in_stage.epochs < self.epochs {
            let begun = Instant::now();
            self.steps(&mut trainer, store, progress, observer)?;
            if progress.in_stage.epochs + 1 == self.epochs {
                average::adopt(self.graph, self.rule.as_ref(), store)?;
            }
            let val = match (&mut evaluator, self.val) {
                (Some(evaluator), Some(val)) => Some(evaluator.run(val)?.metrics),
                _ => None,
            };
            progress.in_epoch.seconds += begun.elapsed().as_secs_f64();
            if self.close_epoch(store, progress, val, observer)? {
                average::adopt(self.graph, self.rule.as_ref(), store)?;
                break;
            }
        }
        Ok(())
    }

    /// Runs over micro-batches of the size that the stage began with: another one would round its sums differently.
    fn trainer(&self, store: &mut Store, progress: &mut Progress) -> Result<Passes> {
        let rule = Some(self.rule.clone());
        if let Some(micro) = progress.in_stage.micro {
            return Passes::in_parts(self.graph, store, self.batch, micro, rule);
        }
        let evaluation = if self.val.is_some() { passes::least_evaluation(self.graph, store)? } else { 0 };
        let memory = self.memory.saturating_sub(evaluation);
        let trainer = Passes::new(self.graph, store, self.batch, rule, memory)?;
        progress.in_stage.micro = Some(trainer.plan().settings.batch);
        Ok(trainer)
    }

    fn evaluator(&self, trainer: &Passes, store: &mut Store) -> Result<Evaluator> {
        let batch = trainer.plan().settings.batch;
        let mut evaluator = Evaluator::new(self.graph, store, batch, self.memory)?;
        if self.augment_validation {
            evaluator.augment(&self.augmentation);
        }
        Ok(evaluator)
    }

    /// The steps of an epoch that are still to be done.
    fn steps(
        &self,
        trainer: &mut Passes,
        store: &Store,
        progress: &mut Progress,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let begun = Instant::now();
        let order = order::epoch(self.train.len() as u32, self.seed, progress.epoch() as u64);
        let left = order[progress.in_epoch.place..].to_vec();
        let mut batches = if left.is_empty() { None } else { Some(self.train.batches(left)?) };
        let (mut input, waited) = (0.0, trainer.waited());
        while let Some(minibatch) =
            timed(&mut input, || batches.as_mut().and_then(Iterator::next)).transpose()?
        {
            let rate = self.rate(progress, minibatch.len());
            // Asked while the next batch is at hand, so that what is left of a saved epoch is never empty.
            if interrupt::asked() || observer.wants_save() {
                self.collect(trainer, progress, true)?;
                let mut now = progress.clone();
                now.in_epoch.rate = rate;
                let all = begun.elapsed().as_secs_f64();
                now.in_epoch.seconds += all;
                now.in_epoch.shares.add(all, input, trainer.waited() - waited);
                observer.save(store, &now)?;
                interrupt::check(progress.epoch())?;
            }
            let seed = (self.seed as u32).wrapping_add(progress.stage as u32);
            trainer.step(&minibatch, seed, progress.in_stage.iteration, rate)?;
            progress.in_stage.iteration += 1;
            progress.in_epoch.rate = rate;
            progress.in_epoch.place += minibatch.span(&order[progress.in_epoch.place..]);
            self.collect(trainer, progress, false)?;
            observer.step(progress.epoch(), progress.in_epoch.place, &progress.in_epoch.metrics);
        }
        progress.in_epoch.place = order.len();
        self.collect(trainer, progress, true)?;
        let all = begun.elapsed().as_secs_f64();
        progress.in_epoch.shares.add(all, input, trainer.waited() - waited);
        Ok(())
    }

    fn rate(&self, progress: &mut Progress, samples: usize) -> f32 {
        let all = self.train.len().max(1) as f64;
        let full = *progress.in_stage.rate.get_or_insert(self.learning_rate);
        let at = At {
            epoch: progress.in_stage.epochs as f64 + progress.in_epoch.place as f64 / all,
            step: samples as f64 / all,
            epochs: self.epochs as f64,
        };
        self.schedule.rate(full, at)
    }

    /// Adds the epoch to the history; `true` if it was the last.
    fn close_epoch(
        &self,
        store: &Store,
        progress: &mut Progress,
        val: Option<Metrics>,
        observer: &mut dyn Observer,
    ) -> Result<bool> {
        let InEpoch { metrics, rate, seconds, shares, .. } = std::mem::take(&mut progress.in_epoch);
        let row = EpochRow {
            epoch: progress.epoch(),
            acc: metrics.accuracy(),
            loss: metrics.loss(),
            lr: rate,
            seconds,
            shares,
            val_acc: val.map(|m| m.accuracy()),
            val_loss: val.map(|m| m.loss()),
            weights: fingerprint(self.graph, store)?,
        };
        let best = progress.history.best_by(self.monitor).map(|best| best.figure(self.monitor));
        let best = self.monitor.improves(row.figure(self.monitor), best, 0.0);
        progress.history.rows.push(row.clone());
        let stage = &mut progress.in_stage;
        if let (Some(plateau), Some(rate)) = (&self.plateau, stage.rate) {
            stage.rate = Some(plateau.rate(&mut stage.flatness, rate, &row));
        }
        let stopping = self.stopping.filter(|rule| rule.stops(&mut stage.waiting, stage.epochs, &row));
        stage.epochs += 1;
        observer.epoch(store, &row, best)?;
        Ok(stopping.is_some())
    }

    fn collect(&self, trainer: &mut Passes, progress: &mut Progress, flush: bool) -> Result<()> {
        for result in trainer.results(flush)? {
            if !result.add_to(&mut progress.in_epoch.metrics) {
                return Err(Error::Diverged(format!(
                    "the loss is not a number at about step {}: the learning rate {} is probably too high; try --lr {}",
                    progress.in_stage.iteration,
                    self.learning_rate,
                    self.learning_rate / 10.0
                )));
            }
        }
        Ok(())
    }
}
