//! One part of one op, bound to the device and ready to run again and again.

use std::collections::HashMap;

use frostline::error::Result;
use frostline::gpu::pipeline::Build;
use frostline::gpu::{Buffer, Device, Launch};
use frostline::ops::cases::Inputs;
use frostline::ops::{Case, Lowered, Now, Op, Operand, Part, Rung, Rungs, Site, Step, Wants};

/// A rung for each part: the one that `FROSTLINE_RUNG` names where the op has it, else the op's default.
pub fn rungs(device: &Device, case: &Case) -> Rungs {
    let wanted = std::env::var("FROSTLINE_RUNG").ok();
    let site = site(device, case, Rungs::all(Rung::Naive));
    let pick = |part| {
        let able = case.op.rungs(part, &site);
        able.iter().copied().find(|rung| wanted.as_deref() == Some(rung.name())).unwrap_or(able[0])
    };
    Rungs { forward: pick(Part::Forward), d_x: pick(Part::DX), d_w: pick(Part::DW) }
}

pub fn site<'a>(device: &'a Device, case: &'a Case, rungs: Rungs) -> Site<'a> {
    Site { x: &case.x, y: case.y(), caps: device.caps(), rungs, training: true, layer: 1 }
}

/// The steps of one part alone; `None` where the op has no such part.
pub fn lower(op: &dyn Op, site: &Site, part: Part) -> Option<Lowered> {
    let differentiable = (0..site.x.len()).map(|i| part == Part::DX && op.differentiable(i)).collect();
    let wants = Wants { d_x: differentiable, d_params: vec![part == Part::DW; op.params(site.x).len()] };
    match part {
        Part::Forward => Some(op.forward(site)),
        _ => wants.any().then(|| op.backward(site, &wants)),
    }
}

/// Tensors of one case on the device, placed as a program places them: no guard words, one buffer each.
pub struct Bound<'a> {
    device: &'a Device,
    tensors: HashMap<Operand, Buffer>,
    now: Now,
}

impl<'a> Bound<'a> {
    /// # Errors
    /// The device has no memory left.
    pub fn new(device: &'a Device, case: &Case, inputs: &Inputs) -> Result<Bound<'a>> {
        let mut bound = Bound { device, tensors: HashMap::new(), now: inputs.now };
        for (i, x) in inputs.x.iter().enumerate() {
            bound.place(Operand::X(i), &x.data)?;
            bound.place(Operand::DX(i), &vec![0.0; x.data.len()])?;
        }
        for (i, param) in inputs.params.iter().enumerate() {
            bound.place(Operand::Param(i), &param.data)?;
            bound.place(Operand::DParam(i), &vec![0.0; param.data.len()])?;
        }
        bound.place(Operand::Y, &vec![0.0; inputs.d_y.data.len()])?;
        bound.place(Operand::DY, &inputs.d_y.data)?;
        if let Some((shape, dtype)) = case.op.aux(&case.x) {
            let aux = device.buffer("aux", dtype.bytes(shape.numel()))?;
            bound.tensors.insert(Operand::Aux, aux);
        }
        Ok(bound)
    }

    fn place(&mut self, operand: Operand, values: &[f64]) -> Result<()> {
        let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        let buffer = self.device.buffer("bench", values.len() as u64 * 4)?;
        self.device.upload(&buffer, 0, bytemuck::cast_slice(&values));
        self.tensors.insert(operand, buffer);
        Ok(())
    }

    /// Compiles and binds steps, so that running them is encoding and computing only.
    ///
    /// # Errors
    /// A kernel does not compile, or the device has no memory left.
    pub fn prepare(&mut self, lowered: &Lowered) -> Result<Vec<Launch>> {
        for (i, scratch) in lowered.scratch.iter().enumerate() {
            let buffer = self.device.memory("scratch", scratch.bytes, scratch.form)?;
            self.tensors.insert(Operand::Scratch(i), buffer);
        }
        lowered.steps.iter().map(|step| self.launch(step)).collect()
    }

    fn launch(&self, step: &Step) -> Result<Launch> {
        let build = Build { guard: 0, checked: false };
        let pipeline = self.device.pipeline(&step.kernel, &step.slots(), build)?;
        let ranges: Vec<_> = step
            .bindings
            .iter()
            .map(|binding| {
                let buffer = &self.tensors[&binding.operand];
                (buffer, binding.window.clone().unwrap_or(0..buffer.bytes()))
            })
            .collect();
        Ok(Launch {
            bound: self.device.bind(&pipeline, &ranges),
            pipeline,
            words: step.block(&self.now, |_| false),
            groups: step.groups,
            flops: step.flops,
        })
    }

    /// Runs launches and waits for them.
    ///
    /// # Errors
    /// The device is lost.
    pub fn run(&self, launches: &[Launch]) -> Result<()> {
        self.device.submit(launches)?;
        self.device.wait()
    }
}
