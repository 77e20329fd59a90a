//! Plans as text, without a device: golden plans, and what a frozen network must not contain.

use std::sync::Arc;

use frostline::gpu::{Caps, MatrixSize};
use frostline::graph::draft::PlannedStep;
use frostline::graph::role::Role;
use frostline::graph::text::text;
use frostline::graph::{Choices, Graph, Plan, Settings};
use frostline::nn::network::Ends;
use frostline::nn::{Architecture, Freeze, Head, Network, Pool, Preprocessing, vgg};
use frostline::ops::{Part, Precision};
use frostline::optim::Sgd;

fn graph(freeze: &Freeze) -> Graph {
    let base = vgg::base("vgg11", &[4, 8, 8, 16, 16]).unwrap();
    let head = Head { pool: Pool::Avg, hidden: vec![12], dropout: 0.5, classes: 3, ..Head::default() };
    let architecture = Architecture::stack("vgg11", base, 32, Preprocessing::Caffe, head.layers().unwrap());
    Network::new(architecture, freeze, 0.0).unwrap().graph
}

fn plan(graph: &Graph, micro: bool) -> Plan {
    plan_in(Precision::F32, graph, micro)
}

fn plan_in(precision: Precision, graph: &Graph, micro: bool) -> Plan {
    let ends = Ends::of(graph).unwrap();
    let settings = Settings {
        batch: 2,
        training: true,
        rule: Some(Arc::new(Sgd { momentum: 0.9, ..Sgd::default() })),
        updates_at_end: micro,
        outputs: vec![ends.losses, ends.probabilities],
        precision,
        ..Settings::default()
    };
    Plan::new(graph, &Caps { f16: true, ..Caps::default() }, settings).unwrap()
}

#[test]
fn golden_plan_of_a_frozen_base() {
    let graph = graph(&Freeze::All);
    insta::assert_snapshot!(text(&graph, &plan(&graph, false)));
}

#[test]
fn golden_plan_of_block_5_in_micro_batches() {
    let graph = graph(&Freeze::Until("block4_pool".into()));
    insta::assert_snapshot!(text(&graph, &plan(&graph, true)));
}

#[test]
fn golden_plan_of_block_5_in_half_precision() {
    let graph = graph(&Freeze::Until("block4_pool".into()));
    insta::assert_snapshot!(text(&graph, &plan_in(Precision::F16, &graph, false)));
}

#[test]
fn half_precision_is_refused_where_the_adapter_lacks_it() {
    let settings = Settings { batch: 1, precision: Precision::F16, ..Settings::default() };
    let refused = Plan::new(&graph(&Freeze::All), &Caps::default(), settings).unwrap_err().to_string();
    assert!(refused.contains("no f16") && refused.contains("--precision f32"), "{refused}");
}

/// No gradient, no state and no update of anything frozen; no `d_x` below the first layer that trains.
#[test]
fn frozen_layers_have_no_gradient_work() {
    let graph = graph(&Freeze::Until("block4_pool".into()));
    let plan = plan(&graph, false);
    for tensor in &plan.tensors {
        match tensor.role {
            Role::ParamGradient(p) | Role::State(p, _) => {
                assert!(graph.params[p.0].trainable, "{} has a gradient", graph.params[p.0].name);
            }
            Role::Gradient(v) => {
                let name = &graph.values[v.0].name;
                assert!(
                    !["image", "preprocess"].contains(&name.as_str()) && !name.starts_with("block4"),
                    "{name}"
                );
            }
            _ => {}
        }
    }
    let first = graph.nodes.iter().position(|node| node.name == "block5_conv1").unwrap();
    let parts = plan
        .body
        .iter()
        .filter(|s| s.owner == frostline::graph::role::Owner::Node(frostline::graph::NodeId(first)));
    let parts: Vec<Part> = parts.map(|s| s.step.part).collect();
    assert!(parts.contains(&Part::DW) && !parts.contains(&Part::DX), "{parts:?}");
}

