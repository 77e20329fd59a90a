//! `frostline bench`: how fast each kernel and each whole step is on this adapter, under its measured roofline.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::options::precision::PrecisionArgs;
use super::options::tune::TuneArgs;
use super::shared::Shared;
use crate::error::{Error, Result};
use crate::gpu::Device;
use crate::study::bench::{self, Bench, Change, Options, Record, Verdict};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: frostline bench --filter conv2d/forward")]
pub struct Args {
    /// Measure every shape on every rung, the naive one too. Without it: the fast rungs, on a few shapes that take a minute
    /// or two, or on those that --filter names
    #[arg(long)]
    pub full: bool,
    /// Measure only lines that contain TEXT, whatever their shape: 'conv2d/d_w', '1x14x14x512', 'winograd4', 'step/'
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Print 'name shape variant' of everything that can be measured, and measure nothing
    #[arg(long)]
    pub list: bool,
    /// One JSON object a line instead of the table
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub precision: PrecisionArgs,
    #[command(flatten)]
    pub tune: TuneArgs,
    /// Compare with the JSON lines of an earlier run
    #[arg(long, value_name = "OLD.json")]
    pub compare: Option<PathBuf>,
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    let old = args.compare.as_deref().map(read).transpose()?;
    let device = shared.open()?;
    let precision = args.precision.precision;
    precision.check(device.caps())?;
    if args.list {
        bench::list(&device, precision).iter().for_each(|label| println!("{label}"));
        return Ok(());
    }
    let options = options(args, &device, shared)?;
    if !args.json {
        println!("{HEAD}");
    }
    let mut records = Vec::new();
    let mut report = |record: &Record| {
        println!("{}", if args.json { json(record) } else { row(record) });
        records.push(record.clone());
    };
    let result = Bench::run(&device, &options, &mut report);
    if let Some(old) = old {
        shared.say(format_args!("{}", peaks(&old, &records)));
        let changes = bench::compare(&old, &records);
        changes.iter().for_each(|change| shared.say(format_args!("{}", verdict(change))));
        if changes.is_empty() {
            shared.say(format_args!("compare   nothing was measured in both runs"));
        }
    }
    result
}

/// The choice of kernels is for whole passes: single ones are timed on each rung anyway.
fn options(args: &Args, device: &Arc<Device>, shared: &Shared) -> Result<Options> {
    let mut options = Options { full: args.full, filter: args.filter.clone(), ..Options::default() };
    options.precision = args.precision.precision;
    let mut store = args.precision.store(device.clone());
    for sized in bench::steps::all() {
        if options.selects(&sized.label()?, sized.quick, true) {
            args.tune.apply(&sized.graph()?, &mut store, shared)?;
        }
    }
    options.choices = store.choices.clone();
    Ok(options)
}

const HEAD: &str = "name                         shape                        rung              median ms   \
                    min - max          GFLOP/s    GB/s  % of peak  rel error";

fn row(record: &Record) -> String {
    if record.runs == 0 {
        let (what, value) = match record.gflops {
            0.0 => ("GB/s", record.gbytes.unwrap_or(0.0)),
            gflops => ("GFLOP/s", gflops),
        };
        return format!("{:<28} {value:.1} {what}", record.name);
    }
    let spread = format!("{:.2} - {:.2}", record.min_ms, record.max_ms);
    let gbytes = record.gbytes.map_or("-".to_owned(), |gbytes| format!("{gbytes:.1}"));
    let error = record.rel_error.map_or("-".to_owned(), |error| format!("{error:.1e}"));
    format!(
        "{:<28} {:<28} {:<15} {:>11.2}   {spread:<18} {:>7.1} {gbytes:>7}  {:>9.1}  {error:>9}",
        record.name, record.shape, record.variant, record.median_ms, record.gflops, record.percent_of_peak
    )
}

fn json(record: &Record) -> String {
    serde_json::to_string(record).expect("plain data serialises")
}

fn read(path: &Path) -> Result<Vec<Record>> {
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let line = |(number, line): (usize, &str)| {
        let wrong = |error| {
            let path = path.display();
            Error::Usage(format!("{path}, line {number}: not a line of 'frostline bench --json': {error}"))
        };
        serde_json::from_str(line).map_err(wrong)
    };
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()).map(line).collect()
}

/// How the machine itself compares: a slower adapter, or a busier machine, makes every line slower.
fn peaks(old: &[Record], new: &[Record]) -> String {
    let peak = |records: &[Record]| {
        let found = records.iter().find(|record| record.name == "roofline/multiply_add");
        found.map_or(0.0, |record| record.gflops)
    };
    let (old, new) = (peak(old), peak(new));
    format!("compare   multiply-add peak {old:.1} GFLOP/s then, {new:.1} now ({:.2} times)", new / old)
}

fn verdict(change: &Change) -> String {
    let word = match change.verdict {
        Verdict::Slower => "SLOWER",
        Verdict::Faster => "faster",
        Verdict::Same => "same",
    };
    format!("{word:<9} {:.2} times the old median: {}", change.ratio, change.record.key().join(" "))
}
