//! Tuning takes the fastest kernel that computes rightly, remembers it, and forgets it when the kernels change.

mod support;

use std::sync::Arc;

use frostline::gpu::Caps;
use frostline::graph::role::Role;
use frostline::graph::{Graph, Plan, Settings};
use frostline::ops::conv2d::Conv2d;
use frostline::ops::{
    Array, Dtype, Given, Gradients, Lowered, MaxPool2d, Op, ParamSpec, Part, Precision, Rung, Rungs, Site,
    Wants,
};
use frostline::shape::Shape;
use frostline::study::tune::{Finding, Known, Level, tune};
use support::device;

/// A convolution with two planted rungs beside its naive one: `subgroup` leaves out most of the work, so that it is fast
/// and wrong; `tiled` does the work many times over, so that it is right and slow.
#[derive(Debug)]
struct Planted(Conv2d);

impl Planted {
    fn naive<'a>(site: &Site<'a>) -> Site<'a> {
        Site { rungs: Rungs::all(Rung::Naive), ..*site }
    }
}

impl Op for Planted {
    fn kind(&self) -> &'static str {
        "planted"
    }

    fn output(&self, x: &[Shape]) -> Result<Shape, String> {
        self.0.output(x)
    }

    fn params(&self, x: &[Shape]) -> Vec<ParamSpec> {
        self.0.params(x)
    }

    fn macs(&self, x: &[Shape]) -> u64 {
        self.0.macs(x)
    }

    fn rungs(&self, part: Part, _: &Site) -> Vec<Rung> {
        match part {
            Part::Forward => vec![Rung::Tiled, Rung::Subgroup, Rung::Naive],
            _ => vec![Rung::Naive],
        }
    }

    fn forward(&self, site: &Site) -> Lowered {
        let mut lowered = self.0.forward(&Planted::naive(site));
        match site.rungs.forward {
            Rung::Subgroup => lowered.steps[0].groups = [1; 3],
            Rung::Tiled => lowered.steps = vec![lowered.steps[0].clone(); 40],
            _ => {}
        }
        lowered
    }

    fn backward(&self, site: &Site, wants: &Wants) -> Lowered {
        self.0.backward(&Planted::naive(site), wants)
    }

    fn reference(&self, given: Given) -> Array {
        self.0.reference(given)
    }

    fn reference_backward(&self, given: Given, y: &Array, d_y: &Array) -> Gradients {
        self.0.reference_backward(given, y, d_y)
    }
}

fn graph() -> Graph {
    let mut graph = Graph::default();
    let x = graph.input("x", Shape::new(&[1, 24, 24, 8]), Dtype::F32);
    graph.push("planted", Arc::new(Planted(Conv2d::vgg(16))), &[x]).unwrap();
    graph
}

/// The winner of the planted layer, and how many findings were new.
fn tuned(level: Level, known: &mut Known) -> (Rung, Vec<Finding>) {
    tuned_in(Precision::F32, level, known)
}

fn tuned_in(precision: Precision, level: Level, known: &mut Known) -> (Rung, Vec<Finding>) {
    let (graph, mut new) = (graph(), Vec::new());
    let note = |_: &str, finding: &Finding| new.push(finding.clone());
    let choices = tune(device(), &graph, precision, level, known, note).unwrap();
    let winners: Vec<Rung> = choices.iter().map(|(_, rung)| rung).collect();
    assert_eq!(winners.len(), 1, "{choices:?}");
    (winners[0], new)
}

#[test]
fn a_wrong_kernel_and_a_slow_kernel_are_not_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let (winner, findings) = tuned(Level::Full, &mut Known::open(device(), folder.path()));
    let ms = &findings[0].ms;
    assert!(ms[&Rung::Subgroup] < ms[&Rung::Naive], "the wrong one is the fastest: {ms:?}");
    assert_eq!(winner, Rung::Naive, "{ms:?}");
}

