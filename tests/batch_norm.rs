//! Batch normalisation where people meet it: as Keras computes it, frozen and trained; in a Keras file; in VGG's tables;
//! and where a batch cannot be cut.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use frostline::gpu::Caps;
use frostline::graph::fit::fit;
use frostline::graph::interpreter::{Interpreter, array};
use frostline::graph::{Graph, Plan, Program, Settings, Store};
use frostline::nn::network::{Ends, IMAGE};
use frostline::nn::{Architecture, Freeze, Head, Network, Pool, Preprocessing, init, keras, vgg};
use frostline::ops::{Array, Now};
use frostline::optim::{RuleRef, Sgd};
use frostline::shape::Shape;
use frostline::train::pretrained::{Pretrained, initialise};
use frostline::weights::{self, Source};

const BATCH: usize = 6;

/// The model of `tests/fixtures/make_batch_norm.py`, with the parameters that it starts from.
struct Fixture {
    network: Network,
    start: Tensors,
    numbers: Tensors,
}

type Tensors = BTreeMap<String, Vec<f32>>;

fn tensors(source: &mut dyn Source) -> Tensors {
    let names: Vec<String> = source.entries().iter().map(|entry| entry.name.clone()).collect();
    names.into_iter().enumerate().map(|(i, name)| (name, source.read(i).unwrap())).collect()
}

fn fixture() -> Fixture {
    let folder = Path::new("tests/fixtures/batch_norm");
    let mut source = weights::open(&folder.join("start.keras")).unwrap();
    let model = keras::model(source.model_config().unwrap(), None).unwrap();
    assert_eq!(model.freeze, Freeze::Until("bn1".into()));
    let network = Network::new(model.architecture, &model.freeze, 0.0).unwrap();
    let numbers = tensors(&mut *weights::open(&folder.join("numbers.safetensors")).unwrap());
    Fixture { network, start: tensors(&mut *source), numbers }
}

fn rule() -> RuleRef {
    Arc::new(Sgd { momentum: 0.9, ..Sgd::default() })
}

fn settings(graph: &Graph, training: bool) -> Settings {
    let ends = Ends::of(graph).unwrap();
    let outputs = vec![ends.losses, ends.probabilities];
    Settings { batch: BATCH, training, rule: training.then(rule), outputs, ..Settings::default() }
}

/// A program fed with the fixture's images.
fn program(fixture: &Fixture, store: &mut Store, training: bool) -> Program {
    let graph = &fixture.network.graph;
    let plan = Plan::new(graph, store.device().caps(), settings(graph, training)).unwrap();
    let program = Program::new(graph, plan, store).unwrap();
    let ends = Ends::of(graph).unwrap();
    let pixels: Vec<u8> = fixture.numbers["pixels"].iter().map(|&p| p as u8).collect();
    let labels: Vec<u32> = fixture.numbers["labels"].iter().map(|&l| l as u32).collect();
    program.feed(graph.find(IMAGE).unwrap(), &pixels);
    program.feed(ends.labels, bytemuck::cast_slice(&labels));
    program.feed(ends.weights, bytemuck::cast_slice(&[1f32; BATCH]));
    program
}

fn assert_close(values: &[f32], expected: &[f32], what: &str) {
    let off: f32 = values.iter().zip(expected).map(|(v, e)| (v - e).powi(2)).sum();
    let norm: f32 = expected.iter().map(|e| e * e).sum();
    assert_eq!(values.len(), expected.len(), "{what}");
    assert!((off / norm).sqrt() < 1e-5, "{what} is off by {:.1e}", (off / norm).sqrt());
}

/// Evaluation by the moving statistics, three training steps by the batch's, and evaluation again.
#[test]
fn it_trains_and_evaluates_as_keras_does() {
    let fixture = fixture();
    let (graph, numbers) = (&fixture.network.graph, &fixture.numbers);
    let mut store = Store::new(support::device().clone());
    fixture.start.iter().for_each(|(name, values)| store.write(name, values).unwrap());
    let ends = Ends::of(graph).unwrap();
    let evaluate = |store: &mut Store, expected: &str| {
        let mut evaluation = program(&fixture, store, false);
        evaluation.run(BATCH, &Now::default(), 0).unwrap();
        let found = evaluation.read(ends.probabilities, 3 * BATCH as u64).unwrap();
        assert_close(&found, &numbers[expected], expected);
    };
    evaluate(&mut store, "before");
    let mut training = program(&fixture, &mut store, true);
    for (iteration, expected) in (0..).zip(&numbers["losses"]) {
        let now = Now { iteration, loss_scale: 1.0 / BATCH as f32, learning_rate: 0.05, ..Now::default() };
        training.run(BATCH, &now, 0).unwrap();
        let losses = training.read(ends.losses, BATCH as u64).unwrap();
        assert_close(&[losses.iter().sum::<f32>() / BATCH as f32], &[*expected], "a loss");
    }
    for param in &graph.params {
        let found = store.read(&param.name).unwrap();
        assert_close(&found, &numbers[&param.name], &param.name);
        let frozen = param.name.starts_with("conv1/") || param.name.starts_with("bn1/");
        assert_eq!(found == fixture.start[&param.name], frozen, "{}", param.name);
    }
    evaluate(&mut store, "after");
}

