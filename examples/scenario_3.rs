//! Scenario 3: few images, very different from those of the pretraining.
//!
//! There is too little to fine-tune on, and the last features are made for other classes. Those of an early layer are
//! edges and textures, which any image has: a linear classifier trains on block2_pool, averaged over the image.
//!
//!     cargo run --release --example scenario_3 -- examples/clipart8

mod support;

use frostline::error::Result;
use frostline::nn::architecture::{Architecture, up_to};
use frostline::nn::{Freeze, Head, Pool, Preprocessing, vgg};
use frostline::optim::{Adam, Optimizer};
use frostline::train::pretrained::Start;
use frostline::train::{EarlyStopping, Monitor, Run, Stage};

fn main() -> Result<()> {
    let (data, images) = support::data()?;
    let mut base = vgg::layers("vgg16", 96)?;
    up_to(&mut base, "block2_pool")?;
    let head = Head { pool: Pool::Avg, classes: data.classes.len(), ..Head::default() };
    let run = Run {
        start: Start::Weights(support::weights()),
        optimizer: Optimizer::Adam(Adam::default()),
        stages: vec![Stage { freeze: Freeze::All, epochs: 100, rate: 0.003 }],
        stopping: Some(EarlyStopping::new(Monitor::ValAcc, 40)),
        ..Run::new(data, Architecture::stack("vgg16", base, 96, Preprocessing::Caffe, head.layers()?))
    };
    support::train(run, images, "scenario-3")
}
