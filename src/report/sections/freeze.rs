//! Which layers train, which gradients are computed and why, and what the others save.

use maud::{Markup, html};

use crate::graph::Why;
use crate::report::gradients::Gradients;
use crate::report::markup::{line, table};
use crate::study::explain::{Explanation, Row, thousands};

/// A part of the run with its own frozen layers.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Such as `epochs 1 to 5`; empty where there is only one.
    pub name: String,
    pub explanation: Explanation,
}

const HEADS: [&str; 9] =
    ["layer", "state", "d_w", "d_x", "output", "parameters", "forward", "backward", "kept, MiB"];

pub fn draw(stages: &[Stage]) -> Markup {
    html! {
        @if stages.is_empty() { (line("The plan of this run is not known.")) }
        @for stage in stages {
            @if !stage.name.is_empty() { h3 { (stage.name) } }
            (savings(&stage.explanation))
            details open[stages.len() == 1] {
                summary { "Layer by layer, for a batch of " (stage.explanation.batch) ", in GFLOP" }
                (table(&HEADS, 4, stage.explanation.rows.iter().map(row).collect()))
            }
            details {
                summary { "Every gradient, computed or skipped, and why" }
                div.scroll { (Gradients(&stage.explanation)) }
            }
        }
    }
}

fn savings(explanation: &Explanation) -> Markup {
    let (now, full) = (&explanation.totals, &explanation.nothing_frozen);
    let measures = [
        (
            "trained parameters",
            thousands(now.trainable),
            thousands(full.trainable),
            saved(now.trainable, full.trainable),
        ),
        (
            "forward, GFLOP",
            gflop(now.forward_flops),
            gflop(full.forward_flops),
            saved(now.forward_flops, full.forward_flops),
        ),
        (
            "backward, GFLOP",
            gflop(now.backward_flops),
            gflop(full.backward_flops),
            explanation.backward_saved(),
        ),
        (
            "kept for backward, MiB",
            mib(now.kept_bytes),
            mib(full.kept_bytes),
            saved(now.kept_bytes, full.kept_bytes),
        ),
        ("device memory, MiB", mib(now.memory.total()), mib(full.memory.total()), explanation.memory_saved()),
    ];
    let rows = measures.into_iter().map(|(what, now, full, saved)| {
        let saved = format!("{:.1} %", 100.0 * saved);
        vec![html! { (what) }, html! { (now) }, html! { (full) }, html! { (saved) }]
    });
    table(&["per step", "this run", "unfrozen", "saved"], 1, rows.collect())
}

fn row(row: &Row) -> Vec<Markup> {
    let state = match (row.parameters, row.trainable) {
        (0, _) => html! {},
        (_, true) => html! { b { "trains" } },
        (_, false) => html! { span.faint { "frozen" } },
    };
    let parameters = if row.parameters == 0 { String::new() } else { thousands(row.parameters) };
    let kept = if row.kept_bytes == 0 { String::new() } else { mib(row.kept_bytes) };
    vec![
        html! { (row.layer) },
        state,
        decision(&row.d_w),
        decision(&row.d_x),
        html! { (row.output) },
        html! { (parameters) },
        html! { (gflop(row.forward_flops)) },
        html! { (gflop(row.backward_flops)) },
        html! { (kept) },
    ]
}

/// `yes` or `no`, and why; layers without the gradient in question stay quiet.
fn decision(why: &Why) -> Markup {
    match why {
        Why::NoParameters | Why::NotDifferentiable => html! {},
        Why::Trains => html! { "yes" },
        Why::NeededBy(_) | Why::AskedFor(_) => html! { "yes: " (why.to_string()) },
        _ => html! { span.faint { "no: " (why.to_string()) } },
    }
}

fn saved(now: u64, before: u64) -> f64 {
    1.0 - now as f64 / before.max(1) as f64
}

fn gflop(flops: u64) -> String {
    if flops == 0 { String::new() } else { format!("{:.2}", flops as f64 / 1e9) }
}

fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}
