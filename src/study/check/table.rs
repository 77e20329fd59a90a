//! The check as a table, under the names and versions that a bug report needs.

use std::fmt;

use serde::Serialize;

use super::{Report, Row};
use crate::gpu::Device;
use crate::ops::deviations::{Deviations, RELATIVE, ULPS};

/// Where a check ran.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Environment {
    pub adapter: String,
    pub backend: String,
    pub driver: String,
    /// Lanes of a subgroup, smallest to largest; `None` where there are no subgroups.
    pub lanes: Option<(u32, u32)>,
    pub frostline: String,
    pub wgpu: String,
    pub naga: String,
    /// Operating system and processor architecture.
    pub system: String,
}

impl Environment {
    pub fn of(device: &Device) -> Environment {
        let info = device.info();
        Environment {
            adapter: info.name.clone(),
            backend: info.backend.clone(),
            driver: info.driver.clone(),
            lanes: info.caps.lanes,
            frostline: env!("CARGO_PKG_VERSION").to_owned(),
            wgpu: locked("wgpu").to_owned(),
            naga: locked("naga").to_owned(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

/// The version of a dependency that this program was built with.
fn locked(package: &str) -> &'static str {
    const LOCK: &str = include_str!("../../../Cargo.lock");
    let entry = LOCK.split_once(&format!("name = \"{package}\"\nversion = \"")).map(|(_, rest)| rest);
    entry.and_then(|rest| rest.split_once('"')).map_or("unknown", |(version, _)| version)
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lanes = self.lanes.map_or("none".to_owned(), |(least, most)| match least == most {
            true => least.to_string(),
            false => format!("{least} to {most}"),
        });
        writeln!(f, "adapter    {} ({}), subgroup lanes {lanes}", self.adapter, self.backend)?;
        writeln!(f, "driver     {}", self.driver)?;
        writeln!(
            f,
            "versions   frostline {}, wgpu {}, naga {}, {}",
            self.frostline, self.wgpu, self.naga, self.system
        )
    }
}

/// Characters of eight heights; a bin that holds anything shows at least the lowest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

fn bars(bins: &[u64]) -> String {
    let most = bins.iter().copied().max().unwrap_or(0).max(1) as f64;
    let bar = |&count: &u64| match count {
        0 => '·',
        // By the square root, so that rare bins stay visible.
        _ => BARS[((count as f64 / most).sqrt() * 7.0).round() as usize],
    };
    bins.iter().map(bar).collect()
}

fn most_ulps(deviations: &Deviations) -> String {
    match deviations.most_ulps {
        u64::MAX => "NaN".to_owned(),
        n if n > ULPS[ULPS.len() - 1] => format!("> {}", ULPS[ULPS.len() - 1]),
        n => n.to_string(),
    }
}

fn verdict(passed: bool) -> &'static str {
    if passed { "pass" } else { "FAIL" }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.environment)?;
        writeln!(
            f,
            "{:<22} {:<15} {:<4} {:>5} {:>8} {:>8} {:>10}  {:<13} {:<10} {:<9} {:>6}  verdict",
            "op",
            "rung",
            "over",
            "cases",
            "worst",
            "limit",
            "most ulps",
            "ulps",
            "relative",
            "same bits",
            "guards"
        )?;
        self.rows.iter().try_for_each(|row| line(f, row))?;
        self.left_out.iter().try_for_each(|what| writeln!(f, "left out   {what}"))?;
        if !self.differences.is_empty() {
            writeln!(f, "\nreferences against finite differences in f64")?;
        }
        for d in &self.differences {
            let passed = verdict(d.failures.is_empty());
            writeln!(
                f,
                "{:<22} {:<15} {:<4} {:>5} {:>8.0e} {:>8.0e}  {passed}",
                d.op, "", "f64", d.cases, d.worst, d.limit
            )?;
        }
        writeln!(f, "\nulps: bins that end at {} and beyond", ends(&ULPS.map(|end| end.to_string())))?;
        writeln!(
            f,
            "relative: bins that end at {} and beyond",
            ends(&RELATIVE.map(|end| format!("{end:.0e}")))
        )?;
        let failures: Vec<&String> = self.failures().collect();
        for failure in &failures {
            writeln!(f, "FAIL  {failure}")?;
        }
        match failures.len() {
            0 => writeln!(f, "passed"),
            n => writeln!(f, "failed: {n} of {} cases", self.cases()),
        }
    }
}

fn ends(all: &[String]) -> String {
    all.join(" ")
}

fn line(f: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
    writeln!(
        f,
        "{:<22} {:<15} {:<4} {:>5} {:>8.0e} {:>8.0e} {:>10}  {:<13} {:<10} {:<9} {:>6}  {}",
        row.op,
        row.rung,
        row.precision.name(),
        row.cases,
        row.worst,
        row.limit,
        most_ulps(&row.deviations),
        bars(&row.deviations.ulps),
        bars(&row.deviations.relative),
        if row.same_bits { "yes" } else { "no" },
        if row.broken_guards == 0 { "whole".to_owned() } else { row.broken_guards.to_string() },
        verdict(row.passed())
    )
}
