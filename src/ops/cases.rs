//! The table of cases: read by tests, by gradient checks and by benches.

use std::collections::HashSet;

use half::f16;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::gpu::Caps;
use crate::ops::reference::{Array, Given};
use crate::ops::{Dtype, Initial, Now, OpRef, Operand, ParamSpec, Precision, Rungs, Site, Wants};
use crate::ops::{
    affine_warp, batch_norm, colour_jitter, conv2d, dense, dropout, flatten, global_average_pool, max_pool2d,
    mix, preprocess, random_erasing, score, softmax_cross_entropy,
};
use crate::shape::Shape;

/// The layer's number in a case, which random numbers are keyed by.
pub const LAYER: u32 = 1;

/// An op at given input shapes (batch included).
#[derive(Clone, Debug)]
pub struct Case {
    pub op: OpRef,
    pub x: Vec<Shape>,
    /// Whether its parameters are being trained; otherwise they are frozen.
    pub trains: bool,
    pub precision: Precision,
}

/// Random inputs, parameters and an incoming gradient for one case.
pub struct Inputs {
    pub x: Vec<Array>,
    pub params: Vec<Array>,
    pub d_y: Array,
    pub now: Now,
}

impl Case {
    pub fn new(op: impl crate::ops::Op + 'static, x: &[&[usize]]) -> Case {
        let x = x.iter().map(|dims| Shape::new(dims)).collect();
        Case { op: std::sync::Arc::new(op), x, trains: true, precision: Precision::F32 }
    }

    /// The same with frozen parameters.
    pub fn frozen(self) -> Case {
        Case { trains: false, ..self }
    }

    /// The same case over tensors of this precision.
    pub fn at(self, precision: Precision) -> Case {
        Case { precision, ..self }
    }

    /// What a tensor of this case is stored as; in a graph an input may also be f32.
    ///
    /// # Panics
    /// The op has no auxiliary result.
    pub fn dtype(&self, operand: Operand) -> Dtype {
        let output = self.precision.output(&*self.op);
        match operand {
            Operand::X(i) if !self.op.differentiable(i) => self.op.input_dtype(i),
            Operand::X(_) | Operand::DX(_) | Operand::Y | Operand::DY => output,
            Operand::Aux => self.op.aux(&self.x).expect("an op with an auxiliary result").1,
            Operand::Param(_)
            | Operand::DParam(_)
            | Operand::State(_)
            | Operand::Scratch(_)
            | Operand::Scaling => Dtype::F32,
        }
    }

    /// `conv2d 2x7x5x3 3x3x3x64`
    pub fn name(&self) -> String {
        let params = self.op.params(&self.x);
        let shapes = self.x.iter().chain(params.iter().map(|p| &p.shape)).map(Shape::to_string);
        let frozen = if self.trains { "" } else { " frozen" };
        let name = format!("{} {}{frozen}", self.op.kind(), shapes.collect::<Vec<_>>().join(" "));
        if self.precision == Precision::F32 { name } else { format!("{name} {}", self.precision.name()) }
    }

    /// # Panics
    /// The case breaks its own op's shape rule: a mistake in the table.
    pub fn y(&self) -> Shape {
        self.op.output(&self.x).unwrap_or_else(|what| panic!("{}: {what}", self.name()))
    }

    /// Where this case is lowered for training.
    pub fn site<'a>(&'a self, caps: &'a Caps, rungs: Rungs) -> Site<'a> {
        let Case { x, trains, precision, .. } = self;
        let (y, trains, precision) = (self.y(), *trains, *precision);
        Site { x, y, caps, rungs, training: true, trains, layer: LAYER, precision }
    }

    /// What the references look at.
    pub fn given<'a>(&self, inputs: &'a Inputs) -> Given<'a> {
        let Inputs { x, params, now, .. } = inputs;
        Given { x, params, now, trains: self.trains, layer: LAYER }
    }

    /// Every gradient that exists.
    pub fn wants(&self) -> Wants {
        let d_x = (0..self.x.len()).map(|i| self.op.differentiable(i)).collect();
        let d_params = self.op.params(&self.x).iter().map(|param| self.trains && param.learnt).collect();
        Wants { d_x, d_params }
    }

    /// The same op, channels and weights on few samples and a small map of awkward size, which the plain-loop reference
    /// can follow.
    pub fn small(&self) -> Case {
        let shrink = |shape: &Shape| match *shape.dims() {
            [n, h, w, c] => Shape::new(&[n.min(2), h.min(9), w.min(7), c]),
            [n, features] => Shape::new(&[n.min(3), features]),
            _ => *shape,
        };
        Case { x: self.x.iter().map(shrink).collect(), ..self.clone() }
    }

    /// The same numbers for the same seed, each exactly representable as it is stored; in half precision weights too, as
    /// matrix units take them: rounded ones would let other units pass a ReLU than in the reference.
    pub fn inputs(&self, seed: u64) -> Inputs {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let classes = self.x[0].last() as u32;
        let x = self.x.iter().enumerate();
        let x = x.map(|(i, &shape)| random(&mut rng, shape, self.dtype(Operand::X(i)), classes)).collect();
        let params = self.op.params(&self.x);
        let mut params: Vec<Array> = params.iter().map(|p| parameter(&mut rng, p)).collect();
        if self.precision == Precision::F16 {
            params.iter_mut().flat_map(|param| &mut param.data).for_each(|v| *v = f16::from_f64(*v).to_f64());
        }
        let d_y = random(&mut rng, self.y(), self.dtype(Operand::DY), 0);
        let samples = self.x[0].dims()[0] as f32;
        let now =
            Now { seed: 7, iteration: 3, first_sample: 5, loss_scale: 1.0 / samples, learning_rate: 0.125 };
        Inputs { x, params, d_y, now }
    }
}

