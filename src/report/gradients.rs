//! The gradient graph as a picture: Graphviz' language, and a chart.

use std::fmt::Write;

use maud::{Markup, Render, html};

use crate::report::svg::standalone;
use crate::study::explain::edges::{Edge, why};
use crate::study::explain::{Explanation, Row};

const COMPUTED: &str = "#b5342b";
const SKIPPED: &str = "#8c95a3";
const TRAINS: &str = "#fbe3de";
const FROZEN: &str = "#dfe9f5";
const PLAIN: &str = "#f1f1ee";

/// A digraph for `dot -Tsvg`: layers as boxes from the pixels up, gradients as edges downwards, dashed where skipped.
pub fn dot(e: &Explanation) -> String {
    let mut out = String::from(
        "digraph gradients {\n  rankdir=BT; node [shape=box, style=filled, fontname=\"sans-serif\"];\n",
    );
    let mut below: Option<&Row> = None;
    for row in &e.rows {
        let _ = writeln!(
            out,
            "  \"{0}\" [label=\"{0}\\n{1}\", fillcolor=\"{2}\"];",
            row.layer,
            row.output,
            fill(row)
        );
        if let Some(below) = below {
            let _ = writeln!(out, "  \"{}\" -> \"{}\";", below.layer, row.layer);
        }
        for edge in &row.edges {
            let (to, style) = match (edge.gradient, below) {
                ("d_x", Some(below)) => (below.layer.clone(), ""),
                ("d_x", None) => continue,
                (gradient, _) => (format!("{}/{gradient}", row.layer), ", constraint=false"),
            };
            let _ = writeln!(
                out,
                "  \"{}\" -> \"{to}\" [label=\"{}: {}\", color=\"{}\", style={}{style}];",
                row.layer,
                edge.gradient,
                why(edge),
                colour(edge),
                if edge.computed { "solid" } else { "dashed" }
            );
        }
        below = Some(row);
    }
    out.push_str("}\n");
    out
}

fn colour(edge: &Edge) -> &'static str {
    if edge.computed { COMPUTED } else { SKIPPED }
}

fn fill(row: &Row) -> &'static str {
    match (row.parameters, row.trainable) {
        (0, _) => PLAIN,
        (_, true) => TRAINS,
        (_, false) => FROZEN,
    }
}

const ROW: usize = 46;
const TOP: usize = 44;
const BOX: usize = 260;
const WIDTH: usize = 660;

/// The same as a chart: a row per layer from the pixels down, the gradient of its input as an arrow upwards, those of its
/// parameters as discs, filled where they are computed.
pub struct Gradients<'e>(pub &'e Explanation);

impl Gradients<'_> {
    /// As an SVG file.
    pub fn svg(&self) -> String {
        let Explanation { frozen, batch, .. } = self.0;
        standalone(&format!("Gradients, frozen: {frozen}, batch {batch}"), self)
    }
}

impl Render for Gradients<'_> {
    fn render(&self) -> Markup {
        let rows = &self.0.rows;
        let end = TOP + rows.len() * ROW;
        html! {
            svg.chart viewBox={ "0 0 " (WIDTH) " " (end + 32) } style="min-width: 36rem; max-width: 42rem" role="img"
                aria-label="every gradient, computed or skipped" {
                (legend())
                @for (i, row) in rows.iter().enumerate() { (layer(row, TOP + i * ROW, i > 0)) }
                @for (i, line) in saved(self.0).iter().enumerate() { text x="0" y=(end + 6 + 20 * i) { (line) } }
            }
        }
    }
}

fn saved(e: &Explanation) -> [String; 2] {
    [
        format!("{:.1} % of the base's multiply-adds saved, forward and backward", 100.0 * e.base_saved()),
        format!(
            "{:.1} % of all backward operations and {:.1} % of the planned memory saved against nothing frozen",
            100.0 * e.backward_saved(),
            100.0 * e.memory_saved()
        ),
    ]
}

fn legend() -> Markup {
    let boxes = [("ink0", "frozen"), ("bad", "trains"), ("quiet", "no parameters")];
    html! {
        @for (i, (ink, words)) in boxes.iter().enumerate() {
            rect x=(90 * i) y="4" width="14" height="14" rx="3" class={ "band " (ink) } style=(OUTLINE) {}
            text x=(90 * i + 20) y="15" { (words) }
        }
        text x="320" y="15" style=(ink(true)) { "● ↑ computed" }
        text x="430" y="15" style=(ink(false)) { "○ ┆ skipped, and why" }
    }
}

const OUTLINE: &str = "stroke: var(--line)";

/// The colour of words about a gradient.
fn ink(computed: bool) -> &'static str {
    if computed { "fill: var(--bad)" } else { "fill: var(--faint)" }
}

fn layer(row: &Row, y: usize, arrow: bool) -> Markup {
    let fill = match (row.parameters, row.trainable) {
        (0, _) => "band quiet",
        (_, true) => "band bad",
        (_, false) => "band ink0",
    };
    let (of_input, of_params): (Vec<&Edge>, Vec<&Edge>) = row.edges.iter().partition(|e| e.gradient == "d_x");
    let disc = |edge: &Edge| if edge.computed { "fill bad" } else { "stroke thin quiet" };
    let left = BOX + 20;
    html! {
        rect x="0" y=(y) width=(BOX) height="28" rx="5" class=(fill) style=(OUTLINE) {}
        text x="10" y=(y + 18) { tspan style="font-weight: 600" { (row.layer) } "  " tspan style=(ink(false)) { (row.output) } }
        @for (i, edge) in of_params.iter().enumerate() {
            circle cx=(left + 52 * i) cy=(y + 14) r="6" class=(disc(edge)) {}
            text x=(left + 52 * i + 11) y=(y + 18) { (edge.gradient) }
        }
        @if let Some(edge) = of_params.first() {
            text.faint x=(left + 52 * of_params.len()) y=(y + 18) { (why(edge)) }
        }
        @if let Some(edge) = of_input.first().filter(|_| arrow) { (input_arrow(edge, y)) }
    }
}

/// The gradient of the layer's input, drawn in the gap above the layer.
fn input_arrow(edge: &Edge, y: usize) -> Markup {
    let (x, top) = (40, y + 28 - ROW);
    let stroke = if edge.computed { "stroke bad" } else { "stroke dashed quiet" };
    html! {
        line x1=(x) y1=(y) x2=(x) y2=(top + 4) class=(stroke) {}
        @if edge.computed {
            path d={ "M" (x - 5) " " (top + 8) " L" (x) " " (top) " L" (x + 5) " " (top + 8) " Z" } class="fill bad" {}
        }
        text x=(x + 12) y=(y - 5) style={ "font-size: 11px; " (ink(edge.computed)) } { "d_x: " (why(edge)) }
    }
}
