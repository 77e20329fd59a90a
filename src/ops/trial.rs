//! A trial runs one op alone on a device, between guard words, and compares it with the reference.
//!
//! The guards lie *inside* each binding, before and after the tensor, because drivers drop what falls outside of a
//! binding and return zeros for it, which look like padding. Outputs are poisoned with NaN first.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::gpu::launch::Launch;
use crate::gpu::pipeline::Build;
use crate::gpu::{Buffer, Device, Form};
use crate::ops::cases::{Case, Inputs};
use crate::ops::reference::{Array, Given};
use crate::ops::{Dtype, Lowered, Operand, Rungs, Site, Step, Wants};
use crate::shape::Shape;

/// Words of guard before and after each tensor; a multiple of four, so that vec4 loads stay aligned.
pub const GUARD: u32 = 64;
/// A NaN: an input read from here shows in the output.
const POISON: u32 = 0x7fc0_dead;

/// The layer's number in a trial, which random numbers are keyed by.
pub const LAYER: u32 = 1;

/// How far one tensor of a trial is from the reference.
#[derive(Clone, Debug)]
pub struct Comparison {
    pub operand: Operand,
    /// `|a - b| / |b|` in the Euclidean norm.
    pub rel_l2: f64,
    /// Largest difference over the reference's largest value.
    pub max_rel: f64,
    /// Guard words that changed.
    pub broken_guards: usize,
}

/// One op on one device, its tensors placed between guard words.
pub struct Trial<'a> {
    device: &'a Device,
    case: &'a Case,
    site: Site<'a>,
    checked: bool,
    tensors: HashMap<Operand, Tensor>,
}

struct Tensor {
    buffer: Buffer,
    elements: u64,
    dtype: Dtype,
    form: Form,
}

impl<'a> Trial<'a> {
    /// # Errors
    /// The device has no memory left.
    pub fn new(device: &'a Device, case: &'a Case, rungs: Rungs, inputs: &Inputs) -> Result<Trial<'a>> {
        let site = Site { x: &case.x, y: case.y(), caps: device.caps(), rungs, training: true, layer: LAYER };
        let mut trial = Trial { device, case, site, checked: false, tensors: HashMap::new() };
        for (i, x) in inputs.x.iter().enumerate() {
            trial.place(Operand::X(i), x.shape, case.op.input_dtype(i), Some(x))?;
            trial.place(Operand::DX(i), x.shape, Dtype::F32, None)?;
        }
        for (i, param) in inputs.params.iter().enumerate() {
            trial.place(Operand::Param(i), param.shape, Dtype::F32, Some(param))?;
            trial.place(Operand::DParam(i), param.shape, Dtype::F32, None)?;
        }
        trial.place(Operand::Y, site.y, Dtype::F32, None)?;
        trial.place(Operand::DY, site.y, Dtype::F32, Some(&inputs.d_y))?;
        if let Some((shape, dtype)) = case.op.aux(&case.x) {
            trial.place(Operand::Aux, shape, dtype, None)?;
        }
        Ok(trial)
    }

    /// Runs with the driver-independent bounds checks: for edited kernels.
    pub fn checked(mut self) -> Self {
        self.checked = true;
        self
    }

    pub fn forward_steps(&self) -> Lowered {
        self.case.op.forward(&self.site)
    }

    /// The backward steps for every gradient that exists.
    pub fn backward_steps(&self) -> Lowered {
        let d_x = (0..self.case.x.len()).map(|i| self.case.op.differentiable(i)).collect();
        let d_params = vec![true; self.case.op.params(&self.case.x).len()];
        self.case.op.backward(&self.site, &Wants { d_x, d_params })
    }

    /// Runs steps in order; gradients are written, or added to what is there.
    ///
    /// # Errors
    /// A kernel does not compile, or the device is lost.
    pub fn run(&mut self, lowered: &Lowered, inputs: &Inputs, accumulate: bool) -> Result<()> {
        for (i, scratch) in lowered.scratch.iter().enumerate() {
            match scratch.form {
                Form::Words => {
                    let shape = Shape::new(&[scratch.bytes as usize / 4]);
                    self.place(Operand::Scratch(i), shape, Dtype::F32, None)?;
                }
                Form::Texels => {
                    let buffer = self.device.memory("trial", scratch.bytes, Form::Texels)?;
                    let tensor = Tensor { buffer, elements: 0, dtype: Dtype::F32, form: Form::Texels };
                    self.tensors.insert(Operand::Scratch(i), tensor);
                }
            }
        }
        let launches = lowered.steps.iter().map(|step| self.launch(step, inputs, accumulate));
        let launches = launches.collect::<Result<Vec<Launch>>>()?;
        self.device.submit(&launches)?;
        self.device.wait()
    }

    fn launch(&self, step: &Step, inputs: &Inputs, accumulate: bool) -> Result<Launch> {
        let build = Build { guard: GUARD, checked: self.checked };
        let pipeline = self.device.pipeline(&step.kernel, &step.slots(), build)?;
        let ranges: Vec<_> = step
            .bindings
            .iter()
            .map(|binding| {
                let tensor = &self.tensors[&binding.operand];
                let guards = 8 * u64::from(GUARD);
                let range = match &binding.window {
                    Some(window) => window.start..window.end + guards,
                    None => 0..tensor.buffer.bytes(),
                };
                (&tensor.buffer, range)
            })
            .collect();
        Ok(Launch {
            bound: self.device.bind(&pipeline, &ranges),
            pipeline,
            words: step.block(&inputs.now, |_| accumulate),
            groups: step.groups,
            flops: step.flops,
        })
    }

    fn place(&mut self, operand: Operand, shape: Shape, dtype: Dtype, values: Option<&Array>) -> Result<()> {
        let elements = shape.numel();
        let guard = vec![POISON; GUARD as usize];
        let words = match values {
            Some(array) => encode(array, dtype),
            None => vec![POISON; (dtype.bytes(elements) / 4) as usize],
        };
        let all = [guard.as_slice(), &words, &guard].concat();
        let buffer = self.device.buffer("trial", all.len() as u64 * 4)?;
        self.device.upload(&buffer, 0, bytemuck::cast_slice(&all));
        self.tensors.insert(operand, Tensor { buffer, elements, dtype, form: Form::Words });
        Ok(())
    }

    /// The values of an f32 tensor, and how many of its guard words changed.
    ///
    /// # Errors
    /// The device is lost.
    pub fn read(&self, operand: Operand) -> Result<(Vec<f32>, usize)> {
        let tensor = &self.tensors[&operand];
        let bytes = self.device.download(&tensor.buffer, 0, tensor.buffer.bytes())?;
        let words: &[u32] = bytemuck::cast_slice(&bytes);
        let end = GUARD as usize + (tensor.dtype.bytes(tensor.elements) / 4) as usize;
        let guards = words[..GUARD as usize].iter().chain(&words[end..]);
        let broken = guards.filter(|&&word| word != POISON).count();
        let values = words[GUARD as usize..end].iter().map(|&word| f32::from_bits(word)).collect();
        Ok((values, broken))
    }

    /// Compares a tensor with `expected` times `times`.
    ///
    /// # Errors
    /// The device is lost.
    pub fn compare(&self, operand: Operand, expected: &Array, times: f64) -> Result<Comparison> {
        let (values, broken_guards) = self.read(operand)?;
        let (rel_l2, max_rel) = distance(&values, expected, times);
        Ok(Comparison { operand, rel_l2, max_rel, broken_guards })
    }

    /// Guard words of everything that is not an output, in one number.
    fn broken_input_guards(&self) -> Result<usize> {
        let mut broken = 0;
        for (operand, tensor) in &self.tensors {
            if tensor.dtype == Dtype::F32 && tensor.form == Form::Words {
                broken += self.read(*operand)?.1;
            }
        }
        Ok(broken)
    }
}

