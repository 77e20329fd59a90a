//! Metrics of a graph on samples, without training.

use crate::data::augmentation::Augmentation;
use crate::error::Result;
use crate::graph::{Graph, Store};
use crate::train::metrics::Metrics;
use crate::train::passes::Passes;
use crate::train::samples::Samples;

/// The result of an evaluation.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    pub metrics: Metrics,
    /// (n) in nats.
    pub losses: Vec<f32>,
    /// (n, classes) in the order of the samples.
    pub probabilities: Vec<f32>,
    pub labels: Vec<u32>,
    /// (n) places in the split.
    pub indices: Vec<u32>,
}

/// Evaluates all samples in order.
///
/// # Errors
/// Not even one sample fits, no sample is readable, or the device is lost.
pub fn evaluate(
    graph: &Graph,
    store: &mut Store,
    samples: &dyn Samples,
    batch: usize,
    memory: u64,
) -> Result<Evaluation> {
    Evaluator::new(graph, store, batch, memory)?.run(samples)
}

/// A bound evaluation program, for one evaluation per epoch.
pub struct Evaluator(Passes);

impl Evaluator {
    /// # Errors
    /// Not even one sample fits, or the device refuses.
    pub fn new(graph: &Graph, store: &mut Store, batch: usize, memory: u64) -> Result<Evaluator> {
        Ok(Evaluator(Passes::new(graph, store, batch, None, memory)?))
    }

    /// Evaluates on augmented images, as the published recipe does; each evaluation draws the same.
    pub fn augment(&mut self, augmentation: &Augmentation) {
        self.0.augment(augmentation);
    }

    /// # Errors
    /// No sample is readable, or the device is lost.
    pub fn run(&mut self, samples: &dyn Samples) -> Result<Evaluation> {
        let mut found = Evaluation::default();
        for (number, minibatch) in (0u32..).zip(samples.in_order()?) {
            let minibatch = minibatch?;
            self.0.step(&minibatch, 0, number, 0.0)?;
            found.indices.extend(&minibatch.indices);
            self.collect(&mut found, false)?;
        }
        self.collect(&mut found, true)?;
        Ok(found)
    }

    fn collect(&mut self, found: &mut Evaluation, flush: bool) -> Result<()> {
        for result in self.0.results(flush)? {
            result.add_to(&mut found.metrics);
            found.losses.extend(result.losses);
            found.probabilities.extend(result.probabilities);
            found.labels.extend(result.labels);
        }
        Ok(())
    }
}
