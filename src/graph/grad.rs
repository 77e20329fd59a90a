//! The gradient sweep: who needs a gradient, who does not, and why. The decision is made per edge.
//!
//! A gradient that is not needed is never created: no step computes it, no memory holds it. The first trainable layer
//! above a frozen base gets `d_w` and `d_b`, and never `d_x`.

use std::fmt;

use crate::graph::builder::{Graph, Node, ValueId};
use crate::ops::Wants;

/// Why a gradient is computed or skipped.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "why", content = "layer")]
pub enum Why {
    /// The parameter trains.
    Trains,
    /// This layer, below the edge, trains.
    NeededBy(String),
    /// Somebody asked for the gradient of this value, at or below the edge.
    AskedFor(String),
    /// The parameter is frozen.
    Frozen,
    NothingBelowTrains,
    NoParameters,
    /// Labels, pixels and weights of samples have no gradient.
    NotDifferentiable,
    /// The loss does not depend on it.
    NoLossAbove,
}

impl Why {
    pub fn is_computed(&self) -> bool {
        matches!(self, Why::Trains | Why::NeededBy(_) | Why::AskedFor(_))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Trains => f.pad("trains"),
            Why::NeededBy(layer) => f.pad(&format!("{layer} trains")),
            Why::AskedFor(value) => f.pad(&format!("the gradient of {value} is asked for")),
            Why::Frozen => f.pad("frozen"),
            Why::NothingBelowTrains => f.pad("nothing below it trains"),
            Why::NoParameters => f.pad("no parameters"),
            Why::NotDifferentiable => f.pad("not differentiable"),
            Why::NoLossAbove => f.pad("no loss depends on it"),
        }
    }
}

/// The decision for one node.
#[derive(Clone, Debug)]
pub struct NodeSweep {
    pub wants: Wants,
    pub d_x: Vec<Why>,
    pub d_w: Why,
}

/// The decision for every node, in the order of the nodes.
#[derive(Clone, Debug)]
pub struct Sweep {
    pub nodes: Vec<NodeSweep>,
}

impl Sweep {
    /// Decides for each edge of `graph` whether its gradient is needed.
    pub fn of(graph: &Graph) -> Sweep {
        let below = needed_below(graph);
        let reaches = reaches_loss(graph);
        let decide = |(i, node): (usize, &Node)| decide(graph, node, reaches[i], &below);
        Sweep { nodes: graph.nodes.iter().enumerate().map(decide).collect() }
    }
}

fn decide(graph: &Graph, node: &Node, reaches: bool, below: &[Option<Why>]) -> NodeSweep {
    let d_w = match node.params.first() {
        None => Why::NoParameters,
        Some(_) if !reaches => Why::NoLossAbove,
        Some(_) if graph.trains(node) => Why::Trains,
        Some(_) => Why::Frozen,
    };
    let edge = |(i, x): (usize, &ValueId)| match &below[x.0] {
        _ if !node.op.differentiable(i) => Why::NotDifferentiable,
        _ if !reaches => Why::NoLossAbove,
        None => Why::NothingBelowTrains,
        Some(why) => why.clone(),
    };
    let d_x: Vec<Why> = node.x.iter().enumerate().map(edge).collect();
    let wants = Wants {
        d_x: d_x.iter().map(Why::is_computed).collect(),
        d_params: node.params.iter().map(|p| reaches && graph.params[p.0].trainable).collect(),
    };
    NodeSweep { wants, d_x, d_w }
}

/// For each value why its gradient is needed: itself asked for, or the nearest layer at or below its maker that trains,
/// or a value further below that is asked for.
fn needed_below(graph: &Graph) -> Vec<Option<Why>> {
    let mut below: Vec<Option<Why>> = vec![None; graph.values.len()];
    for value in &graph.wanted {
        below[value.0] = Some(Why::AskedFor(graph.values[value.0].name.clone()));
    }
    for node in graph.nodes.iter().filter(|node| !graph.wanted.contains(&node.y)) {
        below[node.y.0] = match graph.trains(node) {
            true => Some(Why::NeededBy(node.name.clone())),
            false => node
                .x
                .iter()
                .enumerate()
                .find_map(|(i, x)| below[x.0].clone().filter(|_: &Why| node.op.differentiable(i))),
        };
    }
    below
}

fn reaches_loss(graph: &Graph) -> Vec<bool> {
    let mut value_reaches = vec![false; graph.values.len()];
    let mut node_reaches = vec![false; graph.nodes.len()];
    for (i, node) in graph.nodes.iter().enumerate().rev() {
        node_reaches[i] = node.op.is_loss() || value_reaches[node.y.0];
        if node_reaches[i] {
            node.x.iter().for_each(|x| value_reaches[x.0] = true);
        }
    }
    node_reaches
}
