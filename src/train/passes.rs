//! A batch's way through a program: fed in micro-batches, its results read back late.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::data::augmentation::Augmentation;
use crate::error::{Error, Result};
use crate::gpu::{Caps, Device, ReadBack};
use crate::graph::fit::{fit, fit_beside, held_by_both, largest};
use crate::graph::role::Role;
use crate::graph::{Graph, Plan, Program, Settings, Store, ValueId, names};
use crate::nn::network::Ends;
use crate::ops::{Now, Precision};
use crate::optim::RuleRef;
use crate::train::augment::{Feeder, Whole};
use crate::train::metrics::Metrics;
use crate::train::samples::Minibatch;
use crate::train::weighting::Weighting;

/// Steps whose results may be under way before the oldest is waited for.
const UNDER_WAY: usize = 4;

/// A program over a graph with a loss, for training or for evaluation.
pub struct Passes {
    device: Arc<Device>,
    program: Program,
    ends: Ends,
    input: ValueId,
    feeder: Feeder,
    classes: usize,
    /// Samples of one pass.
    micro: usize,
    weighting: Weighting,
    under_way: VecDeque<(ReadBack, Vec<u32>)>,
}

/// What a finished pass gave.
pub struct PassResult {
    /// (n) loss of each sample in nats.
    pub losses: Vec<f32>,
    /// (n, classes)
    pub probabilities: Vec<f32>,
    pub labels: Vec<u32>,
}

impl Passes {
    /// Plans and binds `graph` for batches of `batch`; trains where there is a rule. `memory` bounds the bytes of the
    /// whole device; a batch that does not fit is split into micro-batches of equal size whose gradients accumulate.
    ///
    /// # Errors
    /// Not even a single sample fits, with the cure; or the device refuses.
    pub fn new(
        graph: &Graph,
        store: &mut Store,
        batch: usize,
        rule: Option<RuleRef>,
        memory: u64,
    ) -> Result<Passes> {
        let plan = fit_beside(graph, store, settings(ends(graph)?, batch, rule), memory)?;
        Passes::bind(graph, store, plan)
    }

    /// As [`Passes::new`], in micro-batches of `micro` samples whatever the memory.
    ///
    /// # Errors
    /// The device has no memory left.
    pub fn in_parts(
        graph: &Graph,
        store: &mut Store,
        batch: usize,
        micro: usize,
        rule: Option<RuleRef>,
    ) -> Result<Passes> {
        let settings = Settings { updates_at_end: micro < batch, ..settings(ends(graph)?, micro, rule) };
        let plan = Plan::new(graph, store.device().caps(), store.settings(settings))?;
        Passes::bind(graph, store, plan)
    }

    fn bind(graph: &Graph, store: &mut Store, plan: Plan) -> Result<Passes> {
        let device = store.device().clone();
        let ends = ends(graph)?;
        let input = graph.inputs().find(|v| *v != ends.labels && *v != ends.weights);
        let input = input.ok_or_else(|| Error::Usage("this graph has no input".into()))?;
        let micro = plan.settings.batch;
        let logits = graph.nodes[ends.loss.0].x[0];
        let classes = graph.values[logits.0].shape.last();
        let program = Program::new(graph, plan, store)?;
        let feeder = Feeder::new(graph, None);
        Ok(Passes {
            device,
            program,
            ends,
            input,
            feeder,
            classes,
            micro,
            weighting: Weighting::default(),
            under_way: VecDeque::new(),
        })
    }

    /// From now on samples count as `weighting` says; at first they all count the same.
    pub fn weigh(&mut self, weighting: Weighting) {
        self.weighting = weighting;
    }

    pub fn plan(&self) -> &Plan {
        self.program.plan()
    }

    pub fn program_mut(&mut self) -> &mut Program {
        &mut self.program
    }

    /// Switches the draws of augmenting ops on; without them images stay as they are.
    pub fn augment(&mut self, augmentation: &Augmentation) {
        self.feeder = Feeder::new(self.program.graph(), Some(augmentation.clone()));
    }

    /// Seconds spent waiting for the device so far.
    pub fn waited(&self) -> f64 {
        self.device.waited()
    }

    /// Queues one batch: all micro-batches, then the update if gradients accumulate. Does not wait.
    ///
    /// # Errors
    /// The device is lost.
    pub fn step(&mut self, batch: &Minibatch, seed: u32, iteration: u32, learning_rate: f32) -> Result<()> {
        let n = batch.len();
        let width = batch.bytes().len() / n.max(1);
        let rule = self.plan().settings.rule.as_ref();
        let learning_rate = rule.map_or(0.0, |rule| rule.common().rate(learning_rate, iteration));
        let mut now = Now { seed, iteration, first_sample: 0, loss_scale: 1.0 / n as f32, learning_rate };
        for (index, first) in (0..n).step_by(self.micro).enumerate() {
            let last = (first + self.micro).min(n);
            now.first_sample = first as u32;
            self.program.feed(self.input, &batch.bytes()[first * width..last * width]);
            let weights = self.weighting.of(&batch.labels[first..last], &batch.indices[first..last]);
            self.program.feed(self.ends.weights, bytemuck::cast_slice(&weights));
            let whole = Whole { bytes: batch.bytes(), labels: &batch.labels };
            self.feeder.feed(&self.program, whole, first..last, &now);
            self.program.run(last - first, &now, index)?;
            self.queue_results(batch.labels[first..last].to_vec());
        }
        self.program.update(&now)
    }

