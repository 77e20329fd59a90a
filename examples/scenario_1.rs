//! Scenario 1: few images, like those of the pretraining.
//!
//! A large network would learn so few images by heart, and its features already fit: everything is frozen, and a linear
//! classifier trains on what the last block makes of each image. The frozen part runs once per image.
//!
//!     cargo run --release --example scenario_1 -- examples/clipart8

mod support;

use frostline::error::Result;
use frostline::nn::{Freeze, Head, Pool, Preprocessing, vgg};
use frostline::optim::{Adam, Optimizer};
use frostline::train::pretrained::Start;
use frostline::train::{EarlyStopping, Monitor, Run, Stage};

fn main() -> Result<()> {
    let (data, images) = support::data()?;
    let head = Head { pool: Pool::Avg, classes: data.classes.len(), ..Head::default() };
    let architecture = vgg::with_head("vgg16", 96, Preprocessing::Caffe, &head)?;
    let run = Run {
        start: Start::Weights(support::weights()),
        // Few images leave much of the classifier undetermined; the decay takes out what its random start put there.
        optimizer: Optimizer::Adam(Adam::with_decay(0.1)),
        stages: vec![Stage { freeze: Freeze::All, epochs: 60, rate: 0.003 }],
        stopping: Some(EarlyStopping::new(Monitor::ValAcc, 15)),
        ..Run::new(data, architecture)
    };
    support::train(run, images, "scenario-1")
}
