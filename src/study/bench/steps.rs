//! Whole passes of VGG19: forward without its top, and training steps with the head 1024-1024-16 under four ways of
//! freezing.
//!
//! ```
//! use frostline::study::bench::steps;
//! let labels = steps::list();
//! assert!(labels.iter().any(|label| label.starts_with("step/vgg19/layers5 8x64x64x3")), "{labels:?}");
//! assert!(steps::all().iter().any(|sized| sized.quick && sized.graph().is_ok()));
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use super::record::{Record, Work};
use super::{Bench, LEAST_RUNS, Options, SECONDS};
use crate::error::{Error, Result};
use crate::gpu::Device;
use crate::graph::interpreter::{Interpreter, array};
use crate::graph::role::Role;
use crate::graph::{Choices, Graph, Plan, Program, Settings, Store, Sweep, ValueId};
use crate::nn::network::{Ends, IMAGE, LABELS, WEIGHTS};
use crate::nn::{Architecture, Freeze, Head, Network, Preprocessing, init, vgg};
use crate::ops::{Array, Now, Precision};
use crate::optim::Sgd;
use crate::study::timing::{Times, sample};

/// Largest relative distance of losses and feature maps from the reference. In half precision, one rounding for each of
/// the 22 layers.
fn tolerance(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 1e-4,
        Precision::F16 => 22.0 / 2048.0,
    }
}

/// Side and batch of the twin that is compared with the reference: the smallest that VGG19 takes.
const SMALL: (usize, usize) = (32, 1);
const CLASSES: usize = 16;
/// The layer whose output a forward pass is after.
const FEATURES: &str = "block5_pool";
/// The variant of a pass whose ops run on their default rungs.
const DEFAULT: &str = "default";

/// What a pass does.
#[derive(Clone, Debug)]
pub struct Pass {
    pub name: &'static str,
    /// How the training step freezes; `None` is a forward pass.
    pub freeze: Option<Freeze>,
}

/// A pass over images of one size.
#[derive(Clone, Debug)]
pub struct Sized {
    pub pass: Pass,
    pub side: usize,
    pub batch: usize,
    /// One of the few that stand for the others when time is short.
    pub quick: bool,
}

fn passes() -> Vec<Pass> {
    let training = |name, freeze| Pass { name, freeze: Some(freeze) };
    vec![
        Pass { name: "forward", freeze: None },
        training("frozen_base", Freeze::All),
        training("block5", Freeze::Until("block4_pool".to_owned())),
        training("layers5", Freeze::Index(5)),
        training("nothing_frozen", Freeze::None),
    ]
}

/// Every pass at every size.
pub fn all() -> Vec<Sized> {
    let forward = [(224, 1, true), (64, 1, true), (64, 8, false), (96, 8, false), (256, 1, false)];
    let training = [(64, 8, true), (96, 8, false), (224, 1, false)];
    let mut all = Vec::new();
    for pass in passes() {
        let sizes = if pass.freeze.is_some() { training.as_slice() } else { &forward };
        let sized = |&(side, batch, quick): &_| Sized { pass: pass.clone(), side, batch, quick };
        all.extend(sizes.iter().map(sized));
    }
    all
}

impl Sized {
    pub fn graph(&self) -> Result<Graph> {
        Ok(network(&self.pass, self.side)?.graph)
    }

    /// What filters look at.
    pub fn label(&self) -> Result<String> {
        Ok(self.work(DEFAULT, Precision::F32)?.label())
    }

    fn work(&self, variant: &str, precision: Precision) -> Result<Work> {
        let graph = self.graph()?;
        Ok(Work {
            name: format!("step/vgg19/{}", self.pass.name),
            shape: format!("{0}x{1}x{1}x3", self.batch, self.side),
            variant: variant.to_owned(),
            precision,
            flops: flops(&graph, self.batch, self.pass.freeze.is_some()),
            bytes: None,
        })
    }
}

pub fn list() -> Vec<String> {
    all().iter().filter_map(|sized| sized.label().ok()).collect()
}

