//! The gradient graph edge by edge: what is computed, what is skipped and why, and what each edge costs.
//!
//! ```
//! use frostline::graph::Why;
//! use frostline::study::explain::edges::{Edge, why};
//! let (layer, shape) = ("block2_conv2".to_owned(), "16x128x128x128".to_owned());
//! let below = Edge { layer, gradient: "d_x", shape, computed: false, why: Why::NothingBelowTrains, macs: 77, bytes: 128 };
//! assert_eq!(why(&below), "nothing below it trains");
//! assert_eq!(why(&Edge { gradient: "d_w", computed: true, why: Why::Trains, ..below }), "it trains");
//! ```

use serde::Serialize;

use crate::graph::grad::NodeSweep;
use crate::graph::{Graph, Node, Settings, Why};
use crate::ops::Dtype;
use crate::optim;

/// One gradient that a layer could have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Edge {
    pub layer: String,
    /// `d_w`, `d_b` or `d_x`.
    pub gradient: &'static str,
    /// The shape of what it is the gradient of, with the batch.
    pub shape: String,
    pub computed: bool,
    pub why: Why,
    /// Multiply-adds of computing it; 0 for sums and for layers without products.
    pub macs: u64,
    /// Bytes of the gradient, and for a parameter of the optimizer's state.
    pub bytes: u64,
}

/// The edges of one node of `graph` for the batch and the precision of `settings`.
pub(super) fn of(graph: &Graph, node: &Node, decision: &NodeSweep, settings: &Settings) -> Vec<Edge> {
    let &Settings { batch, precision, .. } = settings;
    let states = settings.rule.as_ref().map_or(0, |rule| optim::states(rule.as_ref()));
    let macs = node.op.macs(&graph.x_shapes(node, batch));
    let mut edges = Vec::new();
    for (&param, &computed) in node.params.iter().zip(&decision.wants.d_params) {
        let spec = &graph.params[param.0].spec;
        let bias = spec.name == "bias";
        edges.push(Edge {
            layer: node.name.clone(),
            gradient: if bias { "d_b" } else { "d_w" },
            shape: spec.shape.to_string(),
            computed,
            why: decision.d_w.clone(),
            macs: if bias { 0 } else { macs },
            bytes: Dtype::F32.bytes(spec.shape.numel()) * (1 + states as u64),
        });
    }
    for (&x, why) in node.x.iter().zip(&decision.d_x).filter(|(_, why)| **why != Why::NotDifferentiable) {
        let shape = graph.shape(x, batch);
        edges.push(Edge {
            layer: node.name.clone(),
            gradient: "d_x",
            shape: shape.to_string(),
            computed: why.is_computed(),
            why: why.clone(),
            macs,
            bytes: if node.op.is_view(true) {
                0
            } else {
                graph.stored(x, true, precision).bytes(shape.numel())
            },
        });
    }
    edges
}

/// The reason in words, said of what it is the reason for.
pub fn why(edge: &Edge) -> String {
    match &edge.why {
        Why::Trains => "it trains".to_owned(),
        Why::Frozen => "it is frozen".to_owned(),
        why => why.to_string(),
    }
}
