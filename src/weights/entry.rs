//! What a weight file offers: named tensors, read one at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::error::Result;

/// The type of the numbers in a file. Everything is read as f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dtype {
    F16,
    Bf16,
    F32,
    F64,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
}

impl Dtype {
    /// Bytes per number.
    pub fn size(self) -> usize {
        match self {
            Dtype::U8 | Dtype::I8 => 1,
            Dtype::F16 | Dtype::Bf16 | Dtype::U16 | Dtype::I16 => 2,
            Dtype::F32 | Dtype::U32 | Dtype::I32 => 4,
            Dtype::F64 | Dtype::U64 | Dtype::I64 => 8,
        }
    }

    /// Bytes of a tensor of this shape; `None` for more than any file holds.
    pub(super) fn bytes(self, shape: &[usize]) -> Option<u64> {
        let bytes = shape.iter().try_fold(self.size() as u64, |n, &d| n.checked_mul(d as u64));
        bytes.filter(|&n| n < 1 << 60)
    }

    /// `f32`, `bf16`, `i64`, ...
    pub fn name(self) -> &'static str {
        match self {
            Dtype::F16 => "f16",
            Dtype::Bf16 => "bf16",
            Dtype::F32 => "f32",
            Dtype::F64 => "f64",
            Dtype::U8 => "u8",
            Dtype::I8 => "i8",
            Dtype::U16 => "u16",
            Dtype::I16 => "i16",
            Dtype::U32 => "u32",
            Dtype::I32 => "i32",
            Dtype::U64 => "u64",
            Dtype::I64 => "i64",
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How the file's layout is brought to Keras' on the way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// As Keras stores it: nothing to do.
    Keras,
    /// torchvision convolution, (co, ci, kh, kw) in the file.
    ConvOihw,
    /// torchvision dense layer, (out, in) in the file.
    DenseOutIn,
    /// torchvision's first dense layer: (out, in), where `in` counts a (c, h, w) map and Keras counts (h, w, c).
    FlattenChw { c: usize, h: usize, w: usize },
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Layout::Keras => f.pad("as stored"),
            Layout::ConvOihw => f.pad("OIHW -> HWIO"),
            Layout::DenseOutIn => f.pad("(out, in) -> (in, out)"),
            Layout::FlattenChw { c, h, w } => {
                f.pad(&format!("(out, in) -> (in, out), flatten {c}x{h}x{w} -> {h}x{w}x{c}"))
            }
        }
    }
}

/// One tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Canonical name, `layer/parameter`: `block1_conv1/kernel`, `bn/gamma`.
    pub name: String,
    /// Where it stands in the file: `layers/conv2d_3/vars/0`.
    pub stored_as: String,
    /// The shape that [`Source::read`] gives: Keras' layout, whatever the file's is.
    pub shape: Vec<usize>,
    /// The type in the file; [`Source::read`] always gives f32.
    pub dtype: Dtype,
    /// What `read` does to bring the file's layout to Keras'.
    pub layout: Layout,
}

impl Entry {
    /// Number of values.
    pub fn numel(&self) -> usize {
        self.shape.iter().product()
    }

    /// `block1_conv1` of `block1_conv1/kernel`.
    pub fn layer(&self) -> &str {
        layer_of(&self.name)
    }

    /// `kernel` of `block1_conv1/kernel`.
    pub fn parameter(&self) -> &str {
        parameter_of(&self.name)
    }
}

/// See [`Entry::layer`].
pub(super) fn layer_of(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(layer, _)| layer)
}

/// See [`Entry::parameter`].
pub(super) fn parameter_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(_, parameter)| parameter)
}

/// The kinds of file that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Safetensors,
    /// safetensors with torchvision's VGG names (`features.0.weight`).
    Torchvision,
    /// Keras 1 or 2 `save_weights`, or Keras 3's legacy layout: groups named after layers.
    KerasLegacyWeights,
    /// A whole model in the legacy layout: the same under `model_weights/`, with the configuration beside.
    KerasLegacyModel,
    /// Keras 3 `.weights.h5`.
    KerasWeights,
    /// Keras 3 `.keras`, a zip of `config.json` and `model.weights.h5`.
    KerasArchive,
    Npz,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Format::Safetensors => "safetensors",
            Format::Torchvision => "safetensors (torchvision)",
            Format::KerasLegacyWeights => "Keras legacy weights (.h5)",
            Format::KerasLegacyModel => "Keras legacy model (.h5)",
            Format::KerasWeights => "Keras 3 weights (.weights.h5)",
            Format::KerasArchive => "Keras 3 model (.keras)",
            Format::Npz => "NumPy archive (.npz)",
        })
    }
}

/// The state that an optimizer left in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimizer {
    /// Steps taken.
    pub iteration: u64,
    /// As the file has it; `None` where it was a schedule.
    pub learning_rate: Option<f32>,
    /// In the file's order, named `parameter/slot`: `block2_conv2/kernel/momentum`.
    pub slots: Vec<Entry>,
}

/// An open weight file. It holds names and places; values are read on demand.
///
/// Heap while reading: at most the tensor asked for and 64 MiB.
pub trait Source {
    fn path(&self) -> &Path;
    fn format(&self) -> Format;

    /// In topological layer order; within a layer in Keras' order (kernel, bias; gamma, beta, moving mean, moving variance).
    fn entries(&self) -> &[Entry];

    /// The values of `entries()[index]`, row-major, in Keras' layout.
    ///
    /// # Errors
    /// The file changed or cannot be read, a compressed part is corrupt, or `index` is out of range.
    fn read(&mut self, index: usize) -> Result<Vec<f32>>;

    /// Free text beside the tensors: safetensors' `__metadata__`, the HDF5 root's text attributes, `metadata.json`.
    fn metadata(&self) -> &BTreeMap<String, String>;

    /// Keras' `config.json` or `model_config`, where the file has one.
    fn model_config(&self) -> Option<&serde_json::Value> {
        None
    }

    /// How Keras had the model compiled (`compile_config` or `training_config`), where the file says so.
    fn training_config(&self) -> Option<&serde_json::Value> {
        None
    }

    /// The optimizer's state, where the file has one.
    fn optimizer(&self) -> Option<&Optimizer> {
        None
    }

    /// The values of `optimizer().slots[index]`.
    ///
    /// # Errors
    /// As [`Source::read`].
    fn read_slot(&mut self, index: usize) -> Result<Vec<f32>> {
        Err(crate::error::Error::weights(
            self.path(),
            format!("holds no optimizer state (slot {index} was asked for)"),
        ))
    }
}
