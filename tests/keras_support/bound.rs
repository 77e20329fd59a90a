//! A model on the device, over its whole batch.

use std::collections::HashMap;

use frostline::gpu::Caps;
use frostline::graph::fuse::fuse;
use frostline::graph::role::Role;
use frostline::graph::{Choices, Graph, ParamId, Plan, Program, Settings, Store, ValueId};
use frostline::nn::network::{Ends, IMAGE};
use frostline::nn::{Freeze, Network};
use frostline::ops::{Now, Part, Precision, Rung, Rungs, Site};

use super::{Model, wide};

/// A program over the whole batch of a model, fed and ready.
pub struct Bound {
    pub graph: Graph,
    pub program: Program,
    pub store: Store,
    pub ends: Ends,
    n: usize,
}

impl Bound {
    /// `trains` sees parameters' names; `roles` are what is read afterwards, and may ask for more gradients.
    pub fn new(
        model: &Model,
        trains: impl Fn(&str) -> bool,
        smoothing: f32,
        rung: Option<Rung>,
        settings: Settings,
        roles: impl Fn(&mut Graph) -> Vec<Role>,
    ) -> Bound {
        let mut graph = Network::new(model.architecture.clone(), &Freeze::None, smoothing).unwrap().graph;
        for param in &mut graph.params {
            param.trainable = trains(&param.name);
        }
        let mut store = Store::new(crate::support::device().clone());
        model.start.iter().for_each(|(name, values)| store.write(name, values).unwrap());
        let (ends, n) = (Ends::of(&graph).unwrap(), model.samples());
        let mut outputs = vec![ends.losses, ends.probabilities];
        outputs.extend(roles(&mut graph));
        let choices = choices(&graph, &outputs, store.device().caps(), rung);
        let settings = Settings { batch: n, outputs, choices, ..settings };
        let plan = Plan::new(&graph, store.device().caps(), settings).unwrap();
        let program = Program::new(&graph, plan, &mut store).unwrap();
        let image: Vec<u8> = model.inputs["x_uint8"].data.iter().map(|&v| v as u8).collect();
        let labels: Vec<u32> = model.inputs["y"].data.iter().map(|&v| v as u32).collect();
        program.feed(graph.find(IMAGE).unwrap(), &image);
        program.feed(ends.labels, bytemuck::cast_slice(&labels));
        let bound = Bound { graph, program, store, ends, n };
        bound.weigh(model, false);
        bound
    }

    /// Sets the samples' weights: 1, or their class's. They are given back.
    pub fn weigh(&self, model: &Model, by_class: bool) -> Vec<f64> {
        let of = |y: &f64| if by_class { model.inputs["class_weight"].data[*y as usize] } else { 1.0 };
        let weights: Vec<f64> = model.inputs["y"].data.iter().map(of).collect();
        let narrow: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
        self.program.feed(self.ends.weights, bytemuck::cast_slice(&narrow));
        weights
    }

    pub fn now(&self, iteration: u32, learning_rate: f32) -> Now {
        Now { iteration, learning_rate, loss_scale: 1.0 / self.n as f32, ..Now::default() }
    }

    /// One step; gives the mean loss before it.
    pub fn run(&mut self, iteration: u32, learning_rate: f32) -> f64 {
        self.program.run(self.n, &self.now(iteration, learning_rate), 0).unwrap();
        let losses = self.program.read(self.ends.losses, self.n as u64).unwrap();
        wide(&losses).iter().sum::<f64>() / self.n as f64
    }

    /// What the latest step read, of the parameters that train.
    pub fn gradients(&self) -> HashMap<ParamId, Vec<f64>> {
        let params = self.graph.params.iter().enumerate().filter(|(_, param)| param.trainable);
        let read = |i, values: u64| self.read(Role::ParamGradient(ParamId(i)), values as usize);
        params.map(|(i, param)| (ParamId(i), read(i, param.spec.shape.numel()))).collect()
    }

    pub fn read(&self, role: Role, values: usize) -> Vec<f64> {
        wide(&self.program.read(role, values as u64).unwrap())
    }
}

/// `rung` wherever an op has it, those that took the next op in included; the defaults where there is none.
fn choices(graph: &Graph, outputs: &[Role], caps: &Caps, rung: Option<Rung>) -> Choices {
    let mut choices = Choices::default();
    let Some(rung) = rung else { return choices };
    let (fused, inside) = fuse(graph, outputs);
    let hosts = inside.iter().map(|inside| &fused.nodes[inside.host.0]);
    for node in graph.nodes.iter().chain(hosts) {
        let (x, y) = (graph.x_shapes(node, 1), graph.shape(node.y, 1));
        let site = Site {
            x: &x,
            y,
            caps,
            rungs: Rungs::all(Rung::Naive),
            training: true,
            trains: true,
            layer: 0,
            precision: Precision::F32,
        };
        for part in [Part::Forward, Part::DX, Part::DW] {
            choices.set(&*node.op, &site, part, rung);
        }
    }
    choices
}

/// The gradients of all parameters that train.
pub fn gradients_of(graph: &mut Graph) -> Vec<Role> {
    let trains = (0..graph.params.len()).filter(|&i| graph.params[i].trainable);
    trains.map(|i| Role::ParamGradient(ParamId(i))).collect()
}

/// What the first layer takes: pixels behind the preprocessing.
pub fn input(graph: &Graph) -> ValueId {
    graph.root(graph.find("preprocess").expect("every network prepares its pixels"), true)
}
