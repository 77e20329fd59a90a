//! `frostline plan`: what a training setting computes, skips and keeps.

use std::sync::Arc;

use super::Shared;
use super::model::ModelArgs;
use crate::error::Result;
use crate::gpu::Caps;
use crate::graph::fit::fit;
use crate::graph::{Graph, Plan, Settings};
use crate::nn::network::Ends;
use crate::nn::{Freeze, Network};
use crate::optim::Sgd;
use crate::study::explain::Explanation;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: frostline plan --model vgg19 --input 256 --batch 16 --freeze 5 --head 1024,1024 --classes 16"
)]
pub struct Args {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Number of classes
    #[arg(long, default_value_t = 1000)]
    pub classes: usize,
    /// Images per step
    #[arg(long, default_value_t = 16)]
    pub batch: usize,
    /// Momentum of SGD; its state takes as much memory as the trained parameters
    #[arg(long, default_value_t = 0.9)]
    pub momentum: f32,
    /// One JSON object instead of the table
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    let explanation = explain(args, shared.memory.unwrap_or(u64::MAX))?;
    if args.json {
        let text = serde_json::to_string_pretty(&explanation).expect("plain data serialises");
        println!("{text}");
    } else {
        print!("{explanation}");
    }
    Ok(())
}

/// The table behind `frostline plan`, for the limits that WebGPU guarantees.
///
/// # Errors
/// A model, freezing choice or size that cannot be.
pub fn explain(args: &Args, memory: u64) -> Result<Explanation> {
    let architecture = args.model.architecture(args.classes)?;
    let frozen = Network::new(architecture.clone(), &args.model.freeze()?, 0.0)?.graph;
    let full = Network::new(architecture, &Freeze::None, 0.0)?.graph;
    let plan = |graph: &Graph| -> Result<Plan> {
        let ends = Ends::of(graph).expect("a network has a loss");
        let settings = Settings {
            batch: args.batch.max(1),
            training: true,
            rule: Some(Arc::new(Sgd { momentum: args.momentum, ..Sgd::default() })),
            outputs: vec![ends.losses, ends.probabilities],
            ..Settings::default()
        };
        fit(graph, &Caps::default(), settings, memory)
    };
    let (with, without) = (plan(&frozen)?, plan(&full)?);
    Ok(Explanation::new(args.batch, (&frozen, &with), (&full, &without)))
}
