//! The program: a plan bound to a device. Buffers, pipelines and bind groups are made once and re-encoded each step.

use std::collections::HashMap;
use std::sync::Arc;

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::error::Result;
use crate::gpu::launch::Bound;
use crate::gpu::pipeline::Build;
use crate::gpu::{Buffer, Device, Dtype, Launch, Pipeline};
use crate::graph::builder::{Graph, ValueId};
use crate::graph::draft::{Add, PlannedStep};
use crate::graph::names::own_name;
use crate::graph::plan::{Place, Plan};
use crate::graph::role::Role;
use crate::graph::store::Store;
use crate::graph::watch::{Timed, Watch};
use crate::ops::{Now, Operand};

/// A plan with its buffers, ready to run.
pub struct Program {
    device: Arc<Device>,
    graph: Graph,
    plan: Plan,
    /// The buffer of each of the plan's tensors.
    buffers: Vec<Arc<Buffer>>,
    body: Vec<Bind>,
    updates: Vec<Bind>,
    /// The body's steps for smaller batches, by size.
    smaller: HashMap<usize, Vec<PlannedStep>>,
    watch: Option<Watch>,
}

struct Bind {
    pipeline: Arc<Pipeline>,
    bound: Bound,
}

impl Program {
    /// Allocates what `plan` says, compiles its kernels and runs its prologue. Parameters must be in the store.
    ///
    /// # Errors
    /// Out of memory, a kernel that does not compile, or a lost device.
    pub fn new(graph: &Graph, plan: Plan, store: &mut Store) -> Result<Program> {
        let device = store.device().clone();
        let slots = plan.slots.iter().map(|slot| device.memory("slot", slot.bytes, slot.form).map(Arc::new));
        let slots = slots.collect::<Result<Vec<_>>>()?;
        let mut buffers = Vec::with_capacity(plan.tensors.len());
        let mut fresh = vec![false; plan.tensors.len()];
        for (id, tensor) in plan.tensors.iter().enumerate() {
            let (buffer, made) = match tensor.place {
                Place::Slot(slot) => (slots[slot].clone(), false),
                Place::Own => match own_name(graph, &plan, id) {
                    Some(name) if tensor.constant => store.share(&name, tensor.bytes, tensor.form)?,
                    Some(name) => store.get_or_make(&name, tensor.bytes, tensor.form)?,
                    None => (Arc::new(device.buffer("input", tensor.bytes)?), true),
                },
            };
            buffers.push(buffer);
            fresh[id] = made;
        }
        let mut program = Program {
            body: Vec::new(),
            updates: Vec::new(),
            smaller: HashMap::new(),
            watch: None,
            device,
            graph: graph.clone(),
            plan,
            buffers,
        };
        program.body = program.bind_all(&program.plan.body)?;
        program.updates = program.bind_all(&program.plan.updates)?;
        program.run_prologue(&fresh)?;
        Ok(program)
    }

    /// Constants that another program has already computed into the store are not computed again.
    fn run_prologue(&self, fresh: &[bool]) -> Result<()> {
        let stale =
            |step: &&PlannedStep| step.tensors.iter().any(|&t| self.plan.tensors[t].constant && fresh[t]);
        let steps: Vec<PlannedStep> = self.plan.prologue.iter().filter(stale).cloned().collect();
        let binds = self.bind_all(&steps)?;
        self.submit(&steps, &binds, &Now::default(), 0)
    }

    fn bind_all(&self, steps: &[PlannedStep]) -> Result<Vec<Bind>> {
        steps.iter().map(|step| self.bind(step)).collect()
    }

    fn bind(&self, planned: &PlannedStep) -> Result<Bind> {
        let build = Build { guard: 0, checked: false };
        let pipeline = self.device.pipeline(&planned.step.kernel, &planned.step.slots(), build)?;
        let bindings = planned.step.bindings.iter().zip(&planned.tensors);
        let ranges: Vec<_> = bindings
            .map(|(binding, &t)| {
                let whole = 0..self.plan.tensors[t].bytes;
                (&*self.buffers[t], binding.window.clone().unwrap_or(whole))
            })
            .collect();
        let bound = self.device.bind(&pipeline, &ranges);
        Ok(Bind { pipeline, bound })
    }

    fn submit(&self, steps: &[PlannedStep], binds: &[Bind], now: &Now, micro: usize) -> Result<()> {
        let launches: Vec<Launch> = steps
            .iter()
            .zip(binds)
            .map(|(planned, bind)| Launch {
                pipeline: bind.pipeline.clone(),
                bound: bind.bound.clone(),
                words: planned.step.block(now, |_: Operand| adds(planned.add, micro)),
                groups: planned.step.groups,
                flops: planned.step.flops,
            })
            .collect();
        match &self.watch {
            Some(watch) => watch.run(&self.device, steps, &launches),
            None => self.device.submit(&launches),
        }
    }

    /// From now on every dispatch runs alone, waited for and timed.
    pub fn watch(&mut self) {
        self.watch = Some(Watch::begin());
    }

    /// Ends [`Program::watch`] and gives what it saw, in order.
    pub fn unwatch(&mut self) -> Vec<Timed> {
        self.watch.take().map_or_else(Vec::new, |watch| watch.take())
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Writes an input's samples; ordered before the next [`Program::run`].
    ///
    /// # Panics
    /// `value` is not an input that the plan reads.
    pub fn feed(&self, value: ValueId, bytes: &[u8]) {
        let id = self.plan.tensor(Role::Input(value)).expect("an input of this plan");
        self.device.upload(&self.buffers[id], 0, bytes);
    }

    /// Runs one pass over `n` samples, `n` at most the planned batch, without waiting. `micro` counts the passes of
    /// one whole batch from 0; from 1 on gradients add to what is there.
    ///
    /// # Errors
    /// The device is lost.
    pub fn run(&mut self, n: usize, now: &Now, micro: usize) -> Result<()> {
        if n == self.plan.settings.batch {
            return self.submit(&self.plan.body, &self.body, now, micro);
        }
        if !self.smaller.contains_key(&n) {
            self.smaller.insert(n, self.plan.body_at(&self.graph, n));
        }
        self.submit(&self.smaller[&n], &self.body, now, micro)
    }

    /// Runs the updates of a plan whose gradients accumulate; nothing otherwise.
    ///
    /// # Errors
    /// The device is lost.
    pub fn update(&self, now: &Now) -> Result<()> {
        self.submit(&self.plan.updates, &self.updates, now, 0)
    }

    /// The buffer behind a role of the plan, for reading back.
    pub fn buffer(&self, role: Role) -> Option<&Buffer> {
        self.plan.tensor(role).map(|id| &*self.buffers[id])
    }

    /// Reads the first `elements` floats of a tensor, after everything submitted so far.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// The plan has no such tensor.
    pub fn read(&self, role: Role, elements: u64) -> Result<Vec<f32>> {
        let id = self.plan.tensor(role).expect("a tensor of this plan");
        let mut values = vec![0f32; elements as usize];
        if self.plan.tensors[id].dtype == Dtype::F16 {
            let mut halves = vec![f16::ZERO; elements as usize];
            self.device.download_into(&self.buffers[id], 0, bytemuck::cast_slice_mut(&mut halves))?;
            halves.convert_to_f32_slice(&mut values);
        } else {
            self.device.download_into(&self.buffers[id], 0, bytemuck::cast_slice_mut(&mut values))?;
        }
        Ok(values)
    }
}

fn adds(add: Add, micro: usize) -> bool {
    match add {
        Add::Never => false,
        Add::Always => true,
        Add::LaterMicroBatches => micro > 0,
    }
}
