//! Beyond the limits of an adapter and of a memory budget: what is cut into pieces, what accumulates, what is counted,
//! and what is refused before anything is allocated. `FROSTLINE_FULL=1` adds runs of real size.

mod support;

use std::sync::Arc;

use frostline::error::Error;
use frostline::gpu::adapter::Choice;
use frostline::gpu::{Caps, Device};
use frostline::graph::fit::{fit, fit_beside};
use frostline::graph::{Graph, Plan, Program, Settings, Store, names};
use frostline::nn::network::{Ends, IMAGE};
use frostline::nn::{Architecture, Freeze, Head, Network, Pool, Preprocessing, init, vgg};
use frostline::ops::dense::windows;
use frostline::ops::trial::compare_all;
use frostline::ops::{Case, GlobalAveragePool, Now, Precision, Rung, Rungs};
use frostline::optim::{RuleRef, Sgd};
use frostline::train::passes::{Setting, largest_batch, plan_evaluation, plan_step, with_evaluation};
use frostline::train::run::DataSettings;
use frostline::train::{FeatureSamples, Fit, Metrics, Observer, Run, Size, Stage};
use support::device;

const SIDE: usize = 32;
const CLASSES: usize = 3;

fn rule() -> RuleRef {
    Arc::new(Sgd { momentum: 0.9, ..Sgd::default() })
}

/// VGG11 with narrow blocks and a head with dropout.
fn narrow(freeze: &Freeze) -> Graph {
    let base = vgg::base("vgg11", &[4, 8, 8, 16, 16]).unwrap();
    let head =
        Head { pool: Pool::Flatten, hidden: vec![300], dropout: 0.5, classes: CLASSES, ..Head::default() };
    let architecture =
        Architecture::stack("vgg11", base, SIDE, Preprocessing::Rescale, head.layers().unwrap());
    Network::new(architecture, freeze, 0.0).unwrap().graph
}

fn settings(graph: &Graph, batch: usize) -> Settings {
    let ends = Ends::of(graph).unwrap();
    let outputs = vec![ends.losses, ends.probabilities];
    Settings { batch, training: true, rule: Some(rule()), outputs, ..Settings::default() }
}

/// A run ends by judging with its best weights. None of them trains then, so what is made of them stays alive together, and
/// may take more than any step did.
#[test]
fn what_judging_takes_at_the_end_of_a_run_is_announced() {
    let head = Head { pool: Pool::Avg, classes: 8, ..Head::default() };
    let architecture = vgg::with_head("vgg16", 96, Preprocessing::Caffe, &head).unwrap();
    let clipart = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/clipart8");
    let (data, _) = DataSettings::open(clipart.as_ref(), &Default::default(), None).unwrap();
    let stages = vec![Stage { freeze: Freeze::Until("block4_pool".into()), epochs: 1, rate: 1e-4 }];
    let run = Run { stages, ..Run::new(data, architecture.clone()) };
    let mut judging = Network::new(architecture, &Freeze::None, 0.0).unwrap().graph;
    judging.set_trainable(|_| false);
    let needed = plan_evaluation(&judging, device().caps(), Precision::F32).unwrap().memory().total();
    let announced = Size::of(&run, device().caps(), u64::MAX).unwrap().device;
    assert!(announced >= needed, "{announced} bytes were announced, judging takes {needed}");
}

/// A device of one's own, whose counters nobody else moves.
fn own_device() -> Arc<Device> {
    let choice = Choice::Name(device().info().name.clone());
    Arc::new(Device::open(&choice).unwrap())
}

/// One step over `batch` samples as `plan` cuts them; gives losses and parameters.
fn step(graph: &Graph, plan: Plan, batch: usize) -> (Vec<f32>, Vec<Vec<f32>>) {
    let (micro, ends) = (plan.settings.batch, Ends::of(graph).unwrap());
    let mut store = Store::new(device().clone());
    init::parameters(graph, &mut store, 7, |_| true).unwrap();
    let mut program = Program::new(graph, plan, &mut store).unwrap();
    program.feed(ends.weights, bytemuck::cast_slice(&vec![1f32; micro]));
    let image = SIDE * SIDE * 3;
    let pixels: Vec<u8> = (0..batch * image).map(|i| (i * 7919 % 251) as u8).collect();
    let labels: Vec<u32> = (0..batch as u32).map(|i| i % CLASSES as u32).collect();
    let now = |first: usize| Now {
        seed: 5,
        iteration: 0,
        first_sample: first as u32,
        loss_scale: 1.0 / batch as f32,
        learning_rate: 0.1,
    };
    let mut losses = Vec::new();
    for (index, first) in (0..batch).step_by(micro).enumerate() {
        let last = (first + micro).min(batch);
        program.feed(graph.find(IMAGE).unwrap(), &pixels[first * image..last * image]);
        program.feed(ends.labels, bytemuck::cast_slice(&labels[first..last]));
        program.run(last - first, &now(first), index).unwrap();
        losses.extend(program.read(ends.losses, (last - first) as u64).unwrap());
    }
    program.update(&now(0)).unwrap();
    (losses, graph.params.iter().map(|p| store.read(&p.name).unwrap()).collect())
}

fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    let norm = expected.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    let off = found.iter().zip(expected).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
    assert!(found.len() == expected.len() && off <= 1e-5 * norm, "{what} differs by {:.1e}", off / norm);
}

/// Software drivers end a kernel's loops after 65,535 iterations: a mean over more pixels than that goes by rows.
#[test]
fn a_mean_of_more_pixels_than_a_loop_may_have() {
    for channels in [3, 4] {
        let case = Case::new(GlobalAveragePool, &[&[2, 256, 257, channels]]);
        for found in compare_all(device(), &case, Rungs::all(Rung::Naive)).unwrap() {
            assert!(found.rel_l2 < 1e-6, "{}: {found:?}", case.name());
        }
    }
}

/// A grid of more groups than one dimension has goes on in the next: here one has eight.
#[test]
fn more_groups_than_one_dimension_of_a_grid_has() {
    let graph = narrow(&Freeze::Index(5));
    let run = |caps: &Caps| step(&graph, Plan::new(&graph, caps, settings(&graph, 4)).unwrap(), 4);
    let (usual, few) = (device().caps(), Caps { max_groups: 8, ..device().caps().clone() });
    let folded = Plan::new(&graph, &few, settings(&graph, 4)).unwrap();
    assert!(folded.body.iter().filter(|s| s.step.groups[1] > 1 && s.step.groups[0] <= 8).count() > 10);
    assert_eq!(run(&few), run(usual));
}

/// Sixteen at once are two passes of eight, with dropout on; and passes of seven, the last smaller.
#[test]
fn micro_batches_are_the_whole_batch() {
    let graph = narrow(&Freeze::Index(5));
    let whole = Plan::new(&graph, device().caps(), settings(&graph, 16)).unwrap();
    let (losses, params) = step(&graph, whole, 16);
    for micro in [8, 7] {
        let parts = Settings { updates_at_end: true, ..settings(&graph, micro) };
        let (parts_losses, parts_params) =
            step(&graph, Plan::new(&graph, device().caps(), parts).unwrap(), 16);
        assert_close(&parts_losses, &losses, "a loss");
        for ((param, whole), parts) in graph.params.iter().zip(&params).zip(&parts_params) {
            assert_close(parts, whole, &param.name);
        }
    }
}

/// Bindings of 24 KiB: the activations of four images do not fit one, nor does the weight of the dense layer.
#[test]
fn small_bindings_are_met_by_windows_and_micro_batches() {
    let graph = narrow(&Freeze::None);
    let caps = Caps { max_binding: 24 << 10, ..device().caps().clone() };
    let plan = fit(&graph, &caps, settings(&graph, 4), u64::MAX).unwrap();
    assert_eq!((plan.settings.batch, plan.settings.updates_at_end), (1, true));
    let windows = plan.body.iter().filter(|s| s.step.bindings.iter().any(|b| b.window.is_some())).count();
    assert!(windows > 3, "{windows} steps over windows");
    let (losses, params) = step(&graph, plan, 4);
    let (wide_losses, wide_params) =
        step(&graph, Plan::new(&graph, device().caps(), settings(&graph, 4)).unwrap(), 4);
    assert_close(&losses, &wide_losses, "a loss");
    for ((param, wide), narrow) in graph.params.iter().zip(&wide_params).zip(&params) {
        assert_close(narrow, wide, &param.name);
    }
}

/// No step of the recipe, whatever the batch, asks for a larger grid than every adapter has.
#[test]
fn grids_of_the_recipe_stay_within_what_every_adapter_has() {
    let head =
        Head { pool: Pool::Flatten, hidden: vec![1024, 1024], dropout: 0.0, classes: 16, ..Head::default() };
    let architecture = vgg::with_head("vgg19", 256, Preprocessing::Caffe, &head).unwrap();
    let graph = Network::new(architecture, &Freeze::Index(5), 0.0).unwrap().graph;
    for caps in [Caps::default(), device().caps().clone()] {
        let plan = fit(&graph, &caps, settings(&graph, 64), u64::MAX).unwrap();
        let all = plan.prologue.iter().chain(&plan.body).chain(&plan.updates);
        for planned in all {
            let groups = planned.step.groups;
            assert!(groups.iter().all(|g| *g <= 65_535), "{}: {groups:?}", planned.step.kernel);
        }
    }
}

