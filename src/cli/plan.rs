//! `frostline plan`: what a training setting computes, skips and keeps.

use std::sync::Arc;

use super::options::model::ModelArgs;
use super::options::precision::PrecisionArgs;
use super::shared::Shared;
use crate::error::Result;
use crate::optim::Sgd;
use crate::study::explain::{Explanation, Setting};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: frostline plan --model vgg19 --input 256 --batch 16 --freeze 5 --head 1024,1024 --classes 16"
)]
pub struct Args {
    #[command(flatten)]
    pub setting: SettingArgs,
}

/// A training setting: shared by plan and explain.
#[derive(Debug, clap::Args)]
pub struct SettingArgs {
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
    #[command(flatten)]
    pub precision: PrecisionArgs,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    let explanation = Explanation::of(&setting(&args.setting, shared.memory.unwrap_or(u64::MAX))?)?;
    if args.setting.json {
        let text = serde_json::to_string_pretty(&explanation).expect("plain data serialises");
        println!("{text}");
    } else {
        print!("{explanation}");
    }
    Ok(())
}

/// The training setting that the options describe.
///
/// # Errors
/// A model, freezing choice or size that cannot be.
pub fn setting(args: &SettingArgs, memory: u64) -> Result<Setting> {
    Ok(Setting {
        architecture: args.model.architecture(args.classes, None)?,
        freeze: args.model.freeze()?,
        batch: args.batch,
        rule: Arc::new(Sgd { momentum: args.momentum, ..Sgd::default() }),
        memory,
        precision: args.precision.precision,
    })
}
