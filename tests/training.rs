//! A small VGG trained on the device follows the references, step by step; what is frozen stays as it is.

mod support;

use std::collections::HashMap;
use std::sync::Arc;

use frostline::graph::interpreter::{Interpreter, array};
use frostline::graph::store::{LOSS_SCALE, state_name};
use frostline::graph::{Graph, Plan, Program, Settings, Store};
use frostline::nn::network::{Ends, IMAGE};
use frostline::nn::{Architecture, Freeze, Head, Network, Pool, Preprocessing, init, vgg};
use frostline::ops::{Array, Now, Precision};
use frostline::optim::{Adam, Clip, Common, Ema, RuleRef, Sgd};
use frostline::shape::Shape;

const SIDE: usize = 32;
const BATCH: usize = 6;
const CLASSES: usize = 3;

/// VGG13 with narrow blocks, a hidden layer and dropout.
fn network(freeze: &Freeze, pool: Pool) -> Network {
    let mut layers = vgg::base("vgg13", &[4, 6, 8, 12, 16]).unwrap();
    let base = layers.len();
    layers.extend(
        Head { pool, hidden: vec![10], dropout: 0.5, classes: CLASSES, ..Head::default() }.layers().unwrap(),
    );
    let architecture = Architecture {
        model: "vgg13".into(),
        input: [SIDE; 2],
        preprocessing: Preprocessing::Rescale,
        layers,
        base,
    };
    Network::new(architecture, freeze, 0.1).unwrap()
}

struct Data {
    pixels: Vec<u8>,
    labels: Vec<u32>,
}

fn data() -> Data {
    let pixels = (0..BATCH * SIDE * SIDE * 3).map(|i| (i * 7919 % 251) as u8).collect();
    Data { pixels, labels: (0..BATCH as u32).map(|i| i % CLASSES as u32).collect() }
}

fn rule() -> RuleRef {
    Arc::new(Sgd { momentum: 0.9, nesterov: true, ..Sgd::default() })
}

/// A device run: the program, and the store with its parameters.
fn device_run(graph: &Graph, micro: usize, rule: RuleRef) -> (Program, Store) {
    device_run_in(Precision::F32, graph, micro, rule)
}

fn device_run_in(precision: Precision, graph: &Graph, micro: usize, rule: RuleRef) -> (Program, Store) {
    let mut store = Store::new(support::device().clone());
    init::parameters(graph, &mut store, 11, |_| true).unwrap();
    let ends = Ends::of(graph).unwrap();
    let settings = Settings {
        batch: micro,
        training: true,
        rule: Some(rule),
        updates_at_end: micro < BATCH,
        outputs: vec![ends.losses, ends.probabilities],
        precision,
        ..Settings::default()
    };
    let plan = Plan::new(graph, store.device().caps(), settings).unwrap();
    let program = Program::new(graph, plan, &mut store).unwrap();
    program.feed(ends.weights, bytemuck::cast_slice(&vec![1f32; micro]));
    (program, store)
}

fn now(iteration: u32, first: usize) -> Now {
    Now {
        seed: 5,
        iteration,
        first_sample: first as u32,
        loss_scale: 1.0 / BATCH as f32,
        learning_rate: 0.02,
    }
}

/// One whole batch in passes of `micro`; gives the losses.
fn step(program: &mut Program, graph: &Graph, data: &Data, micro: usize, iteration: u32) -> Vec<f32> {
    let (ends, image) = (Ends::of(graph).unwrap(), graph.find(IMAGE).unwrap());
    let mut losses = Vec::new();
    for (index, first) in (0..BATCH).step_by(micro).enumerate() {
        let n = micro.min(BATCH - first);
        let bytes = SIDE * SIDE * 3;
        program.feed(image, &data.pixels[first * bytes..(first + n) * bytes]);
        program.feed(ends.labels, bytemuck::cast_slice(&data.labels[first..first + n]));
        program.run(n, &now(iteration, first), index).unwrap();
        losses.extend(program.read(ends.losses, n as u64).unwrap());
    }
    program.update(&now(iteration, 0)).unwrap();
    losses
}

