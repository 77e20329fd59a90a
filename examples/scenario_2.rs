//! Scenario 2: many images, like those of the pretraining.
//!
//! There is enough to fine-tune through the network. The head comes first, because the gradients of a random head would
//! tear up what lies below it; then ever more blocks, at ever smaller rates. The first block, which sees edges and
//! colours, stays as it is.
//!
//!     cargo run --release --example scenario_2 -- examples/clipart8 64

mod support;

use frostline::error::Result;
use frostline::nn::{Head, Pool, Preprocessing, vgg};
use frostline::optim::{Adam, Optimizer};
use frostline::train::Run;
use frostline::train::pretrained::Start;
use frostline::train::schedule::stages;

fn main() -> Result<()> {
    let (data, images) = support::data()?;
    let head = Head { pool: Pool::Avg, classes: data.classes.len(), ..Head::default() };
    let architecture = vgg::with_head("vgg16", 64, Preprocessing::Caffe, &head)?;
    let run = Run {
        start: Start::Weights(support::weights()),
        optimizer: Optimizer::Adam(Adam::default()),
        stages: stages::parse("head:10,block5:3@0.0001,block2:2@0.00003", &architecture, 0.003)?,
        // Each block takes 0.7 times the rate of the block above it.
        block_factor: 0.7,
        ..Run::new(data, architecture)
    };
    support::train(run, images, "scenario-2")
}