#[test]
fn the_interpreter_follows_keras() {
    let fixture = fixture();
    let (graph, numbers) = (&fixture.network.graph, &fixture.numbers);
    let start = graph.params.iter().map(|p| array(p.spec.shape, &fixture.start[&p.name])).collect();
    let rule = rule();
    let mut interpreter = Interpreter::new(graph, start, rule.as_ref());
    let ends = Ends::of(graph).unwrap();
    let input = |name: &str, shape: &[usize]| array(Shape::new(shape), &numbers[name]);
    let ones = Array::new(Shape::new(&[BATCH]), vec![1.0; BATCH]);
    let inputs = [
        (graph.find(IMAGE).unwrap(), input("pixels", &[BATCH, 8, 8, 3])),
        (ends.labels, input("labels", &[BATCH])),
        (ends.weights, ones),
    ];
    for iteration in 0..numbers["losses"].len() as u32 {
        let now = Now { iteration, loss_scale: 1.0 / BATCH as f32, learning_rate: 0.05, ..Now::default() };
        let pass = interpreter.pass(&inputs.clone().into(), &now);
        interpreter.update(&pass, rule.as_ref(), &now);
    }
    for (param, found) in graph.params.iter().zip(&interpreter.params) {
        let found: Vec<f32> = found.data.iter().map(|&v| v as f32).collect();
        assert_close(&found, &numbers[&param.name], &param.name);
    }
}

fn normalised(freeze: &Freeze) -> Graph {
    let head = Head { pool: Pool::Avg, hidden: vec![8], classes: 3, ..Head::default() }.layers().unwrap();
    let base = vgg::base("vgg11_bn", &[4, 6, 8, 8, 8]).unwrap();
    let architecture = Architecture::stack("narrow", base, 32, Preprocessing::Torch, head);
    Network::new(architecture, freeze, 0.0).unwrap().graph
}

#[test]
fn a_batch_is_not_cut_where_normalisation_trains() {
    let caps = Caps { max_binding: 64 << 10, ..Caps::default() };
    let fitted = |graph: &Graph| fit(graph, &caps, settings(graph, true), u64::MAX);
    let frozen = fitted(&normalised(&Freeze::All));
    assert!(frozen.is_ok_and(|plan| plan.settings.batch < BATCH), "a frozen one may be cut");
    let refused = fitted(&normalised(&Freeze::None)).unwrap_err().to_string();
    assert!(
        refused.starts_with("batch_norm 'block1_bn1': trains on the statistics of the whole batch"),
        "{refused}"
    );
    assert!(refused.contains("smaller --batch") && refused.contains("freeze"), "{refused}");
}

#[test]
fn it_starts_as_the_identity_of_what_is_normalised() {
    let graph = normalised(&Freeze::None);
    let of = |name: &str| graph.params.iter().find(|param| param.name == name).unwrap();
    for (name, value, trains) in [
        ("block1_bn1/gamma", 1.0, true),
        ("block1_bn1/beta", 0.0, true),
        ("block1_bn1/moving_mean", 0.0, false),
        ("block1_bn1/moving_variance", 1.0, false),
    ] {
        assert_eq!(init::glorot_uniform(of(name), 1), [value; 4], "{name}");
        assert_eq!(of(name).trainable, trains, "{name}");
    }
}

/// A torchvision VGG11 with normalisation: each tensor holds a number of its own.
fn write_torch(path: &Path, graph: &Graph) {
    let mut tensors: Vec<(String, Vec<usize>, f32)> = Vec::new();
    let mut index = 0;
    for (number, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.name.starts_with("block")) {
        let shapes = node.params.iter().map(|p| graph.params[p.0].spec.shape.dims().to_vec());
        let names: &[&str] = match node.op.kind() {
            "conv2d" => &["weight", "bias"],
            "batch_norm" => &["weight", "bias", "running_mean", "running_var"],
            _ => &[],
        };
        for (place, (name, mut shape)) in names.iter().zip(shapes).enumerate() {
            shape.reverse();
            tensors.push((format!("features.{index}.{name}"), shape, (10 * number + place) as f32));
        }
        // A ReLU, without parameters, lies behind each normalisation.
        index += if node.op.kind() == "batch_norm" { 2 } else { 1 };
    }
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, shape, value)| value.to_le_bytes().repeat(shape.iter().product())).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (name, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize_to_file(views, None, path).unwrap();
}

#[test]
fn torchvisions_normalised_vgg_loads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vgg11_bn.safetensors");
    let head = Head { pool: Pool::Avg, classes: 3, ..Head::default() }.layers().unwrap();
    let base = vgg::base("vgg11_bn", &[4, 6, 8, 8, 8]).unwrap();
    let architecture = Architecture::stack("vgg11_bn", base, 32, Preprocessing::Torch, head);
    let network = Network::new(architecture, &Freeze::All, 0.0).unwrap();
    write_torch(&path, &network.graph);
    let mut store = Store::new(support::device().clone());
    initialise(&network, Some(&Pretrained::new(&path)), &mut store, init::Random::new(1)).unwrap();
    for (number, node) in network.graph.nodes.iter().enumerate().filter(|(_, n)| n.name.starts_with("block"))
    {
        for (place, param) in node.params.iter().enumerate() {
            let param = &network.graph.params[param.0];
            let expected = (10 * number + place) as f32;
            assert!(store.read(&param.name).unwrap().iter().all(|&v| v == expected), "{}", param.name);
        }
    }
}
