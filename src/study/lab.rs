//! The kernel lab: an edited kernel is proven in checked mode, then timed beside the shipped rungs.
//!
//! ```no_run
//! use frostline::gpu::{Device, Edit, adapter::Choice};
//! use frostline::study::{kernels, lab, roofline::Roofline};
//! let device = Device::open(&Choice::Best)?;
//! let edit = Edit::new("conv2d", &std::fs::read_to_string("mine.wgsl").expect("an edited copy"));
//! lab::compile(&edit, kernels::find(&kernels::catalogue(device.caps()), "conv2d")?, "mine.wgsl")?;
//! let report = lab::check(&device, &edit, "conv2d", "")?.run(&device, |_| ());
//! if report.passed() {
//!     let roofline = Roofline::measure(&device)?;
//!     lab::race(&device, &roofline, &edit, "conv2d", "")?.iter().for_each(|race| println!("{race}"));
//! }
//! # Ok::<(), frostline::error::Error>(())
//! ```

use std::fmt;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::gpu::{Device, Edit};
use crate::ops::cases::{self, Case};
use crate::ops::{Lowered, Part, Step, trial};
use crate::study::bench::{Record, kernels as bench};
use crate::study::bound::lower;
use crate::study::check::Check;
use crate::study::kernels::{self, File};
use crate::study::roofline::Roofline;

/// Compiles the edited text of `path` with the constants and pieces of every kernel that is made of it.
///
/// # Errors
/// It does not compile; the message is naga's, with the lines of the file.
pub fn compile(edit: &Edit, file: &File, path: &str) -> Result<()> {
    let compile = |kernel| kernels::compile(&edit.on_top(kernel), path).map(drop);
    let refuse = |what: String| Error::Usage(format!("{path} does not compile\n{}", what.trim_end()));
    file.kernels.iter().try_for_each(compile).map_err(refuse)
}

/// The check of an edited kernel on the cases of one op whose name contains `pick`, on the rungs that run it.
///
/// # Errors
/// No such op, no such case, or no case that runs the kernel.
pub fn check<'a>(device: &Device, edit: &'a Edit, op: &str, pick: &str) -> Result<Check<'a>> {
    let mut check = Check { edit: Some(edit), differences: false, ..Check::of(op)? };
    let uses = |case: &Case| {
        let ladder = trial::ladder(case, device.caps());
        ladder.iter().any(|(_, rungs)| kernels::runs(case, device.caps(), *rungs, edit))
    };
    check.cases.retain(uses);
    if check.cases.is_empty() && !check.rules {
        return Err(Error::Usage(format!(
            "no case of {op} runs the kernel '{}' on this adapter; 'frostline kernel list' says who does",
            edit.name()
        )));
    }
    let all: Vec<String> = check.cases.iter().map(Case::name).collect();
    // A case of the benches alone is proven on all of the op's cases.
    if all.iter().any(|name| name.contains(pick)) {
        check.cases.retain(|case| case.name().contains(pick));
    } else if !bench_cases(op, pick).iter().any(uses) {
        return Err(Error::Usage(format!(
            "no case of {op} contains '{pick}'; there are\n  {}",
            all.join("\n  ")
        )));
    }
    Ok(check)
}

fn bench_cases(op: &str, pick: &str) -> Vec<Case> {
    let all = cases::bench().into_iter().map(|bench| bench.case);
    all.filter(|case| case.op.kind() == op && case.name().contains(pick)).collect()
}

/// The edited kernel and the shipped rungs on one part of one case. Displayed, it is the table that
/// `frostline kernel try` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Race {
    pub case: String,
    pub part: Part,
    /// The quickest first; the variant is the rung's name, with `edited` in front where the edited text ran.
    pub timings: Vec<Record>,
}

/// Runs of one timing: at least so many, and for about so many seconds.
const RUNS: (usize, f64) = (3, 0.4);

/// Times the edited kernel, without the bounds checks, beside every shipped rung of each part that it changes. The
/// case is the first of the benches' whose name contains `pick`; the cheapest where `pick` is empty.
///
/// # Errors
/// A kernel does not compile, or the device is lost.
pub fn race(device: &Device, roofline: &Roofline, edit: &Edit, op: &str, pick: &str) -> Result<Vec<Race>> {
    let caps = device.caps();
    let mut cases = bench_cases(op, pick);
    if pick.is_empty() {
        cases.sort_by_key(|case| case.op.macs(&case.x));
    }
    let runs_it =
        |case: &Case| trial::ladder(case, caps).iter().any(|(_, r)| kernels::runs(case, caps, *r, edit));
    let Some(case) = cases.into_iter().find(runs_it) else { return Ok(Vec::new()) };
    let mut races = Vec::new();
    for part in [Part::Forward, Part::DX, Part::DW] {
        let mut timings: Vec<Record> = Vec::new();
        for (_, rungs) in trial::ladder(&case, caps) {
            let rung = kernels::rung(rungs, part);
            let Some(shipped) = lower(device, &case, rungs, part) else { continue };
            if timings.iter().any(|known| known.variant == rung) {
                continue;
            }
            let mut record = |lowered: &Lowered, variant: &str| -> Result<()> {
                let times = bench::time(device, &case, lowered, RUNS)?;
                timings.push(Record::new(&bench::work(&case, part, variant), &times, roofline, None));
                Ok(())
            };
            if let Some(edited) = edited(&shipped, edit) {
                record(&edited, &format!("edited {rung}"))?;
            }
            record(&shipped, rung)?;
        }
        if timings.iter().any(|timing| timing.variant.starts_with("edited")) {
            timings.sort_by(|a, b| a.median_ms.total_cmp(&b.median_ms));
            races.push(Race { case: case.name(), part, timings });
        }
    }
    Ok(races)
}

/// The same steps with the edited text; `None` where it changes none of them.
fn edited(shipped: &Lowered, edit: &Edit) -> Option<Lowered> {
    let mut edited = shipped.clone();
    for step in &mut edited.steps {
        step.kernel = edit.apply(&step.kernel);
    }
    // A file holds several entry points, of which most edits change one.
    let changed = |(old, new): (&Step, &Step)| {
        let words = (kernels::spirv(&old.kernel), kernels::spirv(&new.kernel));
        edit.touches(&old.kernel) && !matches!(words, (Ok(old), Ok(new)) if old == new)
    };
    shipped.steps.iter().zip(&edited.steps).any(changed).then_some(edited)
}

impl fmt::Display for Race {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.case, self.part.name())?;
        for Record { variant, median_ms, min_ms, max_ms, runs, gflops, percent_of_peak, .. } in &self.timings
        {
            let spread = format!("({min_ms:.2} to {max_ms:.2}, {runs} runs)");
            write!(f, "  {variant:<18} {median_ms:8.2} ms  {spread:<28}")?;
            writeln!(f, " {gflops:7.1} GFLOP/s {percent_of_peak:5.1} % of the roofline")?;
        }
        Ok(())
    }
}
