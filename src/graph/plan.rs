//! The plan: a draft with memory. What runs once, what runs each step, which tensors share a slot, and how much it takes.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::gpu::{Caps, Dtype, Form};
use crate::graph::builder::{Graph, Node};
use crate::graph::draft::{Draft, DraftTensor, PlannedStep};
use crate::graph::fuse::Inside;
use crate::graph::role::{Owner, Role};
use crate::graph::settings::Settings;
use crate::graph::slots::{self, Lifetime, Slot};
use crate::ops::{Access, Word};

/// Where a tensor lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a slot that other tensors use at other times.
    Slot(usize),
    /// In a buffer of its own that outlives the pass: parameters, optimizer state, inputs, outputs of the prologue.
    Own,
}

#[derive(Clone, Copy, Debug)]
pub struct Tensor {
    pub role: Role,
    pub bytes: u64,
    pub form: Form,
    pub dtype: Dtype,
    pub place: Place,
    /// Written by the prologue and never again.
    pub constant: bool,
}

/// See the module's first line.
#[derive(Clone, Debug)]
pub struct Plan {
    pub settings: Settings,
    pub caps: Caps,
    pub tensors: Vec<Tensor>,
    pub slots: Vec<Slot>,
    /// Steps over constants, run once.
    pub prologue: Vec<PlannedStep>,
    pub body: Vec<PlannedStep>,
    /// Once per whole batch, where gradients accumulate.
    pub updates: Vec<PlannedStep>,
    /// Nodes whose work the steps of others do.
    pub inside: Vec<Inside>,
}

/// Planned device bytes by purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Memory {
    pub parameters: u64,
    pub optimizer_state: u64,
    /// Results of the prologue, such as transformed weights.
    pub constants: u64,
    pub inputs: u64,
    /// Activations, gradients and scratch, sharing slots.
    pub slots: u64,
}

impl Memory {
    pub fn total(&self) -> u64 {
        self.parameters + self.beside_parameters()
    }

    pub fn beside_parameters(&self) -> u64 {
        self.optimizer_state + self.constants + self.inputs + self.slots
    }
}

impl Plan {
    /// # Errors
    /// A tensor that no binding or buffer of this adapter can hold, a precision that it lacks, or micro-batches where a
    /// layer that trains needs the whole batch; the message names the cure.
    pub fn new(graph: &Graph, caps: &Caps, settings: Settings) -> Result<Plan> {
        settings.precision.check(caps)?;
        let draft = Draft::new(graph, caps, &settings, settings.batch);
        check_limits(graph, caps, &settings, &draft)?;
        check_whole(graph, &settings)?;
        let (prologue, body, constant) = hoist(graph, &draft);
        let (places, slots) = place(&draft, &constant, &body, &settings);
        let tensors = draft.tensors.iter().zip(places).zip(constant);
        let tensors = tensors.map(|((t, place), constant)| Tensor {
            role: t.role,
            bytes: t.bytes,
            form: t.form,
            dtype: t.dtype,
            place,
            constant,
        });
        Ok(Plan {
            tensors: tensors.collect(),
            slots,
            prologue,
            body,
            updates: draft.updates,
            inside: draft.inside,
            settings,
            caps: caps.clone(),
        })
    }

    /// The body's steps for `n` samples, `n` at most the planned batch: the same kernels over the same tensors.
    pub fn body_at(&self, graph: &Graph, n: usize) -> Vec<PlannedStep> {
        let draft = Draft::new(graph, &self.caps, &self.settings, n);
        let (_, body, _) = hoist(graph, &draft);
        assert_eq!(body.len(), self.body.len(), "a lowering depends on the batch size");
        body
    }

    pub fn memory(&self) -> Memory {
        let mut memory =
            Memory { slots: self.slots.iter().map(|slot| slot.bytes).sum(), ..Memory::default() };
        for tensor in self.tensors.iter().filter(|t| t.place == Place::Own) {
            let group = match tensor.role {
                Role::Param(_) => &mut memory.parameters,
                Role::State(..) | Role::Scaling => &mut memory.optimizer_state,
                Role::Input(_) => &mut memory.inputs,
                _ => &mut memory.constants,
            };
            *group += tensor.bytes;
        }
        memory
    }

