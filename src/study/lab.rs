//! The kernel lab: an edited kernel is proven in checked mode, then timed beside the shipped rungs.

use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::gpu::{Device, Edit};
use crate::ops::cases::{self, Case};
use crate::ops::trial::{self, Trial};
use crate::ops::{Part, Rungs};
use crate::study::check::Check;
use crate::study::kernels;

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

/// One kernel's time at one case.
#[derive(Clone, Debug, Serialize)]
pub struct Timing {
    /// The rung's name, and `edited` in front where the edited text ran.
    pub name: String,
    /// Seconds: the median of the runs, the quickest and the slowest.
    pub median: f64,
    pub least: f64,
    pub most: f64,
    pub runs: usize,
    /// Floating-point operations that the steps declare.
    pub flops: u64,
}

/// The edited kernel and the shipped rungs on one part of one case.
#[derive(Clone, Debug, Serialize)]
pub struct Race {
    pub case: String,
    pub part: Part,
    /// The quickest first.
    pub timings: Vec<Timing>,
}

/// Times the edited kernel, without the bounds checks, beside every shipped rung of each part that it computes. The
/// case is the first of the benches' whose name contains `pick`; the cheapest where `pick` is empty.
///
/// # Errors
/// A kernel does not compile, or the device is lost.
pub fn race(device: &Device, edit: &Edit, op: &str, pick: &str) -> Result<Vec<Race>> {
    let caps = device.caps();
    let mut cases = bench_cases(op, pick);
    if pick.is_empty() {
        cases.sort_by_key(|case| case.op.macs(&case.x));
    }
    let runs_it =
        |case: &Case| trial::ladder(case, caps).iter().any(|(_, r)| kernels::runs(case, caps, *r, edit));
    let Some(case) = cases.into_iter().find(runs_it) else { return Ok(Vec::new()) };
    let trusted = edit.clone().trusted();
    let mut races = Vec::new();
    for part in [Part::Forward, Part::DX, Part::DW] {
        let mut timings: Vec<Timing> = Vec::new();
        for (_, rungs) in trial::ladder(&case, caps) {
            let name = kernels::rung(rungs, part);
            if timings.iter().any(|known| known.name == name) {
                continue;
            }
            let touched = |step: &crate::ops::Step| step.part == part && edit.touches(&step.kernel);
            if kernels::steps(&case, caps, rungs).iter().any(touched) {
                timings.extend(time(device, &case, rungs, part, Some(&trusted), format!("edited {name}"))?);
            }
            timings.extend(time(device, &case, rungs, part, None, name.to_owned())?);
        }
        if timings.iter().any(|timing| timing.name.starts_with("edited")) {
            timings.sort_by(|a, b| a.median.total_cmp(&b.median));
            races.push(Race { case: case.name(), part, timings });
        }
    }
    Ok(races)
}

/// Runs of one timing: at least this many, and for about this long.
const LEAST_RUNS: usize = 3;
const TIME: Duration = Duration::from_millis(400);

fn time(
    device: &Device,
    case: &Case,
    rungs: Rungs,
    part: Part,
    edit: Option<&Edit>,
    name: String,
) -> Result<Option<Timing>> {
    let inputs = case.inputs(1);
    let mut trial = Trial::new(device, case, rungs, &inputs)?.edited(edit);
    let Some(lowered) = trial.part_steps(part) else { return Ok(None) };
    let launches = trial.prepare(&lowered, &inputs.now, false)?;
    let once = || -> Result<f64> {
        let begun = Instant::now();
        device.submit(&launches)?;
        device.wait()?;
        Ok(begun.elapsed().as_secs_f64())
    };
    once()?; // the first run warms caches
    let (begun, mut seconds) = (Instant::now(), Vec::new());
    while seconds.len() < LEAST_RUNS || begun.elapsed() < TIME {
        seconds.push(once()?);
    }
    seconds.sort_by(f64::total_cmp);
    let flops = lowered.steps.iter().map(|step| step.flops).sum();
    let (least, most) = (seconds[0], seconds[seconds.len() - 1]);
    Ok(Some(Timing { name, median: seconds[seconds.len() / 2], least, most, runs: seconds.len(), flops }))
}

impl fmt::Display for Race {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.case, self.part.name())?;
        for Timing { name, median, least, most, runs, flops } in &self.timings {
            let ms = |seconds: &f64| 1e3 * seconds;
            let rate = match flops {
                0 => String::new(),
                _ => format!("{:8.1} GFLOP/s", *flops as f64 / median / 1e9),
            };
            writeln!(
                f,
                "  {name:<18} {:8.2} ms  ({:.2} to {:.2}, {runs} runs) {rate}",
                ms(median),
                ms(least),
                ms(most)
            )?;
        }
        Ok(())
    }
}
