//! The bench: kernels and whole steps of VGG19, each timed only after it has just matched its reference, and placed
//! under the roofline that was measured in the same run.
//!
//! ```no_run
//! use frostline::gpu::{Device, adapter::Choice};
//! use frostline::study::bench::{self, Bench, Options, Record};
//! let device = std::sync::Arc::new(Device::open(&Choice::Best)?);
//! let options = Options { filter: Some("dense/d_w".into()), ..Options::default() };
//! let mut records: Vec<Record> = Vec::new();
//! Bench::run(&device, &options, &mut |record| records.push(record.clone()))?;
//! for change in bench::compare(&records, &records) {
//!     println!("{}: {} times as long", change.record.name, change.ratio);
//! }
//! println!("{} things can be measured", bench::list(&device, options.precision).len());
//! # Ok::<(), frostline::error::Error>(())
//! ```

mod compare;
pub(super) mod kernels;
mod record;
pub mod steps;

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::gpu::Device;
use crate::graph::Choices;
use crate::ops::Precision;
use crate::study::roofline::Roofline;

pub use compare::{Change, Verdict, compare};
pub use record::Record;

/// What to measure.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Every shape, and every rung, the naive one too.
    pub full: bool,
    /// Only what has this in `name shape variant`, out of every shape. Without `full` or a filter: a few shapes that take
    /// a minute or two.
    pub filter: Option<String>,
    /// How activations and their gradients are stored.
    pub precision: Precision,
    /// Rungs of whole steps, instead of the ops' defaults.
    pub choices: Choices,
}

impl Options {
    /// `stands_for_others` tells a shape that is always measured, `fast` a rung that is.
    pub fn selects(&self, label: &str, stands_for_others: bool, fast: bool) -> bool {
        let named = match &self.filter {
            Some(filter) => label.contains(filter.as_str()),
            None => stands_for_others || self.full,
        };
        named && (fast || self.full)
    }
}

/// Runs of one measurement, and the seconds that they may take before more are started.
const LEAST_RUNS: usize = 5;
const SECONDS: f64 = 1.0;

/// One run of the bench.
pub struct Bench<'a> {
    device: &'a Arc<Device>,
    options: &'a Options,
    roofline: Roofline,
    report: &'a mut dyn FnMut(&Record),
    wrong: Vec<String>,
}

impl<'a> Bench<'a> {
    /// Measures the roofline, then everything that `options` select, calling `report` as each measurement is done.
    ///
    /// # Errors
    /// The device is lost; nothing is selected; or, at the end, something did not match its reference. What does not
    /// match is not timed, and the rest is.
    pub fn run(
        device: &'a Arc<Device>,
        options: &'a Options,
        report: &'a mut dyn FnMut(&Record),
    ) -> Result<()> {
        let roofline = Roofline::measure(device)?;
        Record::of_roofline(&roofline).iter().for_each(&mut *report);
        let mut bench = Bench { device, options, roofline, report, wrong: Vec::new() };
        let selected = kernels::run(&mut bench)? + steps::run(&mut bench)?;
        match (selected, bench.wrong.as_slice()) {
            (0, _) => Err(Error::Usage(format!(
                "nothing in the bench contains '{}'; its lines begin with conv2d/forward, dense/d_w, \
                 step/vgg19/forward and the like: see them all with 'frostline bench --list'",
                options.filter.as_deref().unwrap_or_default()
            ))),
            (_, []) => Ok(()),
            (_, wrong) => Err(Error::Device(format!(
                "{} of {selected} do not match their reference on this adapter and were not timed:\n  {}",
                wrong.len(),
                wrong.join("\n  ")
            ))),
        }
    }

    /// Takes note of what does not match; `true` if it does.
    fn matches(&mut self, label: &str, rel_error: f64, tolerance: f64) -> bool {
        let right = rel_error <= tolerance;
        if !right {
            self.wrong.push(format!(
                "{label}: relative error {rel_error:.1e}, at most {tolerance:.0e} is rounding"
            ));
        }
        right
    }
}

/// `name shape variant` of everything that could be measured on this device.
pub fn list(device: &Device, precision: Precision) -> Vec<String> {
    kernels::list(device, precision).into_iter().chain(steps::list()).collect()
}
