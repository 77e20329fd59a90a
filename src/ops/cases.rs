//! The table of cases: read by tests, by gradient checks and by benches.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::ops::reference::Array;
use crate::ops::{Dtype, Now, OpRef};
use crate::ops::{
    conv2d, dense, dropout, flatten, global_average_pool, max_pool2d, preprocess, softmax_cross_entropy,
};
use crate::shape::Shape;

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
        preprocess::cases(),
    ];
    ops.into_iter().flatten().collect()
}