fn relative(a: &[f32], b: &[f64]) -> f64 {
    let off: f64 = a.iter().zip(b).map(|(&a, b)| (f64::from(a) - b).powi(2)).sum();
    let norm: f64 = b.iter().map(|b| b * b).sum();
    (off / norm.max(1e-30)).sqrt()
}

/// How far a run on the device is from the references.
struct Off {
    losses: f64,
    /// The parameter that is furthest off, relative to its norm.
    param: (f64, String),
}

/// Trains on the device in passes of `micro` and by the references.
fn off(precision: Precision, freeze: &Freeze, rule: &RuleRef, micro: usize, steps: u32) -> Off {
    let graph = network(freeze, Pool::Flatten).graph;
    let data = data();
    let (mut program, store) = device_run_in(precision, &graph, micro, rule.clone());
    let start = graph.params.iter().map(|p| array(p.spec.shape, &init::glorot_uniform(p, 11))).collect();
    let mut reference = Interpreter::new(&graph, start, rule.as_ref());
    let ends = Ends::of(&graph).unwrap();
    let pixels = data.pixels.iter().map(|&p| f64::from(p)).collect();
    let labels = data.labels.iter().map(|&l| f64::from(l)).collect();
    let inputs = HashMap::from([
        (graph.find(IMAGE).unwrap(), Array::new(Shape::new(&[BATCH, SIDE, SIDE, 3]), pixels)),
        (ends.labels, Array::new(Shape::new(&[BATCH]), labels)),
        (ends.weights, Array::new(Shape::new(&[BATCH]), vec![1.0; BATCH])),
    ]);
    let mut off = Off { losses: 0.0, param: (0.0, String::new()) };
    for iteration in 0..steps {
        let losses = step(&mut program, &graph, &data, micro, iteration);
        let pass = reference.pass(&inputs, &now(iteration, 0));
        let expected = &pass.values[&graph.nodes[ends.loss.0].y].data;
        off.losses = off.losses.max(relative(&losses, expected));
        reference.update(&pass, rule.as_ref(), &now(iteration, 0));
    }
    for (param, expected) in graph.params.iter().zip(&reference.params) {
        let distance = relative(&store.read(&param.name).unwrap(), &expected.data);
        if distance > off.param.0 {
            off.param = (distance, param.name.clone());
        }
    }
    off
}

/// Both must agree on losses and parameters.
fn follows_the_reference(freeze: &Freeze, rule: &RuleRef, micro: usize, steps: u32) {
    let Off { losses, param: (param, name) } = off(Precision::F32, freeze, rule, micro, steps);
    assert!(losses < 1e-4, "{rule:?} {freeze}: the losses are off by {losses:.1e}");
    assert!(param < 1e-4, "{rule:?} {freeze}: {name} is off by {param:.1e} after {steps} steps");
}

#[test]
fn twenty_steps_follow_the_reference() {
    for freeze in [Freeze::None, Freeze::Index(5), Freeze::All] {
        follows_the_reference(&freeze, &rule(), BATCH, 20);
    }
}

/// Each of eleven layers rounds its result and its gradient to eleven bits, by one part in 2048 at most. Parameters are
/// not compared: here and there a rounded value changes which element a pool or a ReLU lets a gradient through.
#[test]
fn twenty_steps_in_half_precision_follow_the_reference() {
    for (freeze, micro) in [(Freeze::None, BATCH), (Freeze::Index(5), 4)] {
        let losses = off(Precision::F16, &freeze, &rule(), micro, 20).losses;
        assert!(losses < 22.0 / 2048.0, "{freeze}: the losses are off by {losses:.1e}");
    }
}

