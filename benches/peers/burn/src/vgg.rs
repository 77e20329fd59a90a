//! VGG19 in burn, as its users write it: NCHW, separate ReLU, the head of the published recipe.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig, PaddingConfig2d, Relu};
use burn::tensor::{Device, Tensor};

/// Filters of each convolution, and whether a 2x2 pool follows.
const LAYERS: [(usize, bool); 16] = [
    (64, false),
    (64, true),
    (128, false),
    (128, true),
    (256, false),
    (256, false),
    (256, false),
    (256, true),
    (512, false),
    (512, false),
    (512, false),
    (512, true),
    (512, false),
    (512, false),
    (512, false),
    (512, true),
];

/// A 3x3 convolution with zeros around.
pub fn convolution(from: usize, to: usize, device: &Device) -> Conv2d {
    let config = Conv2dConfig::new([from, to], [3, 3]);
    config.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init(device)
}

#[derive(Module, Debug)]
pub struct Base {
    convolutions: Vec<Conv2d>,
    pool: MaxPool2d,
    relu: Relu,
}

impl Base {
    pub fn new(device: &Device) -> Base {
        let from = [3].into_iter().chain(LAYERS.iter().map(|layer| layer.0));
        let convolutions = from.zip(LAYERS).map(|(from, (to, _))| convolution(from, to, device)).collect();
        let pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
        Base { convolutions, pool, relu: Relu::new() }
    }

    /// The first `count` convolutions stop training.
    pub fn freeze(mut self, count: usize) -> Base {
        let (frozen, rest): (Vec<_>, Vec<_>) = self.convolutions.into_iter().enumerate().partition(|(i, _)| *i < count);
        let frozen = frozen.into_iter().map(|(_, convolution)| convolution.no_grad());
        self.convolutions = frozen.chain(rest.into_iter().map(|(_, convolution)| convolution)).collect();
        self
    }

    /// x (n,3,h,w) -> (n,512,h/32,w/32)
    pub fn forward(&self, mut x: Tensor<4>) -> Tensor<4> {
        for (convolution, (_, pools)) in self.convolutions.iter().zip(LAYERS) {
            x = self.relu.forward(convolution.forward(x));
            if pools {
                x = self.pool.forward(x);
            }
        }
        x
    }
}

/// The base with 1024-1024-16 on top.
#[derive(Module, Debug)]
pub struct Model {
    base: Base,
    hidden: [Linear; 2],
    dropout: Dropout,
    relu: Relu,
    logits: Linear,
}

impl Model {
    /// For square images of `side` pixels, the first `frozen` convolutions frozen.
    pub fn new(side: usize, frozen: usize, device: &Device) -> Model {
        let features = 512 * (side / 32) * (side / 32);
        let dense = |from, to| LinearConfig::new(from, to).init(device);
        Model {
            base: Base::new(device).freeze(frozen),
            hidden: [dense(features, 1024), dense(1024, 1024)],
            dropout: DropoutConfig::new(0.5).init(),
            relu: Relu::new(),
            logits: dense(1024, 16),
        }
    }

    /// x (n,3,side,side) -> (n,16)
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x: Tensor<2> = self.base.forward(x).flatten(1, 3);
        let [first, second] = &self.hidden;
        let x = self.dropout.forward(self.relu.forward(first.forward(x)));
        self.logits.forward(self.relu.forward(second.forward(x)))
    }
}
