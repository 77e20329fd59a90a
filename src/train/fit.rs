//! The epoch loop.

use std::time::Instant;

use crate::data::order;
use crate::error::{Error, Result};
use crate::graph::{Graph, Store};
use crate::optim::RuleRef;
use crate::train::average;
use crate::train::evaluate::Evaluator;
use crate::train::history::{EpochRow, History};
use crate::train::interrupt;
use crate::train::metrics::Metrics;
use crate::train::passes::Passes;
use crate::train::samples::Samples;
use crate::train::weighting::Weighting;

/// A training run over a graph with a loss.
pub struct Fit<'a> {
    pub graph: &'a Graph,
    pub train: &'a dyn Samples,
    pub val: Option<&'a dyn Samples>,
    pub rule: RuleRef,
    /// How much each training sample counts; validation counts all the same.
    pub weighting: Weighting,
    pub epochs: usize,
    pub batch: usize,
    pub learning_rate: f32,
    pub seed: u64,
    /// Bytes that the plans may take.
    pub memory: u64,
}

/// Who watches a run: progress bars, checkpoints, logs.
pub trait Observer {
    /// After each step was queued; metrics are of what has been read back so far.
    fn step(&mut self, _epoch: usize, _samples_done: usize, _metrics: &Metrics) {}

    /// After each epoch; `best` if its validation accuracy is the highest so far. Here checkpoints are written.
    ///
    /// # Errors
    /// Whatever stops the run, such as a full disk.
    fn epoch(&mut self, _store: &Store, _row: &EpochRow, _best: bool) -> Result<()> {
        Ok(())
    }
}

impl Fit<'_> {
    /// Trains all epochs. Parameters are in the store, before and after.
    ///
    /// # Errors
    /// A loss that is not a number, an unreadable sample under strict, Ctrl-C, or the device.
    pub fn run(&self, store: &mut Store, observer: &mut dyn Observer) -> Result<History> {
        // A run begins with a clean optimizer, whatever an earlier one left on the device.
        store.forget(|name| name.contains(":state"));
        let mut trainer = Passes::new(self.graph, store, self.batch, Some(self.rule.clone()), self.memory)?;
        trainer.weigh(self.weighting.clone());
        let left = self.memory.saturating_sub(trainer.plan().memory().total()).max(self.memory / 4);
        let mut evaluator = match self.val {
            Some(_) => Some(Evaluator::new(self.graph, store, trainer.plan().settings.batch, left)?),
            None => None,
        };
        let (mut history, mut iteration) = (History::default(), 0);
        for epoch in 0..self.epochs {
            let begun = Instant::now();
            let metrics = self.epoch(&mut trainer, epoch, &mut iteration, observer)?;
            if epoch + 1 == self.epochs {
                average::adopt(self.graph, self.rule.as_ref(), store)?;
            }
            let val = match (&mut evaluator, self.val) {
                (Some(evaluator), Some(val)) if !interrupt::asked() => Some(evaluator.run(val)?.metrics),
                _ => None,
            };
            let row = EpochRow {
                epoch,
                acc: metrics.accuracy(),
                loss: metrics.loss(),
                lr: self.learning_rate,
                seconds: begun.elapsed().as_secs_f64(),
                val_acc: val.map(|m| m.accuracy()),
                val_loss: val.map(|m| m.loss()),
            };
            if interrupt::asked() {
                observer.epoch(store, &row, false)?;
                return Err(Error::Interrupted(format!("stopped in epoch {}", epoch + 1)));
            }
            history.rows.push(row.clone());
            let best = history.best().is_some_and(|best| best.epoch == epoch);
            observer.epoch(store, &row, best)?;
        }
        Ok(history)
    }

    fn epoch(
        &self,
        trainer: &mut Passes,
        epoch: usize,
        iteration: &mut u32,
        observer: &mut dyn Observer,
    ) -> Result<Metrics> {
        let mut metrics = Metrics::default();
        let mut done = 0;
        let order = order::epoch(self.train.len() as u32, self.seed, epoch as u64);
        for minibatch in self.train.batches(order)? {
            let minibatch = minibatch?;
            trainer.step(&minibatch, self.seed as u32, *iteration, self.learning_rate)?;
            *iteration += 1;
            done += minibatch.len();
            self.collect(trainer, &mut metrics, *iteration, false)?;
            observer.step(epoch, done, &metrics);
            if interrupt::asked() {
                break;
            }
        }
        self.collect(trainer, &mut metrics, *iteration, true)?;
        Ok(metrics)
    }

    fn collect(&self, trainer: &mut Passes, metrics: &mut Metrics, step: u32, flush: bool) -> Result<()> {
        for result in trainer.results(flush)? {
            if !result.add_to(metrics) {
                return Err(Error::Diverged(format!(
                    "the loss is not a number at about step {step}: the learning rate {} is probably too high; \
                     try --lr {}",
                    self.learning_rate,
                    self.learning_rate / 10.0
                )));
            }
        }
        Ok(())
    }
}