    /// Bytes that each node's forward pass leaves for the backward pass, counted once per tensor.
    pub fn kept(&self, graph: &Graph) -> BTreeMap<usize, u64> {
        let mut kept = BTreeMap::new();
        for (id, tensor) in self.tensors.iter().enumerate() {
            let maker = match tensor.role {
                Role::Activation(value) => graph.values[value.0].node,
                Role::Aux(node) => Some(node),
                _ => None,
            };
            let forward = |step: &&PlannedStep| step.step.part == crate::ops::Part::Forward;
            let read_later = self.body.iter().filter(|s| !forward(s)).any(|s| s.tensors.contains(&id));
            if let Some(node) = maker.filter(|_| read_later) {
                *kept.entry(node.0).or_default() += tensor.bytes;
            }
        }
        kept
    }

    pub fn tensor(&self, role: Role) -> Option<usize> {
        self.tensors.iter().position(|tensor| tensor.role == role)
    }
}

/// Moves every step whose inputs are all constant out of the body: frozen weights, and what is computed from them.
fn hoist(graph: &Graph, draft: &Draft) -> (Vec<PlannedStep>, Vec<PlannedStep>, Vec<bool>) {
    let mut constant = vec![false; draft.tensors.len()];
    let frozen = |t: &DraftTensor| matches!(t.role, Role::Param(p) if !graph.params[p.0].trainable);
    let is_param: Vec<bool> = draft.tensors.iter().map(frozen).collect();
    let (mut prologue, mut body) = (Vec::new(), Vec::new());
    for step in &draft.body {
        let bindings = || step.step.bindings.iter().zip(&step.tensors);
        let live = |word: &Word| matches!(word, Word::Live(_) | Word::Scaled(..) | Word::Rest(_));
        let live = step.step.words.iter().any(live);
        let reads_constants =
            bindings().all(|(b, &t)| b.access == Access::Write || constant[t] || is_param[t]);
        if reads_constants && !live {
            bindings().filter(|(b, _)| b.access == Access::Write).for_each(|(_, &t)| constant[t] = true);
            prologue.push(step.clone());
        } else {
            body.push(step.clone());
        }
    }
    (prologue, body, constant)
}

fn place(
    draft: &Draft,
    constant: &[bool],
    body: &[PlannedStep],
    settings: &Settings,
) -> (Vec<Place>, Vec<Slot>) {
    let tensors = &draft.tensors;
    let end = body.len().saturating_sub(1);
    let mut first = vec![usize::MAX; tensors.len()];
    let mut last = vec![0; tensors.len()];
    for (i, step) in body.iter().enumerate() {
        for &t in &step.tensors {
            first[t] = first[t].min(i);
            last[t] = i;
        }
    }
    for &t in draft.updates.iter().flat_map(|step| &step.tensors) {
        first[t] = first[t].min(end);
        last[t] = end;
    }
    let mut places = vec![Place::Own; tensors.len()];
    let (mut pooled, mut lifetimes) = (Vec::new(), Vec::new());
    for (id, tensor) in tensors.iter().enumerate() {
        let own = matches!(tensor.role, Role::Input(_) | Role::Param(_) | Role::State(..) | Role::Scaling);
        if own || constant[id] {
            continue;
        }
        // An accumulated gradient outlives the pass; an output is read after it.
        let accumulated = settings.updates_at_end && matches!(tensor.role, Role::ParamGradient(_));
        let until = if settings.outputs.contains(&tensor.role) || accumulated { end } else { last[id] };
        let from = if accumulated { 0 } else { first[id].min(until) };
        pooled.push(id);
        lifetimes.push(Lifetime { bytes: tensor.bytes, form: tensor.form, steps: from..=until });
    }
    let (slots, sizes) = slots::assign(&lifetimes);
    for (id, slot) in pooled.into_iter().zip(slots) {
        places[id] = Place::Slot(slot);
    }
    (places, sizes)
}