/// Measures what is selected and gives its number.
pub(super) fn run(bench: &mut Bench) -> Result<usize> {
    let Options { choices, precision, .. } = bench.options;
    let variant = if choices.is_empty() { DEFAULT } else { "tuned" };
    let (mut selected, mut checked) = (0, HashMap::new());
    for sized in all() {
        let work = sized.work(variant, *precision)?;
        if !bench.options.selects(&sized.label()?, sized.quick, true) {
            continue;
        }
        selected += 1;
        let rel_error = match checked.get(sized.pass.name) {
            Some(known) => *known,
            None => check(bench.device, &sized.pass, choices, *precision)?,
        };
        checked.insert(sized.pass.name, rel_error);
        if !bench.matches(&work.label(), rel_error, tolerance(*precision)) {
            continue;
        }
        let mut ready = Ready::new(bench.device, &sized, choices, *precision)?;
        let mut times = Times::default();
        sample(&mut times, LEAST_RUNS, SECONDS, || ready.time())?;
        (bench.report)(&Record::new(&work, &times, &bench.roofline, Some(rel_error)));
    }
    Ok(selected)
}

/// Operations by the direct method: of the forward pass, and of each gradient that somebody needs.
fn flops(graph: &Graph, batch: usize, training: bool) -> u64 {
    let sweep = Sweep::of(graph);
    let node = |(node, decision): (&crate::graph::Node, &crate::graph::grad::NodeSweep)| {
        let macs = node.op.macs(&graph.x_shapes(node, batch));
        let gradients = decision.wants.d_x.iter().filter(|wanted| **wanted).count() as u64
            + u64::from(decision.d_w.is_computed());
        2 * macs * (1 + if training { gradients } else { 0 })
    };
    graph.nodes.iter().zip(&sweep.nodes).map(node).sum()
}

/// A program with a batch of noise, ready to run.
pub struct Ready {
    graph: Graph,
    program: Program,
    device: Arc<Device>,
    batch: usize,
    iteration: u32,
}

impl Ready {
    /// # Errors
    /// The pass does not fit into the device's memory, or a kernel does not compile.
    pub fn new(
        device: &Arc<Device>,
        sized: &Sized,
        choices: &Choices,
        precision: Precision,
    ) -> Result<Ready> {
        let Sized { ref pass, side, batch, .. } = *sized;
        let network = network(pass, side)?;
        let mut store = Store::new(device.clone());
        (store.choices, store.precision) = (choices.clone(), precision);
        init::parameters(&network.graph, &mut store, 1, |_| true)?;
        let graph = network.graph;
        let ends = Ends::of(&graph).expect("a network has a loss");
        let outputs = match pass.freeze {
            None => vec![features(&graph)],
            Some(_) => vec![ends.losses, ends.probabilities],
        };
        let settings = Settings {
            batch,
            training: pass.freeze.is_some(),
            rule: pass.freeze.as_ref().map(|_| Arc::new(rule()) as _),
            outputs,
            ..Settings::default()
        };
        let plan = Plan::new(&graph, device.caps(), store.settings(settings))?;
        let program = Program::new(&graph, plan, &mut store)?;
        for (value, bytes) in inputs(&graph, side, batch) {
            let read = program.buffer(Role::Input(value)).is_some();
            if read {
                program.feed(value, &bytes);
            }
        }
        device.wait()?;
        Ok(Ready { graph, program, device: device.clone(), batch, iteration: 0 })
    }

    fn run(&mut self) -> Result<()> {
        self.program.run(self.batch, &now(self.iteration, self.batch), 0)?;
        self.iteration += 1;
        Ok(())
    }

    /// Runs once and gives the seconds that it took, waiting included.
    ///
    /// # Errors
    /// The device is lost.
    pub fn time(&mut self) -> Result<f64> {
        let start = std::time::Instant::now();
        self.run()?;
        self.device.wait()?;
        Ok(start.elapsed().as_secs_f64())
    }
}

fn network(pass: &Pass, side: usize) -> Result<Network> {
    let head = Head { hidden: vec![1024, 1024], dropout: 0.5, classes: CLASSES, ..Head::default() };
    let architecture: Architecture = vgg::with_head("vgg19", side, Preprocessing::Caffe, &head)?;
    Network::new(architecture, pass.freeze.as_ref().unwrap_or(&Freeze::All), 0.0)
}

