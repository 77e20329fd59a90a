//! What outlives a program, by the names under which a store holds it: parameters, optimizer state, and results of the
//! prologue.

use std::collections::HashSet;

use crate::graph::builder::Graph;
use crate::graph::plan::{Place, Plan, Tensor};
use crate::graph::role::Role;
use crate::graph::store::{LOSS_SCALE, state_name};
use crate::ops::{Access, Now};

/// Bytes that [`Program::new`](crate::graph::Program::new) allocates for `plan`: all but what a store holds already, by name.
pub fn allocates(graph: &Graph, plan: &Plan, held: impl Fn(&str) -> bool) -> u64 {
    let missing = own(plan).filter(|(id, _)| own_name(graph, plan, *id).is_none_or(|name| !held(&name)));
    missing.map(|(_, tensor)| tensor.bytes).sum::<u64>() + plan.memory().slots
}

/// The names of what a store holds once a program of `plan` is bound to it.
pub fn names(graph: &Graph, plan: &Plan) -> HashSet<String> {
    own(plan).filter_map(|(id, _)| own_name(graph, plan, id)).collect()
}

fn own(plan: &Plan) -> impl Iterator<Item = (usize, &Tensor)> {
    plan.tensors.iter().enumerate().filter(|(_, tensor)| tensor.place == Place::Own)
}

/// The store's name for a tensor that outlives its program; inputs have none.
pub fn own_name(graph: &Graph, plan: &Plan, id: usize) -> Option<String> {
    match plan.tensors[id].role {
        Role::Param(p) => Some(graph.params[p.0].name.clone()),
        Role::State(p, i) => Some(state_name(&graph.params[p.0].name, i)),
        Role::Scaling => Some(state_name(LOSS_SCALE, 0)),
        Role::Input(_) => None,
        _ => Some(constant_name(graph, plan, id)),
    }
}

/// A constant is named by how it came about: the kernel, its words, and the parameters that it was computed from.
fn constant_name(graph: &Graph, plan: &Plan, id: usize) -> String {
    let maker = plan.prologue.iter().find(|s| s.tensors.contains(&id)).expect("a constant has a maker");
    let bindings = || maker.step.bindings.iter().zip(&maker.tensors);
    let reads = bindings().filter(|(b, _)| b.access == Access::Read);
    let inputs = reads.map(|(_, &t)| match plan.tensors[t].role {
        Role::Param(p) => graph.params[p.0].name.clone(),
        _ => constant_name(graph, plan, t),
    });
    let inputs: Vec<String> = inputs.collect();
    let binding = bindings().find(|(_, t)| **t == id).map_or("", |(b, _)| b.name);
    let words = maker.step.block(&Now::default(), |_| false);
    format!("{}{words:?}({}).{binding}", maker.step.kernel, inputs.join(","))
}
