//! `frostline lr-find`: which learning rates a setting bears.

use std::path::PathBuf;

use super::options::setup::SetupArgs;
use super::progress::{bar, count};
use super::shared::{Shared, save};
use crate::error::Result;
use crate::report::svg::{self, Axis, Lines, Look, Series};
use crate::train::lr_find::{Point, Range, lr_find, steepest};
use crate::train::run::setup;
use crate::train::run::{Data, Place};
use crate::train::{Stage, interrupt};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: frostline lr-find examples/clipart8 --input 64 --limit-images 64 --steps 40 --out lr.svg"
)]
pub struct Args {
    /// DATA/train/CLASS/* with DATA/val/CLASS/*, or DATA/CLASS/*; or a file that 'frostline features' wrote
    pub data: PathBuf,
    #[command(flatten)]
    pub setup: SetupArgs,
    /// The first rate
    #[arg(long, default_value_t = 1e-6)]
    pub from_rate: f32,
    /// The last rate, unless the loss blows up before
    #[arg(long, default_value_t = 1.0)]
    pub to_rate: f32,
    /// Steps between them
    #[arg(long, default_value_t = 100)]
    pub steps: usize,
    /// The plot
    #[arg(long, default_value = "lr.svg")]
    pub out: PathBuf,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    let (mut run, data) = args.setup.run(&args.data, shared)?;
    run.data.val = 0;
    let device = shared.open()?;
    let memory = shared.budget(&device);
    let stage = Stage { freeze: args.setup.model.freeze()?, epochs: 1, rate: args.to_rate };
    run.stages = vec![stage.clone()];
    args.setup.batch.settle(&mut run, device.caps(), memory, shared)?;
    let mut store = args.setup.precision.store(device);
    run.place = Some(Place::of(&store, memory));
    setup::fill(&run, &mut store)?;
    interrupt::listen();
    let graph = setup::graph(&run, &stage)?;
    let features = bar("features", run.data.train, shared.quiet);
    let staged = match &data {
        Data::Features(file) => setup::stage_on(&run, &graph, file)?,
        Data::Images(images) => {
            let loaders = setup::loaders(&run, images)?;
            setup::stage(&run, &graph, &loaders[..1], None, &mut store, |done, _| {
                features.set_position(done as u64);
            })?
        }
    };
    features.finish_and_clear();
    let range = Range { from: args.from_rate, to: args.to_rate, steps: args.steps };
    let progress = count("steps", args.steps, shared.quiet);
    let settings = (run.optimizer.rule(), run.batch, run.seed, staged.memory);
    let points = lr_find(&staged.graph, &mut store, &*staged.train, settings, range, |step| {
        progress.set_position(step as u64);
    })?;
    progress.finish_and_clear();
    report(args, &points)
}

fn report(args: &Args, points: &[Point]) -> Result<()> {
    let found = steepest(points);
    save(&args.out, &plot(points, found))?;
    if args.json {
        println!("{}", serde_json::json!({ "points": points, "steepest": found, "plot": args.out }));
        return Ok(());
    }
    println!("tried     {} rates up to {:.1e}", points.len(), points.last().map_or(0.0, |last| last.rate));
    match found {
        Some(rate) => println!("try       --lr {rate:.1e}, where the loss falls most steeply"),
        None => println!("the loss never falls: try a smaller --from-rate, or look at the data"),
    }
    println!("plot      {}", args.out.display());
    Ok(())
}

/// The loss over the rate.
fn plot(points: &[Point], found: Option<f32>) -> String {
    let over = |value: fn(&Point) -> f64| points.iter().map(|p| (f64::from(p.rate), value(p))).collect();
    let each = Series { look: Look::Dots, ..Series::line("loss of each step", 1, over(|p| p.loss)) };
    let smooth = Series::line("smoothed", 0, over(|p| p.smooth));
    let mut chart = Lines::new(Axis::log("learning rate"), Axis::number("loss"), vec![each, smooth]);
    if let Some(rate) = found {
        chart = chart.mark(f64::from(rate), format!("{rate:.1e}"));
    }
    svg::standalone("Learning-rate range test", &chart)
}
