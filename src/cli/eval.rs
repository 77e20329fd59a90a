//! `frostline eval`: how good a checkpoint is on a folder of images.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::options::precision::PrecisionArgs;
use super::reporting::judged;
use super::shared::Shared;
use crate::data::batches::{Loader, Options};
use crate::data::folder::class_names;
use crate::data::split::Split;
use crate::error::Result;
use crate::graph::Store;
use crate::nn::Network;
use crate::report::sections::setting::Fact;
use crate::report::{Page, Verdict};
use crate::train::evaluate::{Evaluation, evaluate};
use crate::train::scores::Scores;
use crate::train::{Checkpoint, ImageSamples};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: frostline eval runs/clipart8-vgg16-1/best.safetensors examples/clipart8")]
pub struct Args {
    /// A checkpoint written by 'frostline train', or a whole Keras model
    pub checkpoint: PathBuf,
    /// DATA/val/CLASS/* or DATA/CLASS/*
    pub data: PathBuf,
    /// How many guesses an image has for top-k
    #[arg(long, default_value_t = 5)]
    pub top: usize,
    /// How many of the images with the highest losses to name
    #[arg(long, default_value_t = 10)]
    pub losses: usize,
    #[command(flatten)]
    pub pass: Pass,
    /// Write a page with the confusion matrix, calibration and the highest losses under Grad-CAM
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
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
    let mut applied = apply(&args.checkpoint, split, args.pass, shared)?;
    let skipped = applied.loader.unreadable();
    skipped.named.values().for_each(|what| eprintln!("skipped   {what}"));
    // Before the text, whose reader may go away early.
    if let Some(page) = &args.html {
        write_page(page, args, &mut applied, &checkpoint.classes, &folder, shared)?;
    }
    let Applied { found, loader, .. } = &applied;
    let scores = Scores::of(found, &checkpoint.classes, args.top, args.losses);
    match args.json {
        true => println!("{}", json(&scores, loader, skipped.count())),
        false => print(&scores, loader, skipped.count()),
    }
    Ok(())
}

/// The page of the evaluation, with Grad-CAM beside the highest losses.
fn write_page(
    page: &Path,
    args: &Args,
    applied: &mut Applied,
    classes: &[String],
    folder: &Path,
    shared: &Shared,
) -> Result<()> {
    let Applied { found, loader, network, store } = applied;
    let judged = judged(network, store, found, "images", classes, (loader, folder))?;
    let architecture = &network.architecture;
    let [h, w] = architecture.input;
    let model = format!("{} at {h}x{w}, {} preprocessing", architecture.model, architecture.preprocessing);
    let setting = vec![
        Fact::new("checkpoint", args.checkpoint.display().to_string()),
        Fact::new("data", folder.display().to_string()),
        Fact::new("model", model),
        Fact::new("unreadable images", loader.unreadable().count().to_string()),
        Fact::new("precision", store.precision.name()),
        Fact::new("adapter", store.device().info().name.clone()),
        Fact::new("version", format!("Frostline {}", env!("CARGO_PKG_VERSION"))),
    ];
    let data = args.data.file_name().map_or("images".into(), |name| name.to_string_lossy());
    Verdict { title: format!("{} on {data}", architecture.model), judged, setting }.write(page)?;
    shared.say(format_args!("page      {}", page.display()));
    Ok(())
}

/// What a checkpoint said of images, and what it takes to ask it more.
pub struct Applied {
    pub found: Evaluation,
    pub loader: Arc<Loader>,
    network: Network,
    store: Store,
}

/// `DATA/val` where there is one, else DATA itself.
fn validation_part(data: &Path) -> PathBuf {
    let known = ["val", "valid", "validation"].map(|name| data.join(name));
    known.into_iter().find(|path| path.is_dir()).unwrap_or_else(|| data.to_path_buf())
}

/// How a checkpoint runs over images.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Pass {
    /// Images per pass
    #[arg(long, default_value_t = 16)]
    pub batch: usize,
    /// Stop at the first unreadable image instead of skipping it
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub precision: PrecisionArgs,
}

/// Runs a checkpoint over labelled images.
///
/// # Errors
/// A damaged checkpoint, no readable image, or no adapter.
pub fn apply(path: &Path, split: Split, pass: Pass, shared: &Shared) -> Result<Applied> {
    let batch = pass.batch.max(1);
    let (checkpoint, mut source) = Checkpoint::open(path)?;
    let mut network = checkpoint.network()?;
    network.graph.set_trainable(|_| false);
    let mut options = Options::square(checkpoint.architecture.input[0] as u32, batch);
    (options.strict, options.decode.filter) = (pass.strict, checkpoint.resize);
    let loader = Arc::new(Loader::new(split, options)?);
    let device = shared.open()?;
    let memory = shared.budget(&device);
    let mut store = pass.precision.store(device);
    checkpoint.load(&mut *source, &mut store)?;
    let samples = ImageSamples(loader.clone());
    let found = evaluate(&network.graph, &mut store, &samples, batch, memory)?;
    Ok(Applied { found, loader, network, store })
}

