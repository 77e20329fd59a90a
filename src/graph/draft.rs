//! The draft: every step of a run in order, over tensors that have a role and a size but no memory yet.

mod updates;

use std::collections::{HashMap, HashSet};

use crate::gpu::{Caps, Form};
use crate::graph::builder::{Graph, Node, NodeId, ParamId};
use crate::graph::fuse::{Inside, fuse};
use crate::graph::grad::Sweep;
use crate::graph::role::{Owner, Role};
use crate::graph::settings::Settings;
use crate::graph::share::Shared;
use crate::ops::{Access, Dtype, Lowered, Operand, Rungs, Scratch, Site, Step};
use crate::optim::{Scaling, scaling};
use crate::shape::Shape;

/// What a step does with what lies at its gradient destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Add {
    /// Overwrite it.
    Never,
    /// Add: another consumer of the same value has been here before.
    Always,
    /// Overwrite in the first micro-batch, add in the later ones.
    LaterMicroBatches,
}

#[derive(Clone, Debug)]
pub struct PlannedStep {
    pub owner: Owner,
    pub step: Step,
    /// The tensor of each binding, as an index into the plan's tensors.
    pub tensors: Vec<usize>,
    pub add: Add,
}

#[derive(Clone, Copy, Debug)]
pub struct DraftTensor {
    pub role: Role,
    pub bytes: u64,
    pub form: Form,
    pub dtype: Dtype,
}

/// See the module's first line. `updates` holds the steps that run once per whole batch.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub tensors: Vec<DraftTensor>,
    pub body: Vec<PlannedStep>,
    pub updates: Vec<PlannedStep>,
    /// Nodes whose work the steps of others do.
    pub inside: Vec<Inside>,
}

/// A stable number for a layer's name, so that a layer draws the same random numbers in every graph it is part of.
pub fn layer_key(name: &str) -> u32 {
    // FNV-1a, 32 bits.
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl Draft {
    /// Lowers the part of `graph` that `settings.outputs` need, for `n` samples.
    pub fn new(graph: &Graph, caps: &Caps, settings: &Settings, n: usize) -> Draft {
        let (graph, inside) = fuse(graph, &settings.outputs);
        let graph = &graph;
        let mut drafter = Drafter {
            graph,
            caps,
            settings,
            n,
            sweep: Sweep::of(graph),
            draft: Draft { inside, ..Draft::default() },
            index: HashMap::new(),
            begun: HashSet::new(),
            shared: Shared::default(),
            trained: Vec::new(),
            lowerings: 0,
        };
        let needed = needed(graph, settings);
        let nodes = || graph.nodes.iter().enumerate().map(|(i, node)| (NodeId(i), node));
        for (id, node) in nodes().filter(|(id, _)| needed[id.0]) {
            drafter.forward(id, node);
        }
        if settings.training {
            for (id, node) in nodes().rev().filter(|(id, _)| needed[id.0]) {
                drafter.backward(id, node);
            }
            drafter.late_updates();
        }
        drafter.draft
    }
}

/// Nodes that an output depends on.
fn needed(graph: &Graph, settings: &Settings) -> Vec<bool> {
    let mut values = vec![false; graph.values.len()];
    let mut nodes = vec![false; graph.nodes.len()];
    for role in &settings.outputs {
        match *role {
            Role::Activation(value) => values[value.0] = true,
            Role::Aux(node) => nodes[node.0] = true,
            _ => {}
        }
    }
    for (i, node) in graph.nodes.iter().enumerate().rev() {
        nodes[i] |= values[node.y.0];
        if nodes[i] {
            node.x.iter().for_each(|x| values[x.0] = true);
        }
    }
    nodes
}

struct Drafter<'a> {
    graph: &'a Graph,
    caps: &'a Caps,
    settings: &'a Settings,
    n: usize,
    sweep: Sweep,
    draft: Draft,
    index: HashMap<Role, usize>,
    /// Gradients that some consumer has already written.
    begun: HashSet<Role>,
    shared: Shared,
    /// Parameters with a gradient, in the order in which their gradients are made.
    trained: Vec<ParamId>,
    lowerings: usize,
}