#[test]
fn a_gradient_that_overflows_changes_nothing_but_the_loss_scale() {
    let graph = network(&Freeze::None, Pool::Avg).graph;
    let (mut program, mut store) = device_run_in(Precision::F16, &graph, BATCH, rule());
    let scaling = state_name(LOSS_SCALE, 0);
    let everything = |store: &Store| -> Vec<Vec<f32>> {
        let names = graph.params.iter().flat_map(|p| [p.name.clone(), state_name(&p.name, 0)]);
        names.map(|name| store.read(&name).unwrap()).collect()
    };
    step(&mut program, &graph, &data(), BATCH, 0);
    assert_eq!(store.read(&scaling).unwrap()[..3], [32_768.0, 1.0, 1.0]);
    let before = everything(&store);
    store.write(&scaling, &[2f32.powi(80), 1.0, 1.0, 0.0]).unwrap();
    step(&mut program, &graph, &data(), BATCH, 1);
    assert_eq!(everything(&store), before);
    assert_eq!(store.read(&scaling).unwrap()[..3], [2f32.powi(79), 0.0, 0.0]);
    store.write(&scaling, &[1024.0, 0.0, 1.0, 0.0]).unwrap();
    step(&mut program, &graph, &data(), BATCH, 2);
    assert_ne!(everything(&store), before);
    assert_eq!(store.read(&scaling).unwrap()[..3], [1024.0, 1.0, 1.0]);
}

/// Whole batches and passes of 4 and 2: gradients are clipped once they are all there.
#[test]
fn clipping_decay_and_averages_follow_the_reference() {
    let average = Some(Ema { momentum: 0.5, overwrite: Some(2) });
    let joint = Common { weight_decay: 0.1, clip: Some(Clip::GlobalNorm(0.5)), average, decay: 0.0 };
    let each = Common { clip: Some(Clip::Norm(0.05)), average: None, ..joint };
    let joint: RuleRef = Arc::new(Sgd { momentum: 0.9, common: joint, ..Sgd::default() });
    let each: RuleRef = Arc::new(Adam { common: each, epsilon: 1e-3, ..Adam::default() });
    for (rule, micro) in [(&joint, BATCH), (&joint, 4), (&each, 4)] {
        follows_the_reference(&Freeze::Index(5), rule, micro, 4);
    }
}

#[test]
fn frozen_parameters_never_change_by_a_bit_and_trained_ones_do() {
    let graph = network(&Freeze::Index(5), Pool::Avg).graph;
    let (mut program, store) = device_run(&graph, BATCH, rule());
    for iteration in 0..3 {
        step(&mut program, &graph, &data(), BATCH, iteration);
    }
    for param in &graph.params {
        let same = store.read(&param.name).unwrap() == init::glorot_uniform(param, 11);
        assert_eq!(same, !param.trainable, "{}", param.name);
    }
}

#[test]
fn two_runs_give_the_same_bits() {
    let graph = network(&Freeze::None, Pool::Avg).graph;
    let run = || {
        let (mut program, store) = device_run(&graph, BATCH, rule());
        (0..4).for_each(|i| drop(step(&mut program, &graph, &data(), BATCH, i)));
        let bits = |p: &frostline::graph::Param| -> Vec<u32> {
            store.read(&p.name).unwrap().iter().map(|v| v.to_bits()).collect()
        };
        graph.params.iter().map(bits).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

/// Six samples in passes of 4 and 2, with dropout on, are the same step as six at once.
#[test]
fn micro_batches_are_the_whole_batch() {
    let graph = network(&Freeze::Index(5), Pool::Flatten).graph;
    let run = |micro: usize| {
        let (mut program, store) = device_run(&graph, micro, rule());
        let losses: Vec<f32> = (0..3).flat_map(|i| step(&mut program, &graph, &data(), micro, i)).collect();
        (losses, graph.params.iter().map(|p| store.read(&p.name).unwrap()).collect::<Vec<_>>())
    };
    let ((whole, whole_params), (parts, parts_params)) = (run(BATCH), run(4));
    let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    assert!(relative(&parts, &wide(&whole)) < 1e-5, "{parts:?} is not {whole:?}");
    for ((param, whole), parts) in graph.params.iter().zip(&whole_params).zip(&parts_params) {
        let off = relative(parts, &wide(whole));
        assert!(off < 1e-5, "{} differs by {off:.1e}", param.name);
    }
}