fn json(scores: &Scores, loader: &Loader, unreadable: usize) -> serde_json::Value {
    let mut all = serde_json::to_value(scores).expect("plain data serialises");
    all["unreadable"] = unreadable.into();
    for (entry, loss) in all["top_losses"].as_array_mut().into_iter().flatten().zip(&scores.top_losses) {
        entry["image"] = loader.path(loss.index).to_string_lossy().into();
    }
    all
}

fn print(scores: &Scores, loader: &Loader, unreadable: usize) {
    let right = scores.classes.iter().map(|class| class.right).sum::<usize>();
    println!("images    {} ({unreadable} unreadable)", scores.images);
    println!("loss      {:.4}", scores.loss);
    println!("accuracy  {:.4} ({right} right)", scores.accuracy);
    println!("top-{:<5} {:.4}", scores.k, scores.top_k);
    println!("macro     f1 {:.4}  auc {}", scores.macro_f1, shown(scores.macro_auc));
    println!("ece       {:.4}", scores.calibration.ece);
    print_classes(scores);
    print_confusion(scores);
    print_calibration(scores);
    if !scores.confused.is_empty() {
        println!("\ntaken for each other");
        let width = widest(scores.confused.iter().map(|pair| pair.truth.as_str()));
        for pair in &scores.confused {
            let percent = 100.0 * pair.share;
            println!(
                "  {:width$}  as {:width$}  {:>4}  {percent:>5.1} %",
                pair.truth, pair.guess, pair.images
            );
        }
    }
    if !scores.top_losses.is_empty() {
        println!("\nhighest losses");
        let width = widest(scores.top_losses.iter().flat_map(|l| [l.truth.as_str(), l.guess.as_str()]));
        for worst in &scores.top_losses {
            let path = loader.path(worst.index);
            let (truth, guess, p) = (&worst.truth, &worst.guess, worst.probability);
            println!("  {:>7.3}  {truth:width$}  as {guess:width$}  {p:.3}  {}", worst.loss, path.display());
        }
    }
}

fn print_classes(scores: &Scores) {
    let width = widest(scores.classes.iter().map(|class| class.class.as_str())).max("class".len());
    println!("\n  {:width$}  images  right  precision  recall     f1    auc", "class");
    for class in &scores.classes {
        let [precision, recall, f1, auc] = [class.precision, class.recall, class.f1, class.auc].map(shown);
        println!(
            "  {:width$}  {:>6}  {:>5}  {precision:>9}  {recall:>6}  {f1:>5}  {auc:>5}",
            class.class, class.images, class.right
        );
    }
}

/// Rows are true classes, columns guesses; columns carry the numbers of the rows.
fn print_confusion(scores: &Scores) {
    const MOST: usize = 30;
    if scores.classes.len() > MOST {
        println!("\nconfusion of {} classes: see --json", scores.classes.len());
        return;
    }
    let width = widest(scores.classes.iter().map(|class| class.class.as_str()));
    let most = scores.confusion.iter().flatten().max().copied().unwrap_or(0);
    let column = most.to_string().len().max(scores.classes.len().to_string().len());
    let numbers: Vec<String> = (1..=scores.classes.len()).map(|i| format!("{i:>column$}")).collect();
    println!("\n  {:width$}      taken for {}", "class", numbers.join(" "));
    for (i, (class, row)) in scores.classes.iter().zip(&scores.confusion).enumerate() {
        let cell = |&images: &usize| match images {
            0 => format!("{:>column$}", "."),
            _ => format!("{images:>column$}"),
        };
        let cells: Vec<String> = row.iter().map(cell).collect();
        println!("  {:width$}  {:>3}           {}", class.class, i + 1, cells.join(" "));
    }
}

fn print_calibration(scores: &Scores) {
    println!("\n  confidence   images   mean  accuracy");
    for bin in scores.calibration.bins.iter().filter(|bin| bin.images > 0) {
        let (confidence, accuracy) = (bin.confidence, bin.accuracy);
        println!(
            "  {:.1} to {:.1}   {:>6}  {confidence:.3}     {accuracy:.3}",
            bin.low, bin.high, bin.images
        );
    }
}

fn shown(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{share:.3}"))
}

fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}