#[test]
fn what_no_adapter_can_hold_is_refused_with_the_cure() {
    let of = |model, input, pool, units| {
        let head = Head { pool, hidden: vec![units], dropout: 0.0, classes: 16, ..Head::default() };
        let architecture = vgg::with_head(model, input, Preprocessing::Caffe, &head).unwrap();
        Network::new(architecture, &Freeze::All, 0.0).unwrap().graph
    };
    let refusal =
        |graph: &Graph, caps: &Caps| fit(graph, caps, settings(graph, 4), u64::MAX).unwrap_err().to_string();
    // 16x16x512 features into 4096 units: one byte more than a buffer of llvmpipe holds.
    let caps = Caps { max_buffer: 2_147_483_647, max_binding: 128 << 20, ..Caps::default() };
    let parameter = refusal(&of("vgg11", 512, Pool::Flatten, 4096), &caps);
    assert!(parameter.contains("2147483648 bytes") && parameter.contains("2147483647"), "{parameter}");
    assert!(parameter.contains("dense/kernel") && parameter.contains("--pool avg"), "{parameter}");
    let image = refusal(&of("vgg11", 1024, Pool::Avg, 16), &caps);
    assert!(image.contains("a single image is too large") && image.contains("--input"), "{image}");
}

#[test]
fn the_counter_of_live_bytes_equals_the_plan() {
    for freeze in [Freeze::None, Freeze::Index(5), Freeze::All] {
        let graph = narrow(&freeze);
        let mut store = Store::new(own_device());
        let device = store.device().clone();
        init::parameters(&graph, &mut store, 1, |_| true).unwrap();
        let plan = Plan::new(&graph, device.caps(), settings(&graph, 3)).unwrap();
        let (planned, before) = (plan.memory().total(), device.live_bytes());
        let beside = names::allocates(&graph, &plan, |name| store.contains(name));
        let training = Program::new(&graph, plan, &mut store).unwrap();
        assert_eq!((device.live_bytes(), before + beside), (planned, planned), "{freeze}");
        let evaluation = Settings { training: false, rule: None, ..settings(&graph, 2) };
        let plan = Plan::new(&graph, device.caps(), evaluation).unwrap();
        let beside = names::allocates(&graph, &plan, |name| store.contains(name));
        let evaluating = Program::new(&graph, plan, &mut store).unwrap();
        assert_eq!(device.live_bytes(), planned + beside, "{freeze}");
        drop((training, evaluating));
        store.forget(|_| true);
        assert_eq!(device.live_bytes(), 0, "{freeze}");
    }
}

/// Random features under a head: what a run is when its base has been run ahead.
fn features(width: usize, count: usize) -> FeatureSamples {
    let values = (0..width * count).map(|i| (i % 17) as f32 / 17.0).collect();
    let labels = (0..count as u32).map(|i| i % CLASSES as u32).collect();
    FeatureSamples { values, width, labels, indices: (0..count as u32).collect(), batch: 8 }
}

/// The most bytes that the device held after any step.
struct Peak {
    device: Arc<Device>,
    bytes: u64,
}

impl Observer for Peak {
    fn step(&mut self, _epoch: usize, _done: usize, _metrics: &Metrics) {
        self.bytes = self.bytes.max(self.device.live_bytes());
    }
}

