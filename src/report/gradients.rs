//! The gradient graph as a picture: Graphviz' language, and SVG that needs nothing else.

use std::fmt::Write;

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
const TOP: usize = 74;
const BOX: usize = 250;
const LEFT: usize = 24;
const WIDTH: usize = 740;

/// The same as one SVG file: a row per layer from the pixels down, the gradient of its input as an arrow upwards, those
/// of its parameters as discs, filled where they are computed.
pub fn svg(e: &Explanation) -> String {
    let height = TOP + e.rows.len() * ROW + 84;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#1e2228\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fafaf8\"/>\n\
         <text x=\"{LEFT}\" y=\"30\" font-size=\"17\" font-weight=\"600\">Gradients, frozen: {}, batch {}</text>",
        escaped(&e.frozen),
        e.batch
    );
    legend(&mut out);
    for (i, row) in e.rows.iter().enumerate() {
        layer(&mut out, row, TOP + i * ROW, i > 0);
    }
    let y = height - 48;
    let lines = [
        format!("{:.1} % of the base's multiply-adds saved, forward and backward", 100.0 * e.base_saved()),
        format!(
            "{:.1} % of all backward operations and {:.1} % of the planned memory saved against nothing frozen",
            100.0 * e.backward_saved(),
            100.0 * e.memory_saved()
        ),
    ];
    for (i, line) in lines.iter().enumerate() {
        let _ = writeln!(out, "<text x=\"{LEFT}\" y=\"{}\" font-size=\"13\">{line}</text>", y + 20 * i);
    }
    out.push_str("</svg>\n");
    out
}

fn legend(out: &mut String) {
    let mut x = LEFT;
    for (fill, text) in [(FROZEN, "frozen"), (TRAINS, "trains"), (PLAIN, "no parameters")] {
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"44\" width=\"14\" height=\"14\" rx=\"3\" fill=\"{fill}\" stroke=\"#c4c9d0\"/>\
             <text x=\"{}\" y=\"55\">{text}</text>",
            x + 20
        );
        x += 90;
    }
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"55\" fill=\"{COMPUTED}\">● ↑ computed</text><text x=\"{}\" y=\"55\" fill=\"{SKIPPED}\">○ ┆ skipped, and why</text>",
        x + 40,
        x + 140
    );
}

fn layer(out: &mut String, row: &Row, y: usize, arrow: bool) {
    let _ = writeln!(
        out,
        "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{BOX}\" height=\"28\" rx=\"5\" fill=\"{}\" stroke=\"#c4c9d0\"/>\
         <text x=\"{}\" y=\"{}\"><tspan font-weight=\"600\">{}</tspan>  <tspan fill=\"#5a6470\">{}</tspan></text>",
        fill(row),
        LEFT + 10,
        y + 18,
        escaped(&row.layer),
        row.output
    );
    let mut x = LEFT + BOX + 20;
    for edge in row.edges.iter().filter(|edge| edge.gradient != "d_x") {
        let inside = if edge.computed { COMPUTED } else { "#fafaf8" };
        let _ = writeln!(
            out,
            "<circle cx=\"{x}\" cy=\"{}\" r=\"6\" fill=\"{inside}\" stroke=\"{}\" stroke-width=\"1.5\"/>\
             <text x=\"{}\" y=\"{}\">{}</text>",
            y + 14,
            colour(edge),
            x + 11,
            y + 18,
            edge.gradient
        );
        x += 52;
    }
    if let Some(edge) = row.edges.iter().find(|edge| edge.gradient != "d_x") {
        let _ =
            writeln!(out, "<text x=\"{x}\" y=\"{}\" fill=\"#5a6470\">{}</text>", y + 18, escaped(&why(edge)));
    }
    if let Some(edge) = row.edges.iter().find(|edge| edge.gradient == "d_x").filter(|_| arrow) {
        input_arrow(out, edge, y);
    }
}

/// The gradient of the layer's input, drawn in the gap above the layer.
fn input_arrow(out: &mut String, edge: &Edge, y: usize) {
    let (x, top) = (LEFT + 40, y + 28 - ROW);
    let dash = if edge.computed { "" } else { " stroke-dasharray=\"3 3\"" };
    let _ = writeln!(
        out,
        "<line x1=\"{x}\" y1=\"{y}\" x2=\"{x}\" y2=\"{}\" stroke=\"{}\" stroke-width=\"2\"{dash}/>",
        top + 4,
        colour(edge)
    );
    if edge.computed {
        let _ = writeln!(
            out,
            "<path d=\"M{} {} L{x} {top} L{} {} Z\" fill=\"{COMPUTED}\"/>",
            x - 5,
            top + 8,
            x + 5,
            top + 8
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"{}\" font-size=\"11\" fill=\"{}\">d_x: {}</text>",
        x + 12,
        y - 5,
        colour(edge),
        escaped(&why(edge))
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
