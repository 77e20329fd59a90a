//! A probe: the layers up to some layer, a score over what that one gives, and the gradient of the score with respect to
//! any value below. Built from ordinary pieces: the graph ends in the op `score`, and the sweep is told which value's
//! gradient somebody asks for.
//!
//! ```
//! use frostline::{error::Result, graph::Store, nn::Network};
//! use frostline::study::probe::{PREPROCESSED, Probe, Start};
//! /// How the likeliest class' logit changes with each number that the network sees of an image (h, w, 3).
//! fn gradient(network: &Network, store: &mut Store, image: &[u8]) -> Result<Vec<f32>> {
//!     let mut probe = Probe::new(network, store, (network.logits(), PREPROCESSED), Start::Pixels, 1)?;
//!     println!("{} logits, gradient of {:?}", probe.scored_width(), probe.value_size());
//!     let (class, reading) = probe.run_class(image, None)?;
//!     println!("class {class}, logit {}", reading.scored[class]);
//!     let logit_0 = std::iter::once(1.0).chain(std::iter::repeat(0.0)).take(probe.scored_width()).collect::<Vec<f32>>();
//!     assert_ne!(probe.run(image, &logit_0, 1)?.gradient, reading.gradient);
//!     Ok(reading.gradient)
//! }
//! ```

use std::sync::Arc;

use crate::error::{Error, Result, unknown};
use crate::graph::plan::Plan;
use crate::graph::role::Role;
use crate::graph::{Graph, Program, Settings, Store, ValueId};
use crate::nn::Network;
use crate::nn::network::{IMAGE, LOSS};
use crate::ops::score::Score;
use crate::ops::{Dtype, Now};
use crate::shape::Shape;

/// The value between pixels and layers: what the network really sees.
pub const PREPROCESSED: &str = "preprocess";

/// Where a probe's graph begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// RGB bytes (n, h, w, 3), as images are decoded.
    Pixels,
    /// f32 (n, h, w, 3) behind the preprocessing.
    Preprocessed,
}

/// A bound graph with a score. Nothing in it trains.
pub struct Probe {
    program: Program,
    input: ValueId,
    direction: ValueId,
    scored: Tap,
    value: Tap,
    gradient: Tap,
}

/// A tensor that survives the pass, and its elements per sample.
#[derive(Clone, Copy)]
struct Tap {
    role: Role,
    width: usize,
}

/// What one pass of a probe gives, each (n, ...) row-major.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Of the scored layer.
    pub scored: Vec<f32>,
    /// Of the value whose gradient was asked for; the input itself where that is the input.
    pub value: Vec<f32>,
    pub gradient: Vec<f32>,
}

/// The layers of `network` up to and with `last`, all frozen and without dropout, which does nothing outside of
/// training.
///
/// # Errors
/// No layer has this name; the message suggests the nearest.
pub fn body(network: &Network, last: &str, start: Start) -> Result<Graph> {
    let known: Vec<&str> = network.architecture.layers.iter().map(|layer| layer.name.as_str()).collect();
    if last != PREPROCESSED && !known.contains(&last) {
        return Err(unknown("layer", last, &known));
    }
    let (full, mut graph) = (&network.graph, Graph::default());
    let [h, w] = network.architecture.input;
    let mut x = match start {
        Start::Pixels => graph.input(IMAGE, Shape::new(&[1, h, w, 3]), Dtype::U8),
        Start::Preprocessed => graph.input(PREPROCESSED, Shape::new(&[1, h, w, 3]), Dtype::F32),
    };
    for node in full.nodes.iter().filter(|node| node.name != LOSS) {
        let dropped =
            node.op.kind() == "dropout" || (start, &*node.name) == (Start::Preprocessed, PREPROCESSED);
        if !dropped {
            x = graph.push(&node.name, node.op.clone(), &[x])?;
        }
        if node.name == last {
            break;
        }
    }
    graph.set_trainable(|_| false);
    Ok(graph)
}

