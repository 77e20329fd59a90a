//! `frostline inspect`: what is in a weight file.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::train::Checkpoint;
use crate::train::checkpoint::KEY;
use crate::train::pretrained::stated_preprocessing;
use crate::weights::import::{Report, Row, import};
use crate::weights::known::{Known, by_md5, md5_of};
use crate::weights::map::{By, Wanted};
use crate::weights::{self, Source};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: frostline inspect model.keras")]
pub struct Args {
    /// safetensors, Keras .keras, .weights.h5 or .h5, or .npz
    pub file: PathBuf,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let mut source = weights::open(&args.file)?;
    // The sum takes longer than the tensors: both read at once.
    let (sum, report) = std::thread::scope(|scope| {
        let sum = scope.spawn(|| md5_of(&args.file));
        let report = report(source.as_mut());
        (sum.join().expect("the sum panics nowhere"), report)
    });
    let (known, report) = (by_md5(&sum?), report?);
    match args.json {
        true => println!("{}", object(source.as_ref(), &report, known)),
        false => print(source.as_ref(), &report, known),
    }
    Ok(())
}

/// Every tensor read once, as if a model wanted exactly these.
fn report(source: &mut dyn Source) -> Result<Report> {
    let wanted = |entry: &weights::Entry| Wanted { name: entry.name.clone(), shape: entry.shape.clone() };
    let wanted: Vec<Wanted> = source.entries().iter().map(wanted).collect();
    import(source, &wanted, By::Order, false, |_, _| Ok(()))
}

/// The model that the file describes; an error says why it cannot be rebuilt here.
fn model(source: &dyn Source) -> Option<Result<Checkpoint>> {
    let described = source.metadata().contains_key(KEY) || source.model_config().is_some();
    described.then(|| Checkpoint::of(source))
}

fn print(source: &dyn Source, report: &Report, known: Option<Known>) {
    println!("{report}");
    if let Some(known) = known {
        println!("official  {} ({} preprocessing)", title(known), known.preprocessing);
    }
    match model(source) {
        Some(Ok(checkpoint)) => {
            let architecture = &checkpoint.architecture;
            println!("model     {} of {} layers", architecture.model, architecture.layers.len());
            let [h, w] = architecture.input;
            println!("input     {h}x{w} pixels, {} preprocessing", architecture.preprocessing);
            if !checkpoint.classes.is_empty() {
                println!("classes   {}", checkpoint.classes.join(", "));
            }
        }
        Some(Err(Error::Weights { what, .. })) => println!("model     {what}"),
        Some(Err(error)) => println!("model     {error}"),
        None => {
            let stated = stated_preprocessing(source).into_iter();
            stated.for_each(|pixels| println!("pixels    {pixels} preprocessing: {}", pixels.describe()));
        }
    }
    if let Some(state) = source.optimizer() {
        let rate = state.learning_rate.map_or(String::new(), |rate| format!(", learning rate {rate}"));
        println!("optimizer {} steps taken{rate}, {} state tensors", state.iteration, state.slots.len());
    }
}

fn title(known: Known) -> String {
    format!("{} {} its top, by its MD5", known.model, if known.top { "with" } else { "without" })
}

fn object(source: &dyn Source, report: &Report, known: Option<Known>) -> Value {
    let official = known.map(|known| {
        json!({ "model": known.model, "top": known.top, "preprocessing": known.preprocessing, "md5": known.md5 })
    });
    let (model, problem) = match model(source) {
        Some(Ok(checkpoint)) => (json!(checkpoint), Value::Null),
        Some(Err(error)) => (Value::Null, json!(error.to_string())),
        None => (Value::Null, Value::Null),
    };
    let optimizer = source.optimizer().map(|state| {
        let slots: Vec<Value> =
            state.slots.iter().map(|slot| json!({ "name": slot.name, "shape": slot.shape })).collect();
        json!({ "iteration": state.iteration, "learning_rate": state.learning_rate, "slots": slots })
    });
    json!({
        "file": report.path,
        "format": report.format.to_string(),
        "official": official,
        "preprocessing": stated_preprocessing(source),
        "tensors": report.rows.iter().map(row).collect::<Vec<_>>(),
        "values": report.values(),
        "model": model,
        "model_problem": problem,
        "optimizer": optimizer,
    })
}

fn row(row: &Row) -> Value {
    json!({
        "name": row.parameter,
        "stored_as": row.stored_as,
        "shape": row.shape,
        "type": row.dtype.name(),
        "layout": row.layout.to_string(),
        "min": row.min,
        "mean": row.mean,
        "max": row.max,
        "not_finite": row.not_finite,
    })
}
