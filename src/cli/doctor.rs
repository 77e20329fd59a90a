//! `frostline doctor`: the adapters of this machine, which one is taken and why, and whether it computes.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::time::Instant;

use indicatif::{BinaryBytes, HumanCount};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::gpu::adapter::{self, Choice, Info};
use crate::gpu::{Class, Device};
use crate::ops::Case;
use crate::ops::conv2d::Conv2d;
use crate::study::check::Check;

/// List the adapters of this machine, say which one is taken, and try it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: frostline doctor --json")]
pub struct Args {
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    adapters: &'a [Info],
    /// Index of the adapter that was taken.
    chosen: Option<usize>,
    why: Option<&'a str>,
    proof: Option<&'a Proof>,
    /// What failed, where something did.
    problem: Option<String>,
}

/// An op that ran on the device.
#[derive(Serialize)]
struct Proof {
    case: String,
    /// The largest `|device - reference| / |reference|` of its results.
    rel_l2: f64,
    /// Opening the device, compiling and running.
    seconds: f64,
}

/// Prints the adapters, and whether the one that `choice` takes really computes.
///
/// # Errors
/// No adapter at all or none that fits, with the way to get one; or it does not open, or computes wrongly.
pub fn run(args: &Args, choice: &Choice) -> Result<()> {
    let adapters = adapter::list();
    let chosen = adapter::choose(&adapters, choice);
    let taken = chosen.as_ref().ok().cloned();
    if !args.json {
        print(&list(&adapters, taken.as_ref()));
    }
    let outcome = chosen.and_then(|_| prove(choice));
    if args.json {
        print(&json(&adapters, taken.as_ref(), &outcome));
    } else if let Ok(proof) = &outcome {
        print(&format!("{proof}\n"));
    }
    outcome.map(drop)
}

/// A small convolution on every rung: what `frostline check` does, on one case.
fn prove(choice: &Choice) -> Result<Proof> {
    let start = Instant::now();
    let device = Device::open(choice)?;
    let case = Case::new(Conv2d::vgg(16), &[&[1, 6, 5, 3]]);
    let name = case.name();
    let check = Check { cases: vec![case], rules: false, differences: false, edit: None };
    let report = check.run(&device, |_| ());
    if let Some(failure) = report.failures().next() {
        return Err(Error::Device(format!(
            "{} computes wrongly: {failure}; update its driver, or try --adapter cpu ('frostline check' says more)",
            device.info()
        )));
    }
    let rel_l2 = report.rows.iter().map(|row| row.worst).fold(0.0, f64::max);
    Ok(Proof { case: name, rel_l2, seconds: start.elapsed().as_secs_f64() })
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Proof { case, rel_l2, seconds } = self;
        write!(
            f,
            "It works: {case}, forward and backward, is within {rel_l2:.0e} of its reference ({seconds:.1} s)."
        )
    }
}

fn json(adapters: &[Info], taken: Option<&(usize, String)>, outcome: &Result<Proof>) -> String {
    let report = Report {
        adapters,
        chosen: taken.map(|(index, _)| *index),
        why: taken.map(|(_, why)| why.as_str()),
        proof: outcome.as_ref().ok(),
        problem: outcome.as_ref().err().map(Error::to_string),
    };
    serde_json::to_string_pretty(&report).expect("a report is plain data") + "\n"
}

fn list(adapters: &[Info], taken: Option<&(usize, String)>) -> String {
    let mut text = String::new();
    for (index, info) in adapters.iter().enumerate() {
        let _ = writeln!(text, "{index}: {}", info.name);
        for (name, value) in rows(info) {
            let _ = writeln!(text, "   {name:<15} {value}");
        }
    }
    if let Some((index, why)) = taken {
        let _ = writeln!(text, "Taken: {index}, {}: {why}.", adapters[*index].name);
    }
    text
}

fn rows(info: &Info) -> Vec<(&'static str, String)> {
    let caps = &info.caps;
    let or_none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
    let yes = |has: bool| if has { "yes" } else { "no" }.to_owned();
    let matrices: Vec<String> = caps.matrices.iter().map(ToString::to_string).collect();
    vec![
        ("class", class(caps.class).to_owned()),
        ("driver", format!("{}, {}", info.driver, info.backend)),
        ("largest binding", bytes(caps.max_binding)),
        ("largest buffer", bytes(caps.max_buffer)),
        ("subgroup lanes", or_none(caps.lanes.map_or(String::new(), lanes))),
        ("f16", yes(caps.f16)),
        ("timestamps", yes(caps.timestamps)),
        ("matrix units", or_none(matrices.join(", "))),
    ]
}

fn class(class: Class) -> &'static str {
    match class {
        Class::Cpu => "software driver",
        Class::Integrated => "integrated GPU",
        Class::Discrete => "discrete GPU",
        Class::Other => "other",
    }
}

fn lanes((min, max): (u32, u32)) -> String {
    if min == max { min.to_string() } else { format!("{min} to {max}") }
}

fn bytes(bytes: u64) -> String {
    format!("{} ({} bytes)", BinaryBytes(bytes), HumanCount(bytes))
}

/// Writes to standard output; a reader that went away early, as `head` does, is no error.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
