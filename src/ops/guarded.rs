//! Tensors between guard words: what trials and planted errors run on.
//!
//! The guards lie *inside* each binding, before and after the tensor, because drivers drop what falls outside of a
//! binding and return zeros for it, which look like padding. Outputs are poisoned with NaN first.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use half::f16;

use crate::error::Result;
use crate::gpu::launch::Launch;
use crate::gpu::pipeline::Build;
use crate::gpu::{Buffer, Device, Edit, Form, Kernel};
use crate::ops::deviations::Deviations;
use crate::ops::{Array, Dtype, Lowered, Now, Operand, Scratch, Step};
use crate::shape::Shape;

/// Words of guard before and after each tensor; a multiple of four, so that vec4 loads stay aligned.
pub const GUARD: u32 = 64;
/// A NaN: an input read from here shows in the output.
const POISON: u32 = 0x7fc0_dead;

/// How far one tensor is from the reference.
#[derive(Clone, Debug)]
pub struct Comparison {
    pub operand: Operand,
    /// `|a - b| / |b|` in the Euclidean norm.
    pub rel_l2: f64,
    /// Largest difference over the reference's largest value.
    pub max_rel: f64,
    /// Guard words that changed.
    pub broken_guards: usize,
    /// Every element by its distance.
    pub deviations: Deviations,
    /// A fingerprint of the result's bits: runs that give the same bits give the same number.
    pub bits: u64,
}

/// Tensors of one device, each under the name by which steps know it.
pub struct Guarded<'a> {
    device: &'a Device,
    edit: Option<&'a Edit>,
    tensors: HashMap<Operand, Tensor>,
}

struct Tensor {
    buffer: Buffer,
    elements: u64,
    dtype: Dtype,
    form: Form,
}

impl<'a> Guarded<'a> {
    pub fn new(device: &'a Device) -> Guarded<'a> {
        Guarded { device, edit: None, tensors: HashMap::new() }
    }

    /// Runs an edited text where a kernel has it.
    pub fn edited(mut self, edit: Option<&'a Edit>) -> Self {
        self.edit = edit;
        self
    }

    /// Runs steps in order; gradients are written, or added to what is there.
    ///
    /// # Errors
    /// A kernel does not compile, or the device is lost.
    pub fn run(&mut self, lowered: &Lowered, now: &Now, accumulate: bool) -> Result<()> {
        let launches = self.prepare(lowered, now, accumulate)?;
        self.device.submit(&launches)?;
        self.device.wait()
    }

    /// Compiles and binds steps.
    fn prepare(&mut self, lowered: &Lowered, now: &Now, accumulate: bool) -> Result<Vec<Launch>> {
        for (i, scratch) in lowered.scratch.iter().enumerate() {
            self.place_scratch(Operand::Scratch(i), *scratch)?;
        }
        lowered.steps.iter().map(|step| self.launch(step, now, accumulate)).collect()
    }

    /// The kernel that runs in the place of `shipped`, and whether with the driver-independent bounds checks: nobody has
    /// proven an edited one yet.
    fn kernel(&self, shipped: &Kernel) -> (Kernel, bool) {
        match self.edit.filter(|edit| edit.touches(shipped)) {
            Some(edit) => (edit.apply(shipped), true),
            None => (shipped.clone(), false),
        }
    }

    fn launch(&self, step: &Step, now: &Now, accumulate: bool) -> Result<Launch> {
        let dtypes = step.bindings.iter().map(|binding| self.tensors[&binding.operand].dtype);
        let step = &step.clone().over(dtypes);
        let (kernel, checked) = self.kernel(&step.kernel);
        let build = Build { guard: GUARD, checked };
        let pipeline = self.device.pipeline(&kernel, &step.slots(), build)?;
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
            words: step.block(now, |_| accumulate),
            groups: step.groups,
            flops: step.flops,
        })
    }

    /// Texels have no guards: only kernels touch them, and what lies outside reads as zero.
    fn place_scratch(&mut self, operand: Operand, scratch: Scratch) -> Result<()> {
        if scratch.form == Form::Words {
            let elements = scratch.bytes * 2 / scratch.dtype.bytes(2);
            return self.place(operand, Shape::new(&[elements as usize]), scratch.dtype, None);
        }
        let buffer = self.device.memory("trial", scratch.bytes, Form::Texels)?;
        let tensor = Tensor { buffer, elements: 0, dtype: Dtype::F32, form: Form::Texels };
        self.tensors.insert(operand, tensor);
        Ok(())
    }

    /// Uploads a tensor; without `values` it is poisoned.
    ///
    /// # Errors
    /// The device has no memory left.
    pub fn place(
        &mut self,
        operand: Operand,
        shape: Shape,
        dtype: Dtype,
        values: Option<&Array>,
    ) -> Result<()> {
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

    /// The values of an f32 or f16 tensor, and how many of its guard words changed.
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
        let inside = &words[GUARD as usize..end];
        let values = match tensor.dtype {
            Dtype::F16 => {
                let halves: &[f16] = bytemuck::cast_slice(inside);
                halves[..tensor.elements as usize].iter().map(|half| half.to_f32()).collect()
            }
            _ => inside.iter().map(|&word| f32::from_bits(word)).collect(),
        };
        Ok((values, broken))
    }

    /// Compares a tensor with `expected` times `times`.
    ///
    /// # Errors
    /// The device is lost.
    pub fn compare(&self, operand: Operand, expected: &Array, times: f64) -> Result<Comparison> {
        let (values, broken_guards) = self.read(operand)?;
        let (rel_l2, max_rel) = distance(&values, expected, times);
        let mut deviations = Deviations::default();
        values.iter().zip(&expected.data).for_each(|(&value, target)| deviations.add(value, target * times));
        let mut hasher = DefaultHasher::new();
        values.iter().for_each(|value| value.to_bits().hash(&mut hasher));
        Ok(Comparison { operand, rel_l2, max_rel, broken_guards, deviations, bits: hasher.finish() })
    }

    /// Guard words that changed, of all tensors.
    ///
    /// # Errors
    /// The device is lost.
    pub fn broken_guards(&self) -> Result<usize> {
        let words = self.tensors.iter().filter(|(_, tensor)| tensor.form == Form::Words);
        words.map(|(operand, _)| self.read(*operand).map(|(_, broken)| broken)).sum()
    }
}

fn encode(array: &Array, dtype: Dtype) -> Vec<u32> {
    match dtype {
        Dtype::F32 => array.data.iter().map(|&v| (v as f32).to_bits()).collect(),
        Dtype::F16 => {
            let mut halves: Vec<f16> = array.data.iter().map(|&v| f16::from_f64(v)).collect();
            halves.resize(halves.len().next_multiple_of(2), f16::NAN);
            bytemuck::pod_collect_to_vec(&halves)
        }
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