fn features(graph: &Graph) -> Role {
    Role::Activation(graph.find(FEATURES).expect("VGG has five blocks"))
}

fn rule() -> Sgd {
    Sgd { momentum: 0.9, ..Sgd::default() }
}

fn now(iteration: u32, batch: usize) -> Now {
    Now { seed: 1, iteration, first_sample: 0, loss_scale: 1.0 / batch as f32, learning_rate: 1e-3 }
}

fn pixels(side: usize, batch: usize) -> Vec<u8> {
    (0..batch * side * side * 3).map(|i| (i * 7919 % 251) as u8).collect()
}

/// Bytes of every input of the graph.
fn inputs(graph: &Graph, side: usize, batch: usize) -> Vec<(ValueId, Vec<u8>)> {
    let labels: Vec<u32> = (0..batch as u32).map(|i| i % CLASSES as u32).collect();
    let find = |name| graph.find(name).expect("an input of every network");
    vec![
        (find(IMAGE), pixels(side, batch)),
        (find(LABELS), bytemuck::cast_slice(&labels).to_vec()),
        (find(WEIGHTS), bytemuck::cast_slice(&vec![1f32; batch]).to_vec()),
    ]
}

/// The relative error of a small twin: its feature maps, or its losses before and after an update.
fn check(device: &Arc<Device>, pass: &Pass, choices: &Choices, precision: Precision) -> Result<f64> {
    let (side, batch) = SMALL;
    let sized = Sized { pass: pass.clone(), side, batch, quick: false };
    let mut twin = Ready::new(device, &sized, choices, precision)?;
    let graph = twin.graph.clone();
    let params = graph.params.iter().map(|p| array(p.spec.shape, &init::glorot_uniform(p, 1))).collect();
    let rule = rule();
    let mut interpreter = Interpreter::new(&graph, params, &rule);
    let inputs = reference_inputs(&graph, side, batch);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let role = match pass.freeze {
        None => features(&graph),
        Some(_) => Ends::of(&graph).expect("a network has a loss").losses,
    };
    let Role::Activation(value) = role else { unreachable!("both are activations") };
    for iteration in 0..if pass.freeze.is_some() { 2 } else { 1 } {
        twin.run()?;
        ours.extend(twin.program.read(role, graph.shape(value, batch).numel())?);
        let now = now(iteration, batch);
        let reference = interpreter.pass(&inputs, &now);
        if pass.freeze.is_some() {
            interpreter.update(&reference, &rule, &now);
        }
        theirs.extend(&reference.values[&value].data);
    }
    distance(&ours, &theirs)
}

fn reference_inputs(graph: &Graph, side: usize, batch: usize) -> HashMap<ValueId, Array> {
    let numbers = |(value, bytes): (ValueId, Vec<u8>)| {
        let data: Vec<f64> = match graph.values[value.0].name.as_str() {
            IMAGE => bytes.iter().map(|&byte| f64::from(byte)).collect(),
            LABELS => bytemuck::pod_collect_to_vec::<u8, u32>(&bytes).into_iter().map(f64::from).collect(),
            _ => bytemuck::pod_collect_to_vec::<u8, f32>(&bytes).into_iter().map(f64::from).collect(),
        };
        (value, Array::new(graph.shape(value, batch), data))
    };
    inputs(graph, side, batch).into_iter().map(numbers).collect()
}

/// `|a - b| / |b|`; infinite where something is not a number.
fn distance(ours: &[f32], theirs: &[f64]) -> Result<f64> {
    if ours.len() != theirs.len() {
        return Err(Error::Device(format!("{} results, expected {}", ours.len(), theirs.len())));
    }
    let square = |v: f64| v * v;
    let off: f64 = ours.iter().zip(theirs).map(|(&a, &b)| square(f64::from(a) - b)).sum();
    let norm: f64 = theirs.iter().map(|&b| square(b)).sum();
    let error = (off / norm).sqrt();
    Ok(if error.is_nan() { f64::INFINITY } else { error })
}