#[test]
fn a_run_stays_within_its_budget_and_names_what_fits() {
    let graph = frostline::graph::cut::cut(&narrow(&Freeze::Until("block1_pool".into()))).unwrap().rest;
    let width = graph.values[0].shape.numel() as usize;
    let (train, val) = (features(width, 24), features(width, 9));
    let caps = device().caps();
    let one = fit(&graph, caps, settings(&graph, 1), u64::MAX).unwrap().memory().total();
    let eight = fit(&graph, caps, settings(&graph, 8), u64::MAX).unwrap().memory().total();
    let memory = (one + eight) / 2;
    let step = Setting { rule: rule(), batch: 8, precision: Precision::F32 };
    let fitting = largest_batch(&graph, caps, &step, memory).unwrap();
    let bytes = |batch| Plan::new(&graph, caps, settings(&graph, batch)).unwrap().memory().total();
    assert!(bytes(fitting) <= memory && bytes(fitting + 1) > memory && fitting < 8, "{fitting}");

    let mut store = Store::new(own_device());
    init::parameters(&graph, &mut store, 1, |_| true).unwrap();
    let mut peak = Peak { device: store.device().clone(), bytes: 0 };
    let run = |memory, store: &mut Store, peak: &mut Peak| {
        let fit = Fit {
            val: Some(&val),
            epochs: 1,
            batch: 8,
            learning_rate: 0.01,
            seed: 1,
            memory,
            ..Fit::new(&graph, &train, rule())
        };
        fit.run(store, peak)
    };
    run(memory, &mut store, &mut peak).unwrap();
    assert!(peak.bytes > one && peak.bytes <= memory, "{} of {memory}", peak.bytes);
    let evaluation = plan_evaluation(&graph, caps, Precision::F32).unwrap().memory().beside_parameters();
    let planned = plan_step(&graph, caps, &step, memory - evaluation).unwrap();
    assert_eq!(peak.bytes, with_evaluation(&graph, caps, &planned, memory).unwrap());

    store.forget(|name| name.contains(":state"));
    let before = store.device().live_bytes();
    let refused = run(before + 1000, &mut store, &mut peak).unwrap_err();
    assert!(matches!(refused, Error::TooLarge { .. }), "{refused}");
    assert!(refused.to_string().contains("--memory"), "{refused}");
    assert_eq!(peak.device.live_bytes(), before, "nothing was allocated before the refusal");
}

/// More than the ring of staging buffers holds, and no whole number of its buffers.
#[test]
fn what_is_uploaded_arrives() {
    let mut store = Store::new(own_device());
    let values: Vec<f32> = (0..11_000_001).map(|i| i as f32).collect();
    for _ in 0..2 {
        store.write("many", &values).unwrap();
        assert!(store.read("many").unwrap() == values);
    }
}

#[test]
fn a_driver_says_what_it_grants_and_gets_it_back() {
    let device = own_device();
    let granted = device.grants(100 << 20);
    assert_eq!((granted, device.live_bytes()), (100 << 20, 0));
}

/// VGG19 with its 1000-class top: `fc1` is 411 MB, three times what one binding holds.
#[test]
fn vgg19_with_its_top_runs_forward_and_backward() {
    if std::env::var_os("FROSTLINE_FULL").is_none() {
        return println!("skipped: takes 2 GiB and a minute; FROSTLINE_FULL=1 runs it");
    }
    let graph = Network::new(vgg::with_top("vgg19", 224, 1000).unwrap(), &Freeze::None, 0.0).unwrap().graph;
    let mut store = Store::new(own_device());
    init::parameters(&graph, &mut store, 1, |_| true).unwrap();
    let plan = fit_beside(&graph, &store, settings(&graph, 1), u64::MAX).unwrap();
    println!("planned {} bytes", plan.memory().total());
    let (before, ends) = (store.read("fc1/kernel").unwrap(), Ends::of(&graph).unwrap());
    let mut program = Program::new(&graph, plan, &mut store).unwrap();
    assert_eq!(store.device().live_bytes(), program.plan().memory().total());
    program.feed(ends.weights, bytemuck::cast_slice(&[1f32]));
    program
        .feed(graph.find(IMAGE).unwrap(), &(0..224 * 224 * 3).map(|i| (i % 251) as u8).collect::<Vec<_>>());
    program.feed(ends.labels, bytemuck::cast_slice(&[7u32]));
    let now = Now { seed: 0, iteration: 0, first_sample: 0, loss_scale: 1.0, learning_rate: 1e-4 };
    let mut losses = Vec::new();
    for iteration in 0..2 {
        program.run(1, &Now { iteration, ..now }, 0).unwrap();
        losses.extend(program.read(ends.losses, 1).unwrap());
    }
    println!("losses {losses:?}");
    assert!(losses.iter().all(|l| l.is_finite()) && losses[1] < losses[0], "{losses:?}");
    let after = store.read("fc1/kernel").unwrap();
    // The first and the last pixel's features of each window (a pixel has 512; a dead one may have none that trains).
    for window in windows(25_088, 4096, device().caps()) {
        for first in [window.start, window.end - 512] {
            let rows = first * 4096..(first + 512) * 4096;
            assert!(before[rows.clone()] != after[rows], "rows from {first} of fc1 did not train");
        }
    }
}
