//! `frostline check`: whether this machine computes rightly. Its output is what a bug report should contain.

use super::shared::Shared;
use crate::error::{Error, Result};
use crate::gpu::Device;
use crate::ops::Precision;
use crate::shape::Shape;
use crate::study::check::Check;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: frostline check --op conv2d --shape 2x14x14x64")]
pub struct Args {
    /// Only this op, such as conv2d, or 'rules' for the optimizers [default: everything]
    #[arg(long)]
    pub op: Option<String>,
    /// The ops over an input of this shape, batch first, such as 2x14x14x64, instead of their awkward ones
    #[arg(long, value_parser = shape, requires = "op")]
    pub shape: Option<Shape>,
    /// Only over tensors of this precision, f32 or f16 [default: f32, and f16 where the adapter has it]
    #[arg(long)]
    pub precision: Option<Precision>,
    /// One JSON object instead of the table
    #[arg(long)]
    pub json: bool,
}

/// `2x14x14x64`
pub fn shape(text: &str) -> Result<Shape, String> {
    let dims: Result<Vec<usize>, _> = text.split('x').map(str::parse).collect();
    match dims {
        Ok(dims) if (1..=4).contains(&dims.len()) && !dims.contains(&0) => Ok(Shape::new(&dims)),
        _ => Err("give one to four sizes of at least 1, as in 2x14x14x64".to_owned()),
    }
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    let check = match &args.op {
        Some(op) => Check::of(op)?,
        None => Check::everything(),
    };
    let check = match args.shape {
        Some(shape) => check.at(shape)?,
        None => check,
    };
    let device = Device::open(&shared.choice())?;
    let check = match args.precision {
        Some(precision) => {
            precision.check(device.caps())?;
            check.over(&[precision])
        }
        None if device.caps().f16 => check.over(&[Precision::F32, Precision::F16]),
        None => check,
    };
    let bar = super::progress::steps(shared.quiet);
    let report = check.run(&device, |case| bar.set_message(case.to_owned()));
    bar.finish_and_clear();
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&report).expect("plain data serialises")),
        false => print!("{report}"),
    }
    match report.failures().count() {
        0 => Ok(()),
        failed => Err(Error::Device(format!(
            "wrong in {failed} of {} cases on {}; update its driver or try --adapter cpu, and put this table into the report",
            report.cases(),
            report.environment.adapter
        ))),
    }
}