impl Probe {
    /// Binds the layers up to `of`, whose outputs are scored, for `batch` samples; the gradient is that of the value
    /// `wanted`, a layer or [`PREPROCESSED`]. Parameters must be in the store.
    ///
    /// # Errors
    /// A layer that does not exist or lies above `of`, or a pass that the memory does not hold.
    pub fn new(
        network: &Network,
        store: &mut Store,
        (of, wanted): (&str, &str),
        start: Start,
        batch: usize,
    ) -> Result<Probe> {
        let mut graph = body(network, of, start)?;
        let scored = graph.nodes.last().map(|node| node.y).expect("a body has layers");
        let Some(value) = graph.find(wanted) else {
            let below: Vec<&str> = graph.values.iter().map(|value| value.name.as_str()).collect();
            return Err(unknown(&format!("layer below {of}"), wanted, &below));
        };
        let input = graph.inputs().next().expect("a body has an input");
        let direction = graph.input("direction", graph.values[scored.0].shape, Dtype::F32);
        let score = graph.push("score", Arc::new(Score), &[scored, direction])?;
        graph.want_gradient(value);
        let tap = |role: fn(ValueId) -> Role, value: ValueId| Tap {
            role: role(graph.root(value, true)),
            width: graph.values[value.0].shape.numel() as usize,
        };
        let (scored, gradient) = (tap(Role::Activation, scored), tap(Role::Gradient, value));
        let value = tap(if value == input { Role::Input } else { Role::Activation }, value);
        let mut outputs = vec![Role::Activation(score), scored.role, gradient.role];
        if value.role != Role::Input(input) {
            outputs.push(value.role);
        }
        let settings = Settings { batch, training: true, outputs, ..Settings::default() };
        let plan = Plan::new(&graph, store.device().caps(), settings)?;
        let program = Program::new(&graph, plan, store)?;
        Ok(Probe { program, input, direction, scored, value, gradient })
    }

    /// Elements of the scored layer per sample: the length of a direction.
    pub fn scored_width(&self) -> usize {
        self.scored.width
    }

    /// (h, w, channels) of the value whose gradient is asked for; (1, 1, width) of a vector.
    pub fn value_size(&self) -> [usize; 3] {
        let graph = self.program.graph();
        let wanted = graph.wanted[0];
        match *graph.values[wanted.0].shape.dims() {
            [_, h, w, c] => [h, w, c],
            _ => [1, 1, self.value.width],
        }
    }

    /// One pass over the bytes of `n` samples; the score of each is its product with `direction` (n, width).
    ///
    /// # Errors
    /// The device is lost.
    pub fn run(&mut self, input: &[u8], direction: &[f32], n: usize) -> Result<Reading> {
        self.program.feed(self.input, input);
        self.program.feed(self.direction, bytemuck::cast_slice(direction));
        self.program.run(n, &Now { loss_scale: 1.0, ..Now::default() }, 0)?;
        let read = |tap: Tap| self.program.read(tap.role, (n * tap.width) as u64);
        Ok(Reading { scored: read(self.scored)?, value: read(self.value)?, gradient: read(self.gradient)? })
    }

    /// As [`Probe::run`] over one image for the score of class `class`, or of the likeliest where it is `None`; gives
    /// the class with the reading.
    ///
    /// # Errors
    /// There is no such class, or the device is lost.
    pub fn run_class(&mut self, image: &[u8], class: Option<usize>) -> Result<(usize, Reading)> {
        let width = self.scored.width;
        let class = match class {
            Some(class) if class < width => class,
            Some(class) => return Err(Error::Usage(format!("class {class} of {width}; they count from 0"))),
            None => crate::train::metrics::argmax(&self.run(image, &vec![0.0; width], 1)?.scored),
        };
        let mut direction = vec![0.0; width];
        direction[class] = 1.0;
        Ok((class, self.run(image, &direction, 1)?))
    }
}
