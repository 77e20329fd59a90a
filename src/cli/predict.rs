//! `frostline predict`: what a checkpoint sees in images.

use std::path::PathBuf;

use super::eval::{self, Applied, Pass};
use super::shared::Shared;
use crate::data::split::Split;
use crate::error::Result;
use crate::train::Checkpoint;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: frostline predict runs/clipart8-vgg16-1/best.safetensors examples/clipart8/val/bird/*.jpg"
)]
pub struct Args {
    /// A checkpoint written by 'frostline train', or a whole Keras model
    pub checkpoint: PathBuf,
    /// Images, or folders of images
    #[arg(required = true)]
    pub images: Vec<PathBuf>,
    /// How many classes to print for each image
    #[arg(long, default_value_t = 3)]
    pub top: usize,
    #[command(flatten)]
    pub pass: Pass,
    /// One JSON object per line
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    let (checkpoint, _) = Checkpoint::open(&args.checkpoint)?;
    // The graph computes a loss too; any class will do as its label.
    let split = Split::open_flat(&args.images)?;
    let split = Split::from_samples(split.samples().map(|sample| (sample.path, 0)));
    let Applied { found, loader, .. } = eval::apply(&args.checkpoint, split, args.pass, shared)?;
    let classes = &checkpoint.class_names();
    for (row, &index) in found.probabilities.chunks_exact(classes.len()).zip(&found.indices) {
        let path = loader.path(index);
        let top = top(row, args.top);
        if args.json {
            let classes =
                top.iter().map(|&i| serde_json::json!({ "class": classes[i], "probability": row[i] }));
            let line = serde_json::json!({ "image": path.to_string_lossy(), "classes": classes.collect::<Vec<_>>() });
            println!("{line}");
        } else {
            let guesses: Vec<String> = top.iter().map(|&i| format!("{} {:.3}", classes[i], row[i])).collect();
            println!("{}  {}", path.display(), guesses.join("  "));
        }
    }
    loader.unreadable().named.values().for_each(|what| eprintln!("skipped   {what}"));
    Ok(())
}

/// Indices of the `count` largest values, the largest first, the first of equals first.
fn top(row: &[f32], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
    order.truncate(count.max(1));
    order
}
