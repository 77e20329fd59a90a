//! The cut: one graph becomes two, the frozen prefix whose results can be cached, and the rest.

use std::collections::HashMap;

use crate::graph::builder::{Graph, Node, NodeId, ValueId};

/// Two ordinary graphs. Values that cross are outputs of `prefix` and inputs of `rest`, under the same names.
#[derive(Clone, Debug)]
pub struct Cut {
    pub prefix: Graph,
    pub rest: Graph,
    /// Names of the values that cross.
    pub crossing: Vec<String>,
}

/// Splits at the first trainable or stochastic op: whatever depends on neither goes into the prefix.
/// `None` if nothing can be cached.
pub fn cut(graph: &Graph) -> Option<Cut> {
    cut_with(graph, |_| false)
}

/// As [`cut`], where the draws of the stochastic ops that `settled` picks are fixed beforehand.
pub fn cut_with(graph: &Graph, settled: impl Fn(&Node) -> bool) -> Option<Cut> {
    let mut constant: Vec<bool> = graph.values.iter().map(|value| value.node.is_none()).collect();
    for node in &graph.nodes {
        constant[node.y.0] = !graph.trains(node)
            && (!node.op.is_stochastic() || settled(node))
            && !node.op.is_loss()
            && node.x.iter().all(|x| constant[x.0] && !graph.wanted.contains(x));
    }
    split(graph, |node| constant[node.y.0])
}

/// Splits behind the layer `name`, keeping what it depends on in the prefix.
pub fn split_after(graph: &Graph, name: &str) -> Option<Cut> {
    let last = graph.find(name)?;
    let mut below = vec![false; graph.values.len()];
    below[last.0] = true;
    for node in graph.nodes.iter().rev().filter(|node| node.y <= last) {
        if below[node.y.0] {
            node.x.iter().for_each(|x| below[x.0] = true);
        }
    }
    split(graph, |node| below[node.y.0])
}

fn split(graph: &Graph, in_prefix: impl Fn(&Node) -> bool) -> Option<Cut> {
    let (prefix, rest): (Vec<&Node>, Vec<&Node>) = graph.nodes.iter().partition(|node| in_prefix(node));
    if prefix.is_empty() {
        return None;
    }
    let made = |v: &&ValueId| prefix.iter().any(|node| node.y == **v);
    let mut crossing: Vec<ValueId> = rest.iter().flat_map(|node| &node.x).filter(made).copied().collect();
    if rest.is_empty() {
        crossing.push(prefix.last()?.y);
    }
    crossing.sort_unstable();
    crossing.dedup();
    let crossing = crossing.iter().map(|v| graph.values[v.0].name.clone()).collect();
    Some(Cut { prefix: copy(graph, &prefix), rest: copy(graph, &rest), crossing })
}

/// A graph of some nodes; values that none of them makes become inputs.
fn copy(graph: &Graph, nodes: &[&Node]) -> Graph {
    let mut out = Graph::default();
    let mut new: HashMap<ValueId, ValueId> = HashMap::new();
    for node in nodes {
        for x in &node.x {
            let value = &graph.values[x.0];
            new.entry(*x).or_insert_with(|| out.input(&value.name, value.shape, value.dtype));
        }
        let params = node.params.iter().map(|p| {
            out.params.push(graph.params[p.0].clone());
            crate::graph::ParamId(out.params.len() - 1)
        });
        let params = params.collect();
        let mut value = graph.values[node.y.0].clone();
        value.node = Some(NodeId(out.nodes.len()));
        out.values.push(value);
        let y = ValueId(out.values.len() - 1);
        new.insert(node.y, y);
        let x = node.x.iter().map(|x| new[x]).collect();
        out.nodes.push(Node { name: node.name.clone(), op: node.op.clone(), x, params, y });
    }
    out.wanted = graph.wanted.iter().filter_map(|value| new.get(value).copied()).collect();
    out
}
