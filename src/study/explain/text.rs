//! The table of `frostline plan`: a line for each layer, and the totals below.

use std::fmt;

use super::{Explanation, Row, Totals, saved};
use crate::graph::Why;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["layer", "output", "parameters", "state", "forward", "backward", "d_w", "d_x", "kept"];
        let mut lines = vec![head.map(str::to_owned)];
        lines.extend(self.rows.iter().map(line));
        write_table(f, &lines)?;
        writeln!(f)?;
        write_totals(f, self)
    }
}

fn line(row: &Row) -> [String; 9] {
    let state = match (&row.inside, row.parameters, row.trainable) {
        (Some(host), ..) => format!("in {host}"),
        (_, 0, _) => "-".into(),
        (_, _, true) => "trains".into(),
        (_, _, false) => "frozen".into(),
    };
    [
        row.layer.clone(),
        row.output.clone(),
        if row.parameters == 0 { "-".into() } else { thousands(row.parameters) },
        state,
        gflop(row.forward_flops),
        gflop(row.backward_flops),
        decision(&row.d_w),
        decision(&row.d_x),
        if row.kept_bytes == 0 { "-".into() } else { mib(row.kept_bytes) },
    ]
}

/// `yes` or `no`, and why; layers without the gradient in question stay quiet.
pub(super) fn decision(why: &Why) -> String {
    match why {
        Why::Trains => "yes".to_owned(),
        Why::NoParameters | Why::NotDifferentiable => "-".to_owned(),
        Why::NeededBy(_) | Why::AskedFor(_) => format!("yes: {why}"),
        _ => format!("no: {why}"),
    }
}

fn write_table(f: &mut fmt::Formatter<'_>, lines: &[[String; 9]]) -> fmt::Result {
    let widths: Vec<usize> =
        (0..9).map(|c| lines.iter().map(|line| line[c].chars().count()).max().unwrap_or(0)).collect();
    const RIGHT: [bool; 9] = [false, false, true, false, true, true, false, false, true];
    for line in lines {
        let cells = line.iter().enumerate().map(|(c, text)| match RIGHT[c] {
            true => format!("{text:>width$}", width = widths[c]),
            false => format!("{text:<width$}", width = widths[c]),
        });
        writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

fn write_totals(f: &mut fmt::Formatter<'_>, e: &Explanation) -> fmt::Result {
    let (now, full) = (&e.totals, &e.nothing_frozen);
    writeln!(
        f,
        "parameters {}, frozen {}, trainable {}",
        thousands(now.parameters),
        thousands(now.frozen),
        thousands(now.trainable)
    )?;
    if e.micro_batch < e.batch {
        let passes = e.batch.div_ceil(e.micro_batch);
        writeln!(
            f,
            "the batch of {} runs in {passes} micro-batches of {} (gradients accumulate)",
            e.batch, e.micro_batch
        )?;
    }
    let mut compare = |what: &str, now: String, full: String, saved: f64| {
        writeln!(f, "{what:<20}{now:>14}   nothing frozen {full:>14}   saved {:.1} %", 100.0 * saved)
    };
    let ratio = |of: fn(&Totals) -> u64| saved(of(now), of(full));
    compare(
        "forward GFLOP",
        gflop(now.forward_flops),
        gflop(full.forward_flops),
        ratio(|t| t.forward_flops),
    )?;
    compare("backward GFLOP", gflop(now.backward_flops), gflop(full.backward_flops), e.backward_saved())?;
    compare("kept for backward", mib(now.kept_bytes), mib(full.kept_bytes), ratio(|t| t.kept_bytes))?;
    compare("device memory", mib(now.memory.total()), mib(full.memory.total()), e.memory_saved())
}

pub(super) fn gflop(flops: u64) -> String {
    match flops {
        0 => "-".to_owned(),
        _ => format!("{:.2}", flops as f64 / 1e9),
    }
}

pub(super) fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// `54,645,840`
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