fn encode(array: &Array, dtype: Dtype) -> Vec<u32> {
    match dtype {
        Dtype::F32 => array.data.iter().map(|&v| (v as f32).to_bits()).collect(),
        Dtype::U32 => array.data.iter().map(|&v| v as u32).collect(),
        Dtype::U8 => {
            let mut bytes: Vec<u8> = array.data.iter().map(|&v| v as u8).collect();
            bytes.resize(bytes.len().next_multiple_of(4), 0xff);
            let word = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            bytes.chunks_exact(4).map(word).collect()
        }
    }
}

fn distance(values: &[f32], expected: &Array, times: f64) -> (f64, f64) {
    let (mut off, mut norm, mut worst, mut largest) = (0f64, 0f64, 0f64, 0f64);
    for (&value, &target) in values.iter().zip(&expected.data) {
        let target = target * times;
        let difference = (f64::from(value) - target).abs();
        // `max` forgets NaN, so a NaN has to be made infinite first.
        let difference = if difference.is_nan() { f64::INFINITY } else { difference };
        off += difference * difference;
        norm += target * target;
        worst = worst.max(difference);
        largest = largest.max(target.abs());
    }
    (off.sqrt() / norm.sqrt().max(1e-30), worst / largest.max(1e-30))
}

/// [`compare`] on random inputs.
///
/// # Errors
/// A kernel does not compile, the device is lost, or a guard changed.
pub fn compare_all(device: &Device, case: &Case, rungs: Rungs) -> Result<Vec<Comparison>> {
    compare(device, case, rungs, &case.inputs(1))
}

/// Runs a case forward and backward on a device and compares every result with the reference; then adds the
/// gradients once more onto themselves, which must double them. A view computes nothing, and nothing is compared.
///
/// # Errors
/// A kernel does not compile, the device is lost, or a guard of an input changed.
pub fn compare(device: &Device, case: &Case, rungs: Rungs, inputs: &Inputs) -> Result<Vec<Comparison>> {
    if case.op.is_view(true) {
        return Ok(Vec::new());
    }
    let given = Given { x: &inputs.x, params: &inputs.params, now: &inputs.now, layer: LAYER };
    let y = case.op.reference(given);
    let gradients = case.op.reference_backward(given, &y, &inputs.d_y);
    let mut trial = Trial::new(device, case, rungs, inputs)?;
    trial.run(&trial.forward_steps(), inputs, false)?;
    let mut found = vec![trial.compare(Operand::Y, &y, 1.0)?];
    for (accumulate, times) in [(false, 1.0), (true, 2.0)] {
        trial.run(&trial.backward_steps(), inputs, accumulate)?;
        for (i, d_x) in gradients.d_x.iter().enumerate() {
            if let Some(d_x) = d_x {
                found.push(trial.compare(Operand::DX(i), d_x, times)?);
            }
        }
        for (i, d_param) in gradients.d_params.iter().enumerate() {
            found.push(trial.compare(Operand::DParam(i), d_param, times)?);
        }
    }
    match trial.broken_input_guards()? {
        0 => Ok(found),
        broken => Err(Error::Device(format!("{}: {broken} guard words were overwritten", case.name()))),
    }
}
