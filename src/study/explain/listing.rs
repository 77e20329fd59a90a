//! Explanations as text: every gradient of one, or what two differ in.
//!
//! ```
//! use frostline::nn::{Freeze, vgg};
//! use frostline::study::explain::listing::{Difference, Listing};
//! use frostline::study::explain::{Explanation, Setting};
//! let of = |freeze| {
//!     let (architecture, rule) = (vgg::with_top("vgg11", 64, 10)?, std::sync::Arc::new(frostline::optim::Sgd::default()));
//!     let precision = frostline::ops::Precision::F32;
//!     Explanation::of(&Setting { architecture, freeze, batch: 1, precision, rule, memory: u64::MAX })
//! };
//! let (a, b) = (of(Freeze::None)?, of(Freeze::Index(2))?);
//! assert!(Listing(&b).to_string().contains("nothing below it trains"));
//! assert!(Difference(&a, &b).edges().any(|(a, b)| a.computed && !b.computed));
//! # Ok::<(), frostline::error::Error>(())
//! ```

use std::fmt;

use super::Explanation;
use super::edges::{Edge, why};
use super::text::{gflop, mib};

/// The gradient graph as text: what `frostline explain` prints.
pub struct Listing<'a>(pub &'a Explanation);

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Listing(e) = self;
        writeln!(f, "frozen: {}; batch {}\n", e.frozen, e.batch)?;
        let rows = e.edges().map(|edge| {
            let name = format!("{} of {}", edge.gradient, edge.layer);
            (name, state(edge.computed), why(edge), edge)
        });
        let rows: Vec<_> = rows.collect();
        let width = |of: fn(&(String, &str, String, &Edge)) -> usize| rows.iter().map(of).max().unwrap_or(0);
        let (names, reasons, shapes) =
            (width(|r| r.0.len()), width(|r| r.2.len()), width(|r| r.3.shape.len()));
        writeln!(
            f,
            "{:<names$}  {:<8}  {:<reasons$}  {:<shapes$}  {:>9}  {:>11}",
            "gradient", "", "why", "shape", "GFLOP", "memory"
        )?;
        for (name, state, why, edge) in &rows {
            let (flops, bytes) = (gflop(2 * edge.macs), mib(edge.bytes));
            let line = format!(
                "{name:<names$}  {state:<8}  {why:<reasons$}  {:<shapes$}  {flops:>9}  {bytes:>11}",
                edge.shape
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f)?;
        totals(f, e)
    }
}

fn state(computed: bool) -> &'static str {
    if computed { "computed" } else { "skipped" }
}

fn totals(f: &mut fmt::Formatter<'_>, e: &Explanation) -> fmt::Result {
    let computed = e.edges().filter(|edge| edge.computed).count();
    let share = |share: f64| format!("{:.1} %", 100.0 * share);
    writeln!(f, "edges       {computed} computed, {} skipped", e.edges().count() - computed)?;
    writeln!(
        f,
        "base        {} of its multiply-adds saved, forward and backward: {} instead of {} GFLOP",
        share(e.base_saved()),
        gflop(e.base_flops),
        gflop(e.base_flops_nothing_frozen)
    )?;
    writeln!(
        f,
        "backward    {} saved: {} instead of {} GFLOP",
        share(e.backward_saved()),
        gflop(e.totals.backward_flops),
        gflop(e.nothing_frozen.backward_flops)
    )?;
    let (now, full) = (e.totals.memory.total(), e.nothing_frozen.memory.total());
    writeln!(f, "memory      {} saved: {} instead of {}", share(e.memory_saved()), mib(now), mib(full))
}

/// Two freezing choices of one model side by side.
pub struct Difference<'a>(pub &'a Explanation, pub &'a Explanation);

impl Difference<'_> {
    /// The edges that one of them computes and the other does not.
    pub fn edges(&self) -> impl Iterator<Item = (&Edge, &Edge)> {
        self.0.edges().zip(self.1.edges()).filter(|(a, b)| a.computed != b.computed)
    }
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference(a, b) = self;
        writeln!(f, "A: frozen {}\nB: frozen {}\n", a.frozen, b.frozen)?;
        let mut none = true;
        for (in_a, in_b) in self.edges() {
            none = false;
            let (only, skipped) = if in_a.computed { ("A", in_b) } else { ("B", in_a) };
            let (flops, bytes) = (gflop(2 * in_a.macs), mib(in_a.bytes));
            let name = format!("{} of {}", in_a.gradient, in_a.layer);
            writeln!(f, "only {only}  {name:<28} {flops:>9} GFLOP {bytes:>11}   else {}", why(skipped))?;
        }
        if none {
            writeln!(f, "both compute the same gradients")?;
        }
        writeln!(f, "\n{:<20}{:>14}{:>14}", "", "A", "B")?;
        let mut line = |what: &str, of: &dyn Fn(&Explanation) -> String| {
            writeln!(f, "{what:<20}{:>14}{:>14}", of(a), of(b))
        };
        line("backward GFLOP", &|e| gflop(e.totals.backward_flops))?;
        line("base saved", &|e| format!("{:.1} %", 100.0 * e.base_saved()))?;
        line("kept for backward", &|e| mib(e.totals.kept_bytes))?;
        line("device memory", &|e| mib(e.totals.memory.total()))
    }
}
