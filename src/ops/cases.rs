//! The table of cases: read by tests, by gradient checks and by benches.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::gpu::Caps;
use crate::ops::reference::Array;
use crate::ops::{Dtype, Now, OpRef, Rungs, Site};
use crate::ops::{
    affine_warp, colour_jitter, conv2d, dense, dropout, flatten, global_average_pool, max_pool2d, mix,
    preprocess, random_erasing, score, softmax_cross_entropy,
};
use crate::shape::Shape;

/// The layer's number in a case, which random numbers are keyed by.
pub const LAYER: u32 = 1;

/// An op at given input shapes (batch included).
#[derive(Clone, Debug)]
pub struct Case {
    pub op: OpRef,
    pub x: Vec<Shape>,
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
        Case { op: std::sync::Arc::new(op), x: x.iter().map(|dims| Shape::new(dims)).collect() }
    }

    /// `conv2d 2x7x5x3 3x3x3x64`
    pub fn name(&self) -> String {
        let params = self.op.params(&self.x);
        let shapes = self.x.iter().chain(params.iter().map(|p| &p.shape)).map(Shape::to_string);
        format!("{} {}", self.op.kind(), shapes.collect::<Vec<_>>().join(" "))
    }

    /// # Panics
    /// The case breaks its own op's shape rule: a mistake in the table.
    pub fn y(&self) -> Shape {
        self.op.output(&self.x).unwrap_or_else(|what| panic!("{}: {what}", self.name()))
    }

    /// Where this case is lowered for training.
    pub fn site<'a>(&'a self, caps: &'a Caps, rungs: Rungs) -> Site<'a> {
        Site { x: &self.x, y: self.y(), caps, rungs, training: true, layer: LAYER }
    }

    /// The same numbers for the same seed, each exactly representable in f32.
    pub fn inputs(&self, seed: u64) -> Inputs {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let classes = self.x[0].last() as u32;
        let x = self.x.iter().enumerate();
        let x = x.map(|(i, &shape)| random(&mut rng, shape, self.op.input_dtype(i), classes)).collect();
        let params = self.op.params(&self.x);
        let params = params.iter().map(|p| random(&mut rng, p.shape, Dtype::F32, 0)).collect();
        let d_y = random(&mut rng, self.y(), Dtype::F32, 0);
        let samples = self.x[0].dims()[0] as f32;
        let now =
            Now { seed: 7, iteration: 3, first_sample: 5, loss_scale: 1.0 / samples, learning_rate: 0.125 };
        Inputs { x, params, d_y, now }
    }
}

fn random(rng: &mut ChaCha8Rng, shape: Shape, dtype: Dtype, classes: u32) -> Array {
    let mut one = || match dtype {
        Dtype::F32 => f64::from(rng.random_range(-1.0f32..1.0)),
        Dtype::U32 => f64::from(rng.random_range(0..classes)),
        Dtype::U8 => f64::from(rng.random::<u8>()),
    };
    Array { shape, data: (0..shape.numel()).map(|_| one()).collect() }
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

/// A case worth timing, and a small one of the same kernel that the plain-loop reference can follow.
#[derive(Clone, Debug)]
pub struct Bench {
    pub case: Case,
    /// The same op, channels and weights on few samples and a small map of awkward size.
    pub small: Case,
}

/// The work of VGG19: its convolutions and poolings at 224 (one image) and at 64 (a batch of eight), and the dense
/// layers of its heads. Source: Simonyan and Zisserman 2014, table 1, column E.
pub fn bench() -> Vec<Bench> {
    let mut all = Vec::new();
    for (n, input) in [(1, 224), (8, 64)] {
        let (mut size, mut channels) = (input, 3);
        for filters in [64, 128, 256, 512, 512] {
            for ci in [channels, filters] {
                all.push(Case::new(conv2d::Conv2d::vgg(filters), &[&[n, size, size, ci]]));
            }
            let pool = max_pool2d::MaxPool2d { window: [2, 2], stride: [2, 2], same: false };
            all.push(Case::new(pool, &[&[n, size, size, filters]]));
            (size, channels) = (size / 2, filters);
        }
        all.push(Case::new(global_average_pool::GlobalAveragePool, &[&[n, size, size, channels]]));
    }
    // Behind a global average; and flattened at 224, just within the 128 MiB of one binding.
    for (features, units) in [(512, 1024), (1024, 1024), (1024, 16), (25_088, 1024)] {
        all.push(Case::new(dense::Dense::new(units, units != 16), &[&[16, features]]));
    }
    all.dedup_by_key(|case| case.name());
    all.into_iter().map(Bench::new).collect()
}

impl Bench {
    fn new(case: Case) -> Bench {
        let shrink = |shape: &Shape| match *shape.dims() {
            [n, h, w, c] => Shape::new(&[n.min(2), h.min(9), w.min(7), c]),
            [n, features] => Shape::new(&[n.min(3), features]),
            _ => *shape,
        };
        Bench { small: Case { op: case.op.clone(), x: case.x.iter().map(shrink).collect() }, case }
    }
}