fn check_limits(graph: &Graph, caps: &Caps, settings: &Settings, draft: &Draft) -> Result<()> {
    let mut bound = vec![0u64; draft.tensors.len()];
    let mut user = vec![""; draft.tensors.len()];
    for step in draft.body.iter().chain(&draft.updates) {
        for (binding, &t) in step.step.bindings.iter().zip(&step.tensors) {
            let bytes = binding.window.as_ref().map_or(draft.tensors[t].bytes, |w| w.end - w.start);
            bound[t] = bound[t].max(bytes);
            user[t] = owner_name(graph, step.owner);
        }
    }
    for ((tensor, bound), user) in draft.tensors.iter().zip(bound).zip(user) {
        let refuse = |needed, limit_name, limit| {
            Err(Error::TooLarge {
                what: match tensor.role {
                    Role::Scratch(..) => format!("scratch memory of {user}"),
                    role => describe(graph, role, settings.batch),
                },
                needed,
                limit_name,
                limit,
                cure: cure(tensor.role, settings.batch).to_owned(),
            })
        };
        let most = caps.max_bytes(tensor.form);
        if tensor.bytes > most {
            return refuse(tensor.bytes, "the largest buffer of this adapter", most);
        }
        if tensor.form == Form::Words && bound > caps.max_binding {
            return refuse(bound, "the largest binding of this adapter", caps.max_binding);
        }
    }
    Ok(())
}

/// Gradients of parts of a batch do not add up to its own where a layer mixes its samples.
fn check_whole(graph: &Graph, settings: &Settings) -> Result<()> {
    let mixes = |node: &&Node| node.op.mixes_batch() && graph.trains(node);
    match graph.nodes.iter().find(mixes).filter(|_| settings.updates_at_end) {
        None => Ok(()),
        Some(node) => Err(Error::Shape {
            op: node.op.kind(),
            layer: node.name.clone(),
            what: "trains on the statistics of the whole batch, which does not fit in one pass; use a smaller --batch or \
                   --input, give more --memory, or freeze this layer"
                .to_owned(),
        }),
    }
}

fn cure(role: Role, batch: usize) -> &'static str {
    match role {
        Role::Param(_) | Role::ParamGradient(_) | Role::State(..) => {
            "pool before the dense layer (--pool avg), or use a smaller head or --input"
        }
        _ if batch > 1 => "use a smaller --batch",
        _ => "a single image is too large for this adapter: use a smaller --input",
    }
}

/// A tensor's name for people: `output of block1_conv2 (16x256x256x64)`.
pub fn describe(graph: &Graph, role: Role, n: usize) -> String {
    let value = |v: crate::graph::ValueId| format!("{} ({})", graph.values[v.0].name, graph.shape(v, n));
    match role {
        Role::Input(v) => format!("input {}", value(v)),
        Role::Activation(v) => format!("output of {}", value(v)),
        Role::Gradient(v) => format!("gradient of {}", value(v)),
        Role::Aux(node) => format!("auxiliary result of {}", graph.nodes[node.0].name),
        Role::Param(p) => format!("{} ({})", graph.params[p.0].name, graph.params[p.0].spec.shape),
        Role::ParamGradient(p) => format!("gradient of {}", graph.params[p.0].name),
        Role::State(p, i) => format!("optimizer state {i} of {}", graph.params[p.0].name),
        Role::Scaling => "what loss scaling keeps".to_owned(),
        Role::Scratch(..) => "scratch memory".to_owned(),
    }
}

/// The name of the layer or parameter whose work a step is.
pub fn owner_name(graph: &Graph, owner: Owner) -> &str {
    match owner {
        Owner::Node(node) => &graph.nodes[node.0].name,
        Owner::Param(param) => &graph.params[param.0].name,
        Owner::Trained => "all gradients",
    }
}
