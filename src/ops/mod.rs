//! The op contract, and the ops: everything about an op stands in one Rust file and the WGSL of the same stem.
//!
//! An op states its shape rule, its parameters, its lowering to steps, its cost and its plain-loop reference. It knows
//! nothing of freezing, memory, or devices: the backward lowering is told which gradients are wanted, and what it keeps
//! from the forward pass is what its backward steps read.
//!
//! ```
//! use frostline::gpu::Caps;
//! use frostline::ops::{Case, Operand, Rung, Rungs, Wants, conv2d::Conv2d};
//!
//! let case = Case::new(Conv2d::vgg(8), &[&[2, 6, 6, 3]]); // x (n, h, w, ci)
//! assert_eq!(case.op.output(&case.x)?.to_string(), "2x6x6x8");
//! assert_eq!(case.op.macs(&case.x), 2 * 6 * 6 * 8 * (3 * 3 * 3));
//!
//! // Somebody needs the gradients of kernel and bias, and nobody that of x: then no step computes it.
//! let caps = Caps::default();
//! let site = case.site(&caps, Rungs::all(Rung::Naive));
//! let wants = Wants { d_x: vec![false], d_params: vec![true, true] };
//! let backward = case.op.backward(&site, &wants);
//! let mut touched = backward.steps.iter().flat_map(|step| &step.bindings).map(|binding| binding.operand);
//! assert!(touched.all(|operand| operand != Operand::DX(0)));
//! # Ok::<(), String>(())
//! ```

pub mod affine_warp;
pub mod batch_norm;
pub mod cases;
pub mod colour_jitter;
pub mod columns;
pub mod conv2d;
pub mod dense;
pub mod deviations;
pub mod differences;
pub mod dropout;
pub mod flatten;
pub mod fused;
pub mod gemm;
pub mod global_average_pool;
pub mod guarded;
pub mod max_pool2d;
pub mod mix;
pub mod operand;
pub mod pieces;
pub mod precision;
pub mod preprocess;
pub mod random;
pub mod random_erasing;
pub mod reference;
pub mod rgb;
pub mod rung;
pub mod score;
pub mod softmax_cross_entropy;
pub mod step;
pub mod trial;
pub mod word;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::gpu::{Caps, Form};
use crate::shape::Shape;

pub use crate::gpu::Dtype;
pub use affine_warp::{AffineWarp, FillMode};
pub use batch_norm::BatchNorm;
pub use cases::Case;
pub use colour_jitter::ColourJitter;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use global_average_pool::GlobalAveragePool;
pub use max_pool2d::MaxPool2d;
pub use mix::Mix;
pub use operand::Operand;
pub use precision::Precision;
pub use preprocess::Preprocess;
pub use random_erasing::RandomErasing;
pub use reference::{Array, Given, Gradients};
pub use rung::{Rung, Rungs};
pub use score::Score;
pub use softmax_cross_entropy::SoftmaxCrossEntropy;
pub use step::{Access, Part, Step};
pub use word::{Live, Now, Word};

/// A parameter that an op asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParamSpec {
    /// Keras' name: `kernel`, `bias`, `gamma`, ...
    pub name: &'static str,
    pub shape: Shape,
    pub initial: Initial,
    /// Moved by gradients where its layer trains; otherwise the layer's forward pass moves it then.
    pub learnt: bool,
}

/// How a parameter begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initial {
    Zeros,
    Ones,
    /// Drawn at random by (fan in, fan out).
    Fans(u64, u64),
}

/// Where an op is lowered: its shapes (batch included), the adapter's abilities and the chosen rungs.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    pub x: &'a [Shape],
    pub y: Shape,
    pub caps: &'a Caps,
    pub rungs: Rungs,
    pub training: bool,
    /// The parameters of this layer are being trained, and not only those of others.
    pub trains: bool,
    /// A number that differs from layer to layer, for random numbers.
    pub layer: u32,
    pub precision: Precision,
}

/// Which gradients somebody needs. What nobody needs is `false` here and no step may write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wants {
    pub d_x: Vec<bool>,
    pub d_params: Vec<bool>,
}

impl Wants {
    pub fn any(&self) -> bool {
        self.d_x.iter().chain(&self.d_params).any(|&wanted| wanted)
    }
}

/// A tensor that lives within one lowering only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scratch {
    pub bytes: u64,
    pub form: Form,
    pub dtype: Dtype,
}

/// The steps of one lowering and their scratch tensors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lowered {
    pub steps: Vec<Step>,
    pub scratch: Vec<Scratch>,
}

