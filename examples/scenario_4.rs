//! Scenario 4: many images, very different from those of the pretraining.
//!
//! The whole network trains. Pretrained weights are still a better start than random ones: their first layers fit, and
//! the rest is no worse. A warm-up keeps the first steps small, while the head is random; a cosine lets the rate run out.
//! To start from random values, leave `start` as it is.
//!
//!     cargo run --release --example scenario_4 -- examples/clipart8 64

mod support;

use frostline::error::Result;
use frostline::nn::{Freeze, Head, Pool, Preprocessing, vgg};
use frostline::optim::{Adam, Optimizer};
use frostline::train::pretrained::Start;
use frostline::train::{Curve, Run, Schedule, Stage};

fn main() -> Result<()> {
    let (data, images) = support::data()?;
    let head = Head { pool: Pool::Avg, classes: data.classes.len(), ..Head::default() };
    let architecture = vgg::with_head("vgg16", 64, Preprocessing::Caffe, &head)?;
    let run = Run {
        start: Start::Weights(support::weights()),
        optimizer: Optimizer::Adam(Adam::default()),
        stages: vec![Stage { freeze: Freeze::None, epochs: 5, rate: 1e-4 }],
        schedule: Schedule { curve: Curve::Cosine { floor: 0.0 }, warm_up: 1.0 },
        ..Run::new(data, architecture)
    };
    support::train(run, images, "scenario-4")
}
