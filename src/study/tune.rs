//! Tuning: which rung is the fastest one here, for each layer and part of a graph, found by measuring.
//!
//! It is explicit: without it each op's own order decides, so that the same seed gives the same bits on the same adapter.
//! What tuning found is plain data ([`Choices`]) that a receipt can keep, and it never depends on the batch size.
//!
//! ```
//! use frostline::{error::Result, graph::{Graph, Store}};
//! use frostline::study::tune::{Known, Level, tune};
//! fn tuned(graph: &Graph, store: &mut Store, folder: &std::path::Path) -> Result<()> {
//!     let device = store.device().clone();
//!     let mut known = Known::open(&device, folder);
//!     store.choices = tune(&device, graph, store.precision, Level::Quick, &mut known, |layer, found| println!("{layer}: {}", found.rung.name()))?;
//!     known.save()
//! }
//! ```

mod known;

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::gpu::{Class, Device, Form, Launch};
use crate::graph::fuse::fuse;
use crate::graph::{Choices, Graph, Node, Sweep, choices};
use crate::ops::{Case, Lowered, Part, Precision, Rung, Rungs};
use crate::study::bound::{Bound, lower};
use crate::study::check;
use crate::study::timing::Times;

pub use known::{Finding, Known};

/// How much to measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing: each op's default.
    #[default]
    Off,
    /// The rungs that each op expects to be fast here.
    Quick,
    /// Every rung that runs here, the naive one too.
    Full,
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Level, String> {
        match text {
            "off" => Ok(Level::Off),
            "quick" => Ok(Level::Quick),
            "full" => Ok(Level::Full),
            _ => Err("use off, quick or full".to_owned()),
        }
    }
}

/// At most so many rungs compete.
const MOST_CANDIDATES: usize = 12;
/// Counted runs of each candidate, after two that are not.
const RUNS: usize = 5;
/// A candidate that takes so many times the fastest one's time in its first run is not run again; it still wins if none of
/// the others computes rightly.
const HOPELESS: f64 = 8.0;
/// A default that is slower than the fastest by less stays: that much is noise.
const WORTH: f64 = 0.97;

/// Finds the fastest rung in this precision for every layer and part that `graph` needs, the known ones first; new findings go to `known`,
/// and `report` sees each one.
///
/// # Errors
/// The device is lost, or has not the memory for one layer alone; or no rung of a layer computes rightly.
pub fn tune(
    device: &Device,
    graph: &Graph,
    precision: Precision,
    level: Level,
    known: &mut Known,
    mut report: impl FnMut(&str, &Finding),
) -> Result<Choices> {
    let mut found = Choices::default();
    if level == Level::Off {
        return Ok(found);
    }
    // As the planner lowers it: a choice is about the op that takes its neighbours in.
    let (graph, inside) = &fuse(graph, &[]);
    let sweep = Sweep::of(graph);
    let nodes = graph.nodes.iter().zip(&sweep.nodes).enumerate();
    let hosts = nodes.filter(|(i, _)| inside.iter().all(|inside| inside.node.0 != *i));
    for (_, (node, decision)) in hosts {
        let wants = &decision.wants;
        let needed = [
            (Part::Forward, true),
            (Part::DX, wants.d_x.iter().any(|wanted| *wanted)),
            (Part::DW, wants.d_params.iter().any(|wanted| *wanted)),
        ];
        let case = case(device, graph, node, precision);
        for (part, _) in needed.iter().filter(|(_, needed)| *needed) {
            let site = case.site(device.caps(), Rungs::all(Rung::Naive));
            if found.get(&*case.op, &site, *part).is_some() || case.op.rungs(*part, &site).len() < 2 {
                continue;
            }
            let rung = one(device, &case, *part, level, known, &mut report)?;
            found.set(&*case.op, &site, *part, rung);
        }
    }
    Ok(found)
}

/// The layer at a number of samples that its shape alone decides: enough work to time, and no more.
fn case(device: &Device, graph: &Graph, node: &Node, precision: Precision) -> Case {
    let (enough, most) = match device.caps().class {
        Class::Cpu => (500_000_000, 8),
        _ => (50_000_000_000, 64),
    };
    let macs = node.op.macs(&graph.x_shapes(node, 1)).max(1);
    let samples = (enough / macs).clamp(1, most) as usize;
    let x = graph.x_shapes(node, samples);
    Case { op: node.op.clone(), x, trains: true, precision }
}