/// A pool in a convolution's store: no map before it, on the way there or back; "in block1_conv1" says where it went.
#[test]
fn the_map_between_a_convolution_and_its_pool_is_not_stored() {
    let graph = graph(&Freeze::None);
    let plan = plan(&graph, false);
    for block in 1..=5 {
        let pool = format!("block{block}_pool");
        let last = graph.nodes.iter().find(|node| node.name == pool).unwrap().x[0];
        assert!(plan.tensor(Role::Activation(last)).is_none() && plan.tensor(Role::Gradient(last)).is_none());
        let line = format!("{pool:<20} in {}", graph.values[last.0].name);
        assert!(text(&graph, &plan).contains(&line), "no line '{line}'");
    }
}

/// Steps of two convolutions on matrix units, one in block 4 and one in block 5: what the prologue rounds, what a step
/// rounds, and the products.
fn on_matrix_units(freeze: &Freeze) -> [usize; 3] {
    let graph = graph(freeze);
    let caps = Caps {
        f16: true,
        lanes: Some((32, 32)),
        matrices: vec![MatrixSize::half(16)],
        workgroup_memory: 48 << 10,
        ..Caps::default()
    };
    let mut choices = Choices::default();
    for layer in ["4x4x8 -> 4x4x16 3x3x8x16", "2x2x16 -> 2x2x16 3x3x16x16"] {
        let part = |part| format!(r#""conv2d {layer} {part} f16":"coop""#);
        let text = format!("{{{}}}", ["forward", "d_x", "d_w"].map(part).join(","));
        choices.extend(serde_json::from_str(&text).unwrap());
    }
    let settings = Settings {
        batch: 2,
        training: true,
        rule: Some(Arc::new(Sgd::default())),
        outputs: vec![Ends::of(&graph).unwrap().losses],
        precision: Precision::F16,
        choices,
        ..Settings::default()
    };
    let plan = Plan::new(&graph, &caps, settings).unwrap();
    let on = |steps: &[PlannedStep], file| steps.iter().filter(|s| s.step.kernel.file == file).count();
    [on(&plan.prologue, "gemm_half"), on(&plan.body, "gemm_half"), on(&plan.body, "gemm_coop")]
}

#[test]
fn a_weight_for_matrix_units_is_rounded_once() {
    assert_eq!(on_matrix_units(&Freeze::All), [2, 0, 2], "frozen: once for all steps");
    assert_eq!(on_matrix_units(&Freeze::None), [0, 2, 6], "d_x reads what the forward pass made");
    assert_eq!(on_matrix_units(&Freeze::Until("block4_pool".into())), [1, 1, 3], "no d_x at the boundary");
}

/// Tensors that share a slot are never alive at the same step.
#[test]
fn live_tensors_never_share_a_slot() {
    use frostline::graph::plan::Place;
    let graph = graph(&Freeze::None);
    let plan = plan(&graph, false);
    let life = |id: usize| {
        let uses = plan.body.iter().enumerate().filter(|(_, s)| s.tensors.contains(&id)).map(|(i, _)| i);
        let uses: Vec<usize> = uses.collect();
        (uses[0], *uses.last().unwrap())
    };
    let slotted: Vec<(usize, usize)> = plan
        .tensors
        .iter()
        .enumerate()
        .filter_map(|(id, t)| match t.place {
            Place::Slot(slot) => Some((id, slot)),
            Place::Own => None,
        })
        .collect();
    assert!(plan.slots.len() < slotted.len(), "nothing is shared");
    for &(a, slot_a) in &slotted {
        for &(b, slot_b) in slotted.iter().filter(|(b, _)| *b > a) {
            let ((a0, a1), (b0, b1)) = (life(a), life(b));
            assert!(slot_a != slot_b || a1 < b0 || b1 < a0, "tensors {a} and {b} share slot {slot_a}");
        }
    }
}
