//! The plan as text: printed, compared and tested without a device.

use std::fmt::Write;

use crate::graph::builder::Graph;
use crate::graph::draft::{Add, PlannedStep};
use crate::graph::plan::{Place, Plan, describe, owner_name};
use crate::ops::Access;

/// Every step of `plan` on a line of its own, in order, with the memory that it reads and writes.
pub fn text(graph: &Graph, plan: &Plan) -> String {
    let mut out = String::new();
    let memory = plan.memory();
    let _ = writeln!(
        out,
        "batch {}, {} slots, bytes: parameters {} state {} constants {} inputs {} slots {}",
        plan.settings.batch,
        plan.slots.len(),
        memory.parameters,
        memory.optimizer_state,
        memory.constants,
        memory.inputs,
        memory.slots
    );
    for (title, steps) in [("prologue", &plan.prologue), ("body", &plan.body), ("updates", &plan.updates)] {
        if !steps.is_empty() {
            let _ = writeln!(out, "{title}");
            steps.iter().for_each(|step| out.push_str(&line(graph, plan, step)));
        }
    }
    for inside in &plan.inside {
        let [node, host] = [inside.node, inside.host].map(|node| &graph.nodes[node.0].name);
        let _ = writeln!(out, "  {node:<20} in {host}");
    }
    out
}

fn line(graph: &Graph, plan: &Plan, planned: &PlannedStep) -> String {
    let step = &planned.step;
    let bindings = step.bindings.iter().zip(&planned.tensors).map(|(binding, &t)| {
        let tensor = &plan.tensors[t];
        let place = match tensor.place {
            Place::Slot(slot) => format!("#{slot}"),
            Place::Own => describe(graph, tensor.role, plan.settings.batch),
        };
        let how = match binding.access {
            Access::Read => "",
            Access::Write => "=",
            Access::Update => "~",
            Access::Gradient if planned.add == Add::Never => "=",
            Access::Gradient if planned.add == Add::Always => "+=",
            Access::Gradient => "(+)=",
        };
        let window = binding.window.as_ref().map_or(String::new(), |w| format!("[{}..{}]", w.start, w.end));
        format!("{}{how} {place}{window}", binding.name)
    });
    let bindings: Vec<String> = bindings.collect();
    let owner = owner_name(graph, planned.owner);
    format!("  {owner:<20} {:<8} {:<40} {}\n", step.part.name(), step.kernel.to_string(), bindings.join(", "))
}