impl Drafter<'_> {
    fn forward(&mut self, id: NodeId, node: &Node) {
        let shapes = self.graph.x_shapes(node, self.n);
        let lowered = node.op.forward(&self.site(node, &shapes));
        self.block(Owner::Node(id), lowered, &shapes);
    }

    fn backward(&mut self, id: NodeId, node: &Node) {
        let wants = self.sweep.nodes[id.0].wants.clone();
        if !wants.any() {
            return;
        }
        let shapes = self.graph.x_shapes(node, self.n);
        let lowered = node.op.backward(&self.site(node, &shapes), &wants);
        self.block(Owner::Node(id), lowered, &shapes);
        if self.scales_losses() && node.op.is_loss() {
            self.block(Owner::Node(id), Scaling::default().scale(shapes[0], self.caps).into(), &shapes);
        }
        for (param, _) in node.params.iter().zip(&wants.d_params).filter(|(_, wanted)| **wanted) {
            self.trained.push(*param);
            if !self.updates_wait() {
                self.update(*param);
            }
        }
    }

    fn site<'s>(&'s self, node: &Node, x: &'s [Shape]) -> Site<'s> {
        let mut site = Site {
            x,
            y: self.graph.shape(node.y, self.n),
            caps: self.caps,
            rungs: Rungs::all(crate::ops::Rung::Naive),
            training: self.settings.training,
            trains: self.settings.training && self.graph.trains(node),
            layer: layer_key(&node.name),
            precision: self.settings.precision,
        };
        site.rungs = self.settings.choices.rungs(&*node.op, &site);
        site
    }

    /// Appends the steps of one lowering, giving each operand its tensor.
    fn block(&mut self, owner: Owner, lowered: Lowered, shapes: &[Shape]) {
        let mut writes = Vec::new();
        for step in lowered.steps {
            let roles: Vec<Role> = step.bindings.iter().map(|b| self.role(owner, b.operand)).collect();
            if self.shared.knows(&step, &roles) {
                continue;
            }
            let mut tensors = Vec::with_capacity(step.bindings.len());
            let mut add = Add::Never;
            for (binding, role) in step.bindings.iter().zip(roles) {
                let role = self.shared.resolve(role);
                tensors.push(self.tensor(role, binding.form, shapes, &lowered.scratch));
                if binding.access == Access::Gradient {
                    add = self.add(role);
                    writes.push(role);
                }
            }
            let step = step.over(tensors.iter().map(|&t| self.draft.tensors[t].dtype));
            let at_end = !matches!(owner, Owner::Node(_)) && self.settings.updates_at_end;
            let steps = if at_end { &mut self.draft.updates } else { &mut self.draft.body };
            steps.push(PlannedStep { owner, step, tensors, add });
        }
        self.begun.extend(writes);
        self.lowerings += 1;
    }

    fn add(&self, role: Role) -> Add {
        match role {
            Role::ParamGradient(_) if self.settings.updates_at_end => Add::LaterMicroBatches,
            _ if self.begun.contains(&role) => Add::Always,
            _ => Add::Never,
        }
    }

    fn role(&self, owner: Owner, operand: Operand) -> Role {
        let node = match (owner, operand) {
            (_, Operand::Scratch(i)) => return Role::Scratch(self.lowerings, i),
            (_, Operand::Scaling) => return Role::Scaling,
            (Owner::Param(param), Operand::State(i)) => return Role::State(param, i),
            (Owner::Param(param), Operand::DParam(_)) => return Role::ParamGradient(param),
            (Owner::Param(param), _) => return Role::Param(param),
            (Owner::Trained, Operand::DParam(i)) => return Role::ParamGradient(self.trained[i]),
            (Owner::Trained, _) => unreachable!("joint work reads gradients only"),
            (Owner::Node(id), _) => (id, &self.graph.nodes[id.0]),
        };
        let root = |value| self.graph.root(value, self.settings.training);
        let (id, node) = node;
        match operand {
            Operand::X(i) => match root(node.x[i]) {
                value if self.graph.values[value.0].node.is_none() => Role::Input(value),
                value => Role::Activation(value),
            },
            Operand::Y => Role::Activation(root(node.y)),
            Operand::Aux => Role::Aux(id),
            Operand::DY => Role::Gradient(root(node.y)),
            Operand::DX(i) => Role::Gradient(root(node.x[i])),
            Operand::Param(i) => Role::Param(node.params[i]),
            Operand::DParam(i) => Role::ParamGradient(node.params[i]),
            Operand::Scratch(_) | Operand::Scaling | Operand::State(_) => {
                unreachable!("handled above or never lowered")
            }
        }
    }

    fn tensor(&mut self, role: Role, form: Form, shapes: &[Shape], scratch: &[Scratch]) -> usize {
        if let Some(&known) = self.index.get(&role) {
            return known;
        }
        let (dtype, bytes) = self.stored(role, shapes, scratch);
        self.draft.tensors.push(DraftTensor { role, bytes: form.round_up(bytes), form, dtype });
        self.index.insert(role, self.draft.tensors.len() - 1);
        self.draft.tensors.len() - 1
    }

    /// How a tensor is stored, and its bytes.
    fn stored(&self, role: Role, shapes: &[Shape], scratch: &[Scratch]) -> (Dtype, u64) {
        let of = |dtype: Dtype, shape: Shape| (dtype, dtype.bytes(shape.numel()));
        match role {
            Role::Input(v) => of(self.graph.values[v.0].dtype, self.graph.shape(v, self.n)),
            Role::Activation(v) | Role::Gradient(v) => {
                let Settings { training, precision, .. } = *self.settings;
                of(self.graph.stored(v, training, precision), self.graph.shape(v, self.n))
            }
            Role::Aux(node) => {
                let aux = self.graph.nodes[node.0].op.aux(shapes);
                aux.map_or((Dtype::F32, 0), |(shape, dtype)| of(dtype, shape))
            }
            Role::Param(p) | Role::ParamGradient(p) | Role::State(p, _) => {
                of(Dtype::F32, self.graph.params[p.0].spec.shape)
            }
            Role::Scaling => of(Dtype::F32, Shape::new(&[scaling::NUMBERS])),
            Role::Scratch(_, i) => (scratch[i].dtype, scratch[i].bytes),
        }
    }
}