fn random(rng: &mut ChaCha8Rng, shape: Shape, dtype: Dtype, classes: u32) -> Array {
    let mut one = || match dtype {
        Dtype::F32 => f64::from(rng.random_range(-1.0f32..1.0)),
        Dtype::F16 => f64::from(f16::from_f32(rng.random_range(-1.0f32..1.0))),
        Dtype::U32 => f64::from(rng.random_range(0..classes)),
        Dtype::U8 => f64::from(rng.random::<u8>()),
    };
    Array { shape, data: (0..shape.numel()).map(|_| one()).collect() }
}

/// Around where it begins; what begins at one stays positive, as scales and variances do.
fn parameter(rng: &mut ChaCha8Rng, spec: &ParamSpec) -> Array {
    let mut values = random(rng, spec.shape, Dtype::F32, 0);
    if spec.initial == Initial::Ones {
        values.data.iter_mut().for_each(|value| *value = 1.0 + value.abs() / 2.0);
    }
    values
}

/// Every case of every op.
pub fn all() -> Vec<Case> {
    let ops = [
        conv2d::cases(),
        dense::cases(),
        max_pool2d::cases(),
        global_average_pool::cases(),
        flatten::cases(),
        dropout::cases(),
        batch_norm::cases(),
        softmax_cross_entropy::cases(),
        score::cases(),
        preprocess::cases(),
        affine_warp::cases(),
        colour_jitter::cases(),
        random_erasing::cases(),
        mix::cases(),
    ];
    ops.into_iter().flatten().collect()
}

/// A case worth timing.
#[derive(Clone, Debug)]
pub struct Bench {
    pub case: Case,
    /// One of the few that stand for the others when time is short.
    pub quick: bool,
}

/// Side and batch of the images whose work is worth timing. 112 is no usual input; its maps have the sizes that other
/// libraries were measured at.
const INPUTS: [(usize, usize); 5] = [(112, 1), (224, 1), (256, 1), (96, 8), (64, 8)];

/// Square matrix products, the dense layers of VGG19's heads, and the convolutions and poolings of VGG19.
/// Source: Simonyan and Zisserman 2014, table 1, column E.
pub fn bench() -> Vec<Bench> {
    let mut all = Vec::new();
    for size in [512, 1024] {
        let product = dense::Dense { units: size, bias: false, relu: false };
        all.push(Bench { case: Case::new(product, &[&[size, size]]), quick: true });
    }
    // Behind a global average; and flattened at 64 and at 224, just within the 128 MiB of one binding.
    for (n, features, units) in
        [(16, 512, 1024), (16, 1024, 1024), (16, 1024, 16), (8, 2048, 1024), (16, 25_088, 1024)]
    {
        let quick = features == 2048;
        all.push(Bench { case: Case::new(dense::Dense::new(units, units != 16), &[&[n, features]]), quick });
    }
    for (input, n) in INPUTS {
        all.extend(vgg19(input, n));
    }
    let mut seen = HashSet::new();
    all.retain(|bench| seen.insert(bench.case.name()));
    all
}

/// Convolutions and poolings of VGG19 on `n` images; of those at 112 each second one of a block is quick.
fn vgg19(input: usize, n: usize) -> Vec<Bench> {
    let mut all = Vec::new();
    let (mut size, mut channels) = (input, 3);
    for filters in [64, 128, 256, 512, 512] {
        for ci in [channels, filters] {
            let case = Case::new(conv2d::Conv2d::vgg(filters), &[&[n, size, size, ci]]);
            all.push(Bench { case, quick: input == 112 && (ci == 3 || ci == filters) });
        }
        let pool = max_pool2d::MaxPool2d { window: [2, 2], stride: [2, 2], same: false };
        all.push(Bench {
            case: Case::new(pool, &[&[n, size, size, filters]]),
            quick: input == 112 && filters == 64,
        });
        (size, channels) = (size / 2, filters);
    }
    all.push(Bench {
        case: Case::new(global_average_pool::GlobalAveragePool, &[&[n, size, size, channels]]),
        quick: false,
    });
    all
}
