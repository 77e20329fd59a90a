//! Steps bound to tensors of their own, to run again and again: what benches and tuning time.
//!
//! ```no_run
//! use frostline::gpu::{Device, adapter::Choice};
//! use frostline::ops::{Case, Part, Rung, Rungs, conv2d::Conv2d};
//! use frostline::study::bound::{Bound, lower};
//! let device = Device::open(&Choice::Best)?;
//! let case = Case::new(Conv2d::vgg(64), &[&[1, 56, 56, 64]]);
//! let lowered = lower(&device, &case, Rungs::all(Rung::Naive), Part::DW).expect("a convolution has weights");
//! let launches = Bound::of(&device, &case)?.prepare(&lowered)?;
//! println!("d_w takes {} s", device.time(&launches)?);
//! # Ok::<(), frostline::error::Error>(())
//! ```

use std::collections::HashMap;

use half::f16;

use crate::error::Result;
use crate::gpu::pipeline::Build;
use crate::gpu::{Buffer, Device, Launch};
use crate::ops::{Case, Dtype, Lowered, Now, Operand, Part, Rungs, Step, Wants};
use crate::shape::Shape;

/// The steps of one part of a case alone; `None` where the op has no such part.
pub fn lower(device: &Device, case: &Case, rungs: Rungs, part: Part) -> Option<Lowered> {
    let site = case.site(device.caps(), rungs);
    let Wants { mut d_x, mut d_params } = case.wants();
    let others = if part == Part::DX { &mut d_params } else { &mut d_x };
    others.fill(false);
    let wants = Wants { d_x, d_params };
    match part {
        Part::Forward => Some(case.op.forward(&site)),
        Part::DX | Part::DW => wants.any().then(|| case.op.backward(&site, &wants)),
        Part::Update => None,
    }
}

/// Tensors on a device, placed as a program places them: no guard words, one buffer each.
pub struct Bound<'a> {
    device: &'a Device,
    tensors: HashMap<Operand, (Buffer, Dtype)>,
    now: Now,
}

impl<'a> Bound<'a> {
    pub fn new(device: &'a Device) -> Bound<'a> {
        Bound { device, tensors: HashMap::new(), now: Now::default() }
    }

    /// All tensors of a case: noise in the inputs, zero in the results. Inputs that are no floats are zero too.
    ///
    /// # Errors
    /// The device has no memory left.
    pub fn of(device: &'a Device, case: &Case) -> Result<Bound<'a>> {
        let mut bound = Bound::new(device);
        for (i, x) in case.x.iter().enumerate() {
            bound.noise(case, Operand::X(i), x)?;
            bound.zeros(case, Operand::DX(i), x)?;
        }
        for (i, param) in case.op.params(&case.x).iter().enumerate() {
            bound.noise(case, Operand::Param(i), &param.shape)?;
            bound.zeros(case, Operand::DParam(i), &param.shape)?;
        }
        bound.noise(case, Operand::Y, &case.y())?;
        bound.noise(case, Operand::DY, &case.y())?;
        if let Some((shape, _)) = case.op.aux(&case.x) {
            bound.zeros(case, Operand::Aux, &shape)?;
        }
        Ok(bound)
    }

    /// Zeros.
    ///
    /// # Errors
    /// The device has no memory left.
    pub fn reserve(&mut self, operand: Operand, dtype: Dtype, elements: u64) -> Result<()> {
        let buffer = self.device.buffer("bench", dtype.bytes(elements))?;
        self.tensors.insert(operand, (buffer, dtype));
        Ok(())
    }

    fn zeros(&mut self, case: &Case, operand: Operand, shape: &Shape) -> Result<()> {
        self.reserve(operand, case.dtype(operand), shape.numel())
    }

    /// Numbers between -1 and 1, about half of them positive.
    fn noise(&mut self, case: &Case, operand: Operand, shape: &Shape) -> Result<()> {
        self.zeros(case, operand, shape)?;
        let (buffer, dtype) = &self.tensors[&operand];
        let mut values: Vec<f32> =
            (0..shape.numel()).map(|i| (i * 7919 % 251) as f32 / 125.0 - 1.0).collect();
        match dtype {
            Dtype::F32 => self.device.upload(buffer, 0, bytemuck::cast_slice(&values)),
            Dtype::F16 => {
                values.resize(values.len().next_multiple_of(2), 0.0); // whole words
                let halves: Vec<f16> = values.into_iter().map(f16::from_f32).collect();
                self.device.upload(buffer, 0, bytemuck::cast_slice(&halves));
            }
            Dtype::U32 | Dtype::U8 => {}
        }
        Ok(())
    }

    /// Compiles and binds steps, so that running them is encoding and computing only.
    ///
    /// # Errors
    /// A kernel does not compile, or the device has no memory left.
    pub fn prepare(&mut self, lowered: &Lowered) -> Result<Vec<Launch>> {
        for (i, scratch) in lowered.scratch.iter().enumerate() {
            let buffer = self.device.memory("scratch", scratch.bytes, scratch.form)?;
            self.tensors.insert(Operand::Scratch(i), (buffer, scratch.dtype));
        }
        lowered.steps.iter().map(|step| self.launch(step)).collect()
    }

    fn launch(&self, step: &Step) -> Result<Launch> {
        let build = Build { guard: 0, checked: false };
        let step = step.clone().over(step.bindings.iter().map(|binding| self.tensors[&binding.operand].1));
        let pipeline = self.device.pipeline(&step.kernel, &step.slots(), build)?;
        let ranges: Vec<_> = step
            .bindings
            .iter()
            .map(|binding| {
                let (buffer, _) = &self.tensors[&binding.operand];
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
}