impl Lowered {
    pub fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Appends another lowering, whose operand `from` is `to` here.
    pub fn extend(&mut self, other: Lowered, from: Operand, to: Operand) {
        let first = self.scratch.len();
        let place = |operand| match operand {
            Operand::Scratch(i) => Operand::Scratch(first + i),
            other if other == from => to,
            other => other,
        };
        self.scratch.extend(other.scratch);
        self.steps.extend(other.steps.into_iter().map(|step| step.renamed(place)));
    }

    /// Asks for `elements` f32 that live within this lowering only.
    pub fn scratch(&mut self, elements: u64) -> Operand {
        self.scratch_of(Dtype::F32, elements)
    }

    /// As [`Lowered::scratch`], of another type.
    pub fn scratch_of(&mut self, dtype: Dtype, elements: u64) -> Operand {
        self.scratch.push(Scratch { bytes: dtype.bytes(elements), form: Form::Words, dtype });
        Operand::Scratch(self.scratch.len() - 1)
    }

    /// Asks for `count` vec4f in a storage texture that live within this lowering only.
    pub fn texels(&mut self, count: u64) -> Operand {
        self.scratch.push(Scratch { bytes: count * 16, form: Form::Texels, dtype: Dtype::F32 });
        Operand::Scratch(self.scratch.len() - 1)
    }
}

impl From<Step> for Lowered {
    fn from(step: Step) -> Lowered {
        Lowered { steps: vec![step], scratch: Vec::new() }
    }
}

/// The op contract.
pub trait Op: Any + fmt::Debug + Send + Sync {
    /// The op's name, which is the stem of its files.
    fn kind(&self) -> &'static str;

    /// The shape rule, and the only method that can fail.
    ///
    /// # Errors
    /// What does not fit, in words; the graph adds the op and the layer.
    fn output(&self, x: &[Shape]) -> Result<Shape, String>;

    fn params(&self, _x: &[Shape]) -> Vec<ParamSpec> {
        Vec::new()
    }

    /// The auxiliary tensor that the forward pass writes, where there is one.
    fn aux(&self, _x: &[Shape]) -> Option<(Shape, Dtype)> {
        None
    }

    fn input_dtype(&self, _index: usize) -> Dtype {
        Dtype::F32
    }

    /// Whether a gradient with respect to this input exists at all.
    fn differentiable(&self, index: usize) -> bool {
        self.input_dtype(index) == Dtype::F32
    }

    /// The output is the input under another shape, and no step is needed.
    fn is_view(&self, _training: bool) -> bool {
        false
    }

    /// This op with `next`, the only one that reads its output, in its own kernels, where it can take it in: what lies
    /// between the two is then never stored.
    fn with_next(&self, _next: &dyn Op) -> Option<OpRef> {
        None
    }

    /// This op with `previous`, whose output only it reads, in its own loads, where it can take it in.
    fn with_previous(&self, _previous: &dyn Op) -> Option<OpRef> {
        None
    }

    /// Its output is an image on its way to the first layer.
    fn gives_pixels(&self) -> bool {
        !self.differentiable(0)
    }

    /// Two runs differ: nothing behind it can be cached.
    fn is_stochastic(&self) -> bool {
        false
    }

    /// While the layer trains, the samples of a batch meet in it: parts of a batch would give something else.
    fn mixes_batch(&self) -> bool {
        false
    }

    /// A loss: its backward pass starts the sweep and reads no `d_y`.
    fn is_loss(&self) -> bool {
        false
    }

    /// Multiply-adds of the forward pass; `d_x` and `d_w` of a matrix-like op each cost the same.
    fn macs(&self, _x: &[Shape]) -> u64 {
        0
    }

    /// The rungs that can compute `part` here, the default first.
    fn rungs(&self, _part: Part, _site: &Site) -> Vec<Rung> {
        vec![Rung::Naive]
    }

    fn forward(&self, site: &Site) -> Lowered;

    /// Steps for the wanted gradients and for nothing else; none in a view, or where no input is differentiable.
    fn backward(&self, _site: &Site, _wants: &Wants) -> Lowered {
        Lowered::default()
    }

    /// The forward pass in plain loops: the specification.
    fn reference(&self, given: Given) -> Array;

    /// The backward pass in plain loops, proven by finite differences of [`Op::reference`].
    fn reference_backward(&self, given: Given, _y: &Array, _d_y: &Array) -> Gradients {
        Gradients { d_x: vec![None; given.x.len()], d_params: Vec::new() }
    }

    /// What the forward pass makes of the parameters that no gradient moves, each with its place, while the layer trains.
    fn reference_moved(&self, _given: Given) -> Vec<(usize, Array)> {
        Vec::new()
    }
}

/// Ops are shared between graphs.
pub type OpRef = Arc<dyn Op>;