#[test]
fn what_was_found_is_remembered_for_the_same_level_and_below() {
    let folder = tempfile::tempdir().unwrap();
    let mut known = Known::open(device(), folder.path());
    let (winner, findings) = tuned(Level::Full, &mut known);
    assert_eq!(findings.len(), 1);
    known.save().unwrap();
    for level in [Level::Full, Level::Quick] {
        let (again, new) = tuned(level, &mut Known::open(device(), folder.path()));
        assert_eq!(again, winner);
        assert!(new.is_empty(), "measured again: {new:?}");
    }
}

/// A kernel that is fast over f32 may be slow over f16, and matrix units are there for f16 alone.
#[test]
fn each_precision_is_measured_by_itself() {
    if !device().caps().f16 {
        return println!("left out: {} has no f16", device().info());
    }
    let mut known = Known::default();
    tuned(Level::Full, &mut known);
    let (winner, findings) = tuned_in(Precision::F16, Level::Full, &mut known);
    assert_eq!((winner, findings.len()), (Rung::Naive, 1), "the wrong one is wrong in half precision too");
    assert_eq!(tuned(Level::Full, &mut known).1.len(), 0, "what was found for f32 is still known");
}

#[test]
fn a_damaged_or_foreign_file_counts_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut known = Known::open(device(), folder.path());
    tuned(Level::Full, &mut known);
    known.save().unwrap();
    let files: Vec<_> = walkdir::WalkDir::new(folder.path()).into_iter().flatten().collect();
    let file = files.iter().find(|entry| entry.file_type().is_file()).expect("a file was written").path();
    let text = std::fs::read_to_string(file).unwrap();
    let adapter = &device().info().name;
    for damaged in [text[..text.len() / 2].to_owned(), text.replace(adapter.as_str(), "another adapter")] {
        std::fs::write(file, damaged).unwrap();
        let (_, new) = tuned(Level::Full, &mut Known::open(device(), folder.path()));
        assert_eq!(new.len(), 1, "it was believed");
    }
}

#[test]
fn without_tuning_nothing_is_measured() {
    let mut known = Known::default();
    let choices =
        tune(device(), &graph(), Precision::F32, Level::Off, &mut known, |_, _| panic!("measured")).unwrap();
    assert!(choices.is_empty());
}

/// What was tuned is what the planner asks for, also where a convolution takes its pool in.
#[test]
fn the_choice_for_a_fused_convolution_reaches_its_plan() {
    let mut graph = Graph::default();
    let x = graph.input("x", Shape::new(&[1, 8, 8, 4]), Dtype::F32);
    let z = graph.push("conv", Arc::new(Conv2d::vgg(8)), &[x]).unwrap();
    let y = graph.push("pool", Arc::new(MaxPool2d::vgg()), &[z]).unwrap();
    let mut known = Known::default();
    let mut choices = tune(device(), &graph, Precision::F32, Level::Full, &mut known, |_, _| {}).unwrap();
    let keys: Vec<String> = choices.iter().map(|(key, _)| key.to_owned()).collect();
    assert_eq!(keys, ["conv2d_pooled 8x8x4 -> 4x4x8 3x3x4x8 forward"]);
    choices = serde_json::from_str(&format!(r#"{{"{}":"naive"}}"#, keys[0])).unwrap();
    let settings = Settings { batch: 1, outputs: vec![Role::Activation(y)], choices, ..Settings::default() };
    let plan = Plan::new(&graph, device().caps(), settings).unwrap();
    assert!(plan.body.iter().any(|step| step.step.kernel.file == "conv2d"), "not the naive kernel");
}

/// A choice names no adapter's form by itself: where it cannot run, the default does.
#[test]
fn choices_of_another_adapter_do_no_harm() {
    let graph = graph();
    let mut known = Known::default();
    let choices = tune(device(), &graph, Precision::F32, Level::Full, &mut known, |_, _| {}).unwrap();
    let caps = Caps::default();
    let node = &graph.nodes[0];
    let x = graph.x_shapes(node, 3);
    let site = Site {
        x: &x,
        y: graph.shape(node.y, 3),
        caps: &caps,
        rungs: Rungs::all(Rung::Naive),
        training: true,
        trains: true,
        layer: 1,
        precision: Precision::F32,
    };
    let rungs = choices.rungs(&*node.op, &site);
    assert!(node.op.rungs(Part::Forward, &site).contains(&rungs.forward));
}
