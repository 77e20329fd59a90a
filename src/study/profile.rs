//! Where the time of a training step goes: every dispatch of a real run, by layer and part, under the roofline.
//!
//! ```
//! use frostline::study::profile::{PARTS, Profile, Settings, profile};
//! use frostline::study::roofline::Roofline;
//! use frostline::train::{Samples, passes::Passes};
//! fn watch(passes: &mut Passes, samples: &dyn Samples, roofline: Roofline) -> frostline::error::Result<Profile> {
//!     let settings = Settings { steps: 5, seed: 0, learning_rate: 1e-3, states: 2 };
//!     let profile = profile(passes, samples, roofline, &settings)?;
//!     for layer in &profile.layers {
//!         let percent = PARTS.map(|part| layer.parts[part as usize].percent(&profile.roofline));
//!         println!("{}: {} s, {percent:?} % of the roofline", layer.name, layer.seconds());
//!     }
//!     println!("{}", profile.chrome_trace());
//!     Ok(profile)
//! }
//! ```

mod text;
mod trace;

use std::time::{Duration, Instant};

use crate::data::order;
use crate::error::Result;
use crate::graph::plan::owner_name;
use crate::graph::role::Owner;
use crate::graph::watch::Timed;
use crate::graph::{Graph, Node, ParamId, Program};
use crate::ops::{Case, Part};
use crate::study::cost::Cost;
use crate::study::roofline::Roofline;
use crate::study::timing::Times;
use crate::train::passes::Passes;
use crate::train::samples::Minibatches;
use crate::train::{Minibatch, Samples};

/// How a run is profiled.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Steps that are watched; as many run before them unwatched, for comparison.
    pub steps: usize,
    pub seed: u64,
    pub learning_rate: f32,
    /// State tensors that the update rule keeps for each parameter.
    pub states: usize,
}

/// Steps that compile kernels and fill caches, and are not counted.
const WARM_UP: usize = 2;

/// The parts in the order of a step.
pub const PARTS: [Part; 4] = [Part::Forward, Part::DX, Part::DW, Part::Update];

/// A watched training run.
#[derive(Clone, Debug)]
pub struct Profile {
    pub roofline: Roofline,
    /// Watched steps.
    pub steps: usize,
    /// Seconds of an unwatched step, waiting for its batch included: the median.
    pub step_seconds: f64,
    /// Seconds of it that the host waited for the batch: the median.
    pub batch_seconds: f64,
    /// Layers that anything ran for, in the order of the graph.
    pub layers: Vec<Layer>,
    /// Every dispatch of the watched steps.
    pub dispatches: Vec<Dispatch>,
}

/// One layer's share.
#[derive(Clone, Debug)]
pub struct Layer {
    pub name: String,
    /// In the order of [`PARTS`].
    pub parts: [Spent; 4],
}

/// Time and work of all watched steps together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    pub seconds: f64,
    pub cost: Cost,
    pub dispatches: usize,
}

/// One dispatch, and whose work it is.
#[derive(Clone, Debug)]
pub struct Dispatch {
    pub layer: String,
    pub part: Part,
    pub kernel: String,
    /// Seconds since the watch began.
    pub start: f64,
    pub seconds: f64,
}

impl Spent {
    /// Percent of the roofline; `None` where nothing ran.
    pub fn percent(&self, roofline: &Roofline) -> Option<f64> {
        let ran = self.dispatches > 0 && self.cost != Cost::default();
        ran.then(|| roofline.percent(self.cost.flops, self.cost.bytes, self.seconds))
    }
}

impl Layer {
    pub fn seconds(&self) -> f64 {
        self.parts.iter().map(|part| part.seconds).sum()
    }
}

/// Trains over `samples`: a few steps to warm up, then `settings.steps` as always, then as many with each dispatch timed
/// alone.
///
/// # Errors
/// As training.
pub fn profile(
    passes: &mut Passes,
    samples: &dyn Samples,
    roofline: Roofline,
    settings: &Settings,
) -> Result<Profile> {
    let mut run = Run::new(samples, settings)?;
    let (mut steps, mut waits) = (Times::default(), Times::default());
    for i in 0..WARM_UP + settings.steps {
        let begun = Instant::now();
        let minibatch = run.next()?;
        let waited = begun.elapsed().as_secs_f64();
        run.step(passes, &minibatch)?;
        if i >= WARM_UP {
            steps.add(begun.elapsed().as_secs_f64());
            waits.add(waited);
        }
    }
    let (timed, samples_seen) = run.watched(passes, settings.steps)?;
    let program = passes.program_mut();
    Ok(Profile {
        roofline,
        steps: settings.steps,
        step_seconds: steps.median(),
        batch_seconds: waits.median(),
        layers: layers(program, &timed, &samples_seen, settings.states),
        dispatches: timed.into_iter().map(|timed| dispatch(program.graph(), timed)).collect(),
    })
}