fn one(
    device: &Device,
    case: &Case,
    part: Part,
    level: Level,
    known: &mut Known,
    report: &mut impl FnMut(&str, &Finding),
) -> Result<Rung> {
    let site = case.site(device.caps(), Rungs::all(Rung::Naive));
    let key = choices::key(&*case.op, &site, part);
    let all = candidates(device, case, part, Level::Full);
    let kernels = known::hash(all.iter().flat_map(|candidate| &candidate.lowered.steps));
    if let Some(finding) = known.get(&key, &kernels, level) {
        return Ok(finding.rung);
    }
    let timed = race(device, case, candidates(device, case, part, level))?;
    let rung = winner(device, case, part, &key, &timed)?;
    let ms = timed.iter().map(|(candidate, times)| (candidate.rung, times.median() * 1e3)).collect();
    let finding = Finding { rung, level, kernels, ms };
    report(&key, &finding);
    known.insert(key, finding);
    Ok(rung)
}

struct Candidate {
    rung: Rung,
    lowered: Lowered,
}

/// Those that this level looks at and this adapter's limits admit, the op's default first.
fn candidates(device: &Device, case: &Case, part: Part, level: Level) -> Vec<Candidate> {
    let site = case.site(device.caps(), Rungs::all(Rung::Naive));
    let mut able = case.op.rungs(part, &site);
    if level == Level::Quick {
        let fast = able.iter().position(|rung| *rung == Rung::Naive).unwrap_or(able.len());
        able.truncate(fast.max(1));
    }
    let lowered = able.into_iter().filter_map(|rung| {
        let rungs = Rungs::all(Rung::Naive).with(part, rung);
        Some(Candidate { rung, lowered: lower(device, case, rungs, part)? })
    });
    lowered.filter(|candidate| fits(device, &candidate.lowered)).take(MOST_CANDIDATES).collect()
}

fn fits(device: &Device, lowered: &Lowered) -> bool {
    let caps = device.caps();
    let scratch = lowered.scratch.iter().all(|scratch| {
        let bound = if scratch.form == Form::Words { caps.max_binding } else { u64::MAX };
        scratch.form.round_up(scratch.bytes) <= caps.max_bytes(scratch.form).min(bound)
    });
    scratch && lowered.steps.iter().all(|step| step.groups.iter().all(|&groups| groups <= caps.max_groups))
}

/// Times the candidates in turns, so that whatever else the machine does slows all of them alike; the fastest first.
fn race(device: &Device, case: &Case, candidates: Vec<Candidate>) -> Result<Vec<(Candidate, Times)>> {
    let mut runners: Vec<Runner> = Vec::new();
    for candidate in candidates {
        // The launches keep their tensors alive.
        let launches = Bound::of(device, case)?.prepare(&candidate.lowered)?;
        device.wait()?;
        device.time(&launches)?;
        let first = device.time(&launches)?;
        runners.push(Runner { candidate, launches, first, times: Times::default() });
    }
    let best = runners.iter().map(|runner| runner.first).fold(f64::INFINITY, f64::min);
    let (hopeless, mut others): (Vec<Runner>, Vec<Runner>) =
        runners.into_iter().partition(|runner| runner.first > best * HOPELESS);
    for _ in 0..RUNS {
        for runner in &mut others {
            runner.times.add(device.time(&runner.launches)?);
        }
    }
    let all = others.into_iter().chain(hopeless.into_iter().map(Runner::once));
    let mut timed: Vec<(Candidate, Times)> = all.map(|runner| (runner.candidate, runner.times)).collect();
    // Stable, so that the default comes first among equals.
    timed.sort_by(|a, b| a.1.median().total_cmp(&b.1.median()));
    Ok(timed)
}

/// A candidate ready to run.
struct Runner {
    candidate: Candidate,
    launches: Vec<Launch>,
    /// Seconds of the first run behind the one that warms up.
    first: f64,
    times: Times,
}

impl Runner {
    /// Its first run stands for all.
    fn once(mut self) -> Self {
        self.times.add(self.first);
        self
    }
}

/// The fastest that matches the reference; or the op's default, if it matches and is hardly slower.
fn winner(device: &Device, case: &Case, part: Part, key: &str, timed: &[(Candidate, Times)]) -> Result<Rung> {
    let site = case.site(device.caps(), Rungs::all(Rung::Naive));
    let default = case.op.rungs(part, &site)[0];
    let hardly_slower = |times: &Times| timed[0].1.median() >= times.median() * WORTH;
    let preferred = timed.iter().filter(|(c, times)| c.rung == default && hardly_slower(times));
    for (candidate, _) in preferred.chain(timed) {
        let rungs = Rungs::all(Rung::Naive).with(part, candidate.rung);
        if check::rel_errors(device, &case.small(), rungs)?[part as usize] <= check::tolerance(case, part) {
            return Ok(candidate.rung);
        }
    }
    Err(Error::Device(format!(
        "{key}: no rung matches its reference on this adapter; run 'frostline doctor', or try --adapter cpu"
    )))
}
