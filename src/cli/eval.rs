//! `frostline eval`: how good a checkpoint is on a folder of images.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Shared;
use crate::data::batches::{Loader, Options};
use crate::data::folder::class_names;
use crate::data::split::Split;
use crate::error::Result;
use crate::graph::Store;
use crate::train::evaluate::{Evaluation, evaluate};
use crate::train::metrics::argmax;
use crate::train::{Checkpoint, ImageSamples};

/// Example: frostline eval runs/clipart8-vgg16-1/best.safetensors examples/clipart8
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A checkpoint written by 'frostline train', or a whole Keras model
    pub checkpoint: PathBuf,
    /// DATA/val/CLASS/* or DATA/CLASS/*
    pub data: PathBuf,
    /// Images per pass
    #[arg(long, default_value_t = 16)]
    pub batch: usize,
    /// Stop at the first unreadable image instead of skipping it
    #[arg(long)]
    pub strict: bool,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    let (mut checkpoint, _) = Checkpoint::open(&args.checkpoint)?;
    let folder = validation_part(&args.data);
    if checkpoint.classes.is_empty() {
        checkpoint.classes = class_names(&folder)?;
        checkpoint.network()?.check_classes(checkpoint.classes.len())?;
    }
    let split = Split::open_labelled(&folder, &checkpoint.classes)?;
    let (found, loader) = apply(&args.checkpoint, split, args.batch, args.strict, shared)?;
    let skipped = loader.unreadable();
    skipped.named.values().for_each(|what| eprintln!("skipped   {what}"));
    if args.json {
        println!("{}", json(&found, &checkpoint.classes, skipped.count()));
        return Ok(());
    }
    println!("images    {} ({} unreadable)", found.metrics.samples(), skipped.count());
    println!("loss      {:.4}", found.metrics.loss());
    println!("accuracy  {:.4} ({} right)", found.metrics.accuracy(), found.metrics.correct());
    let width = checkpoint.classes.iter().map(String::len).max().unwrap_or(0);
    for (name, (right, all)) in checkpoint.classes.iter().zip(per_class(&found, checkpoint.classes.len())) {
        println!("  {name:width$}  {right:>4} of {all:<4} {:.3}", right as f64 / all.max(1) as f64);
    }
    Ok(())
}

/// `DATA/val` where there is one, else DATA itself.
fn validation_part(data: &Path) -> PathBuf {
    let known = ["val", "valid", "validation"].map(|name| data.join(name));
    known.into_iter().find(|path| path.is_dir()).unwrap_or_else(|| data.to_path_buf())
}

/// Runs a checkpoint over labelled images.
///
/// # Errors
/// A damaged checkpoint, no readable image, or no adapter.
pub fn apply(
    path: &Path,
    split: Split,
    batch: usize,
    strict: bool,
    shared: &Shared,
) -> Result<(Evaluation, Arc<Loader>)> {
    let (checkpoint, mut source) = Checkpoint::open(path)?;
    let mut network = checkpoint.network()?;
    network.graph.set_trainable(|_| false);
    let mut options = Options::square(checkpoint.architecture.input[0] as u32, batch.max(1));
    options.strict = strict;
    let loader = Arc::new(Loader::new(split, options)?);
    let device = shared.open()?;
    let memory = shared.budget(&device);
    let mut store = Store::new(device);
    checkpoint.load(&mut *source, &mut store)?;
    let samples = ImageSamples(loader.clone());
    Ok((evaluate(&network.graph, &mut store, &samples, batch.max(1), memory)?, loader))
}

/// (right, all) of each class.
fn per_class(found: &Evaluation, classes: usize) -> Vec<(usize, usize)> {
    let mut counts = vec![(0, 0); classes];
    for (row, &label) in found.probabilities.chunks_exact(classes).zip(&found.labels) {
        let count = &mut counts[label as usize];
        count.0 += usize::from(argmax(row) == label as usize);
        count.1 += 1;
    }
    counts
}

fn json(found: &Evaluation, classes: &[String], unreadable: usize) -> serde_json::Value {
    let counts = per_class(found, classes.len());
    let per_class = classes
        .iter()
        .zip(counts)
        .map(|(name, (right, all))| serde_json::json!({ "class": name, "right": right, "images": all }));
    serde_json::json!({
        "images": found.metrics.samples(),
        "unreadable": unreadable,
        "loss": found.metrics.loss(),
        "accuracy": found.metrics.accuracy(),
        "classes": per_class.collect::<Vec<_>>(),
    })
}