    fn queue_results(&mut self, labels: Vec<u32>) {
        let n = labels.len() as u64;
        let buffer = |role: Role| self.program.buffer(role).expect("outputs are planned");
        let ranges = [
            (buffer(self.ends.losses), 0, n * 4),
            (buffer(self.ends.probabilities), 0, n * self.classes as u64 * 4),
        ];
        self.under_way.push_back((self.device.read_later(&ranges), labels));
    }

    /// Results of older passes, as many as are due so that few stay under way; all of them if `flush`.
    ///
    /// # Errors
    /// The device is lost.
    pub fn results(&mut self, flush: bool) -> Result<Vec<PassResult>> {
        let keep = if flush { 0 } else { UNDER_WAY };
        let mut done = Vec::new();
        while self.under_way.len() > keep {
            let (read_back, labels) = self.under_way.pop_front().expect("not empty");
            let bytes = read_back.wait(&self.device)?;
            let values: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
            let (losses, probabilities) = values.split_at(labels.len());
            let (losses, probabilities) = (losses.to_vec(), probabilities.to_vec());
            done.push(PassResult { losses, probabilities, labels });
        }
        Ok(done)
    }
}

fn ends(graph: &Graph) -> Result<Ends> {
    Ends::of(graph).ok_or_else(|| Error::Usage("this graph has no loss".into()))
}

/// What to plan for a graph whose ends these are.
fn settings(ends: Ends, batch: usize, rule: Option<RuleRef>) -> Settings {
    let outputs = vec![ends.losses, ends.probabilities];
    Settings { batch, training: rule.is_some(), rule, outputs, ..Settings::default() }
}

/// Bytes that evaluating `graph` one sample at a time takes beside what `store` holds.
///
/// # Errors
/// A graph without a loss, or a sample that no adapter like this one holds.
pub fn least_evaluation(graph: &Graph, store: &Store) -> Result<u64> {
    let plan = plan_evaluation(graph, store.device().caps(), store.precision)?;
    Ok(names::allocates(graph, &plan, |name| store.contains(name)))
}

/// Bytes of the training step `step` and of the evaluation beside it, in batches as large or as large as fit: `memory`
/// bounds them. No device.
///
/// # Errors
/// Not even one sample fits, with the cure.
pub fn with_evaluation(graph: &Graph, caps: &Caps, step: &Plan, memory: u64) -> Result<u64> {
    let Settings { batch, precision, .. } = step.settings;
    let evaluation = Settings { precision, ..settings(ends(graph)?, batch, None) };
    held_by_both(graph, caps, step, evaluation, memory)
}

/// The plan of evaluating one sample at a time. No device.
///
/// # Errors
/// A graph without a loss, or a sample that no adapter like this one holds.
pub fn plan_evaluation(graph: &Graph, caps: &Caps, precision: Precision) -> Result<Plan> {
    Plan::new(graph, caps, Settings { precision, ..settings(ends(graph)?, 1, None) })
}

/// The plan of a training step over `step.batch` samples within `memory` bytes, in one pass or several. No device.
///
/// # Errors
/// Not even one sample fits, with the cure.
pub fn plan_step(graph: &Graph, caps: &Caps, step: &Setting, memory: u64) -> Result<Plan> {
    fit(graph, caps, step.settings(graph)?, memory)
}

/// The largest batch, `step.batch` at most, whose training step runs in one pass within `memory` bytes. No device.
///
/// # Errors
/// Not even one sample fits, with the cure.
pub fn largest_batch(graph: &Graph, caps: &Caps, step: &Setting, memory: u64) -> Result<usize> {
    Ok(largest(graph, caps, step.settings(graph)?, memory)?.settings.batch)
}

/// What a training step depends on besides its graph.
#[derive(Clone, Debug)]
pub struct Setting {
    pub rule: RuleRef,
    pub batch: usize,
    pub precision: Precision,
}

impl Setting {
    fn settings(&self, graph: &Graph) -> Result<Settings> {
        let settings = settings(ends(graph)?, self.batch, Some(self.rule.clone()));
        Ok(Settings { precision: self.precision, ..settings })
    }
}

impl PassResult {
    /// Adds these samples to running sums; `false` if a loss is not a number.
    pub fn add_to(&self, metrics: &mut Metrics) -> bool {
        metrics.add(&self.losses, &self.probabilities, &self.labels);
        self.losses.iter().all(|loss| loss.is_finite())
    }
}