/// The layers of one step with each dispatch timed alone, behind a step that warms up, and how many samples it took;
/// `None` where the warming up takes longer than `most`.
///
/// # Errors
/// As training.
pub fn one_step(
    passes: &mut Passes,
    samples: &dyn Samples,
    settings: &Settings,
    most: Duration,
) -> Result<Option<(Vec<Layer>, usize)>> {
    let mut run = Run::new(samples, settings)?;
    let begun = Instant::now();
    let minibatch = run.next()?;
    run.step(passes, &minibatch)?;
    if begun.elapsed() > most {
        return Ok(None);
    }
    let (timed, seen) = run.watched(passes, 1)?;
    Ok(Some((layers(passes.program_mut(), &timed, &seen, settings.states), seen[0])))
}

/// A training run that goes on for as many epochs as it is asked for.
struct Run<'a> {
    samples: &'a dyn Samples,
    settings: &'a Settings,
    epoch: u64,
    iteration: u32,
    batches: Minibatches<'a>,
}

impl<'a> Run<'a> {
    fn new(samples: &'a dyn Samples, settings: &'a Settings) -> Result<Run<'a>> {
        let batches = samples.batches(order::epoch(samples.len() as u32, settings.seed, 0))?;
        Ok(Run { samples, settings, epoch: 0, iteration: 0, batches })
    }

    fn next(&mut self) -> Result<Minibatch> {
        if let Some(minibatch) = self.batches.next() {
            return minibatch;
        }
        self.epoch += 1;
        let order = order::epoch(self.samples.len() as u32, self.settings.seed, self.epoch);
        self.batches = self.samples.batches(order)?;
        self.batches.next().expect("an epoch has at least one batch, or an error")
    }

    /// One step, waited for.
    fn step(&mut self, passes: &mut Passes, minibatch: &Minibatch) -> Result<()> {
        passes.step(minibatch, self.settings.seed as u32, self.iteration, self.settings.learning_rate)?;
        self.iteration += 1;
        passes.results(true).map(drop)
    }

    /// `steps` steps with each dispatch timed alone, and the samples of each step.
    fn watched(&mut self, passes: &mut Passes, steps: usize) -> Result<(Vec<Timed>, Vec<usize>)> {
        passes.program_mut().watch();
        let mut seen = Vec::new();
        for _ in 0..steps {
            let minibatch = self.next()?;
            self.step(passes, &minibatch)?;
            seen.push(minibatch.len());
        }
        Ok((passes.program_mut().unwatch(), seen))
    }
}

/// Sums by layer and part. What a part costs counts where any of its dispatches ran.
fn layers(program: &Program, timed: &[Timed], samples: &[usize], states: usize) -> Vec<Layer> {
    let graph = program.graph();
    let named = |node: &Node| Layer { name: node.name.clone(), parts: Default::default() };
    let mut layers: Vec<Layer> = graph.nodes.iter().map(named).collect();
    if timed.iter().any(|one| one.owner == Owner::Trained) {
        layers.push(Layer { name: owner_name(graph, Owner::Trained).to_owned(), parts: Default::default() });
    }
    for one in timed {
        let spent = &mut layers[layer_of(graph, one.owner)].parts[one.part as usize];
        spent.seconds += one.span.seconds;
        spent.dispatches += 1;
    }
    for (layer, node) in layers.iter_mut().zip(&graph.nodes) {
        for (spent, part) in layer.parts.iter_mut().zip(PARTS).filter(|(spent, _)| spent.dispatches > 0) {
            samples.iter().for_each(|&n| spent.cost += cost(program, node, part, n, states));
        }
    }
    layers.retain(|layer| layer.parts.iter().any(|part| part.dispatches > 0));
    layers
}

fn cost(program: &Program, node: &Node, part: Part, n: usize, states: usize) -> Cost {
    let (graph, precision) = (program.graph(), program.plan().settings.precision);
    if part != Part::Update {
        let (op, x) = (node.op.clone(), graph.x_shapes(node, n));
        return Cost::of(&Case { op, x, trains: true, precision }, part);
    }
    let mut sum = Cost::default();
    let trains = |param: &&ParamId| graph.params[param.0].trainable;
    for param in node.params.iter().filter(trains) {
        sum += Cost::of_update(graph.params[param.0].spec.shape.numel(), states);
    }
    sum
}

/// The place of the layer whose work it is: updates belong to that of their parameter, joint work comes behind all.
fn layer_of(graph: &Graph, owner: Owner) -> usize {
    match owner {
        Owner::Node(node) => node.0,
        Owner::Param(param) => {
            let owns = |node: &Node| node.params.contains(&param);
            graph.nodes.iter().position(owns).expect("every parameter has a layer")
        }
        Owner::Trained => graph.nodes.len(),
    }
}

fn dispatch(graph: &Graph, timed: Timed) -> Dispatch {
    Dispatch {
        layer: match timed.owner {
            Owner::Trained => owner_name(graph, timed.owner).to_owned(),
            owner => graph.nodes[layer_of(graph, owner)].name.clone(),
        },
        part: timed.part,
        kernel: timed.kernel,
        start: timed.span.start,
        seconds: timed.span.seconds,
    }
}
