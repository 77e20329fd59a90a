//! Random networks, shapes and freezing patterns: what is computed is what is needed, memory is shared only by what is
//! never alive together, and the device computes what the references say.

mod support;

use std::collections::HashMap;
use std::sync::Arc;

use frostline::graph::grad::Sweep;
use frostline::graph::interpreter::{Interpreter, array};
use frostline::graph::plan::Place;
use frostline::graph::role::Role;
use frostline::graph::slots::Slot;
use frostline::graph::{Graph, Plan, Program, Settings, Store, ValueId};
use frostline::nn::init;
use frostline::ops::conv2d::{Conv2d, Padding};
use frostline::ops::dense::Dense;
use frostline::ops::{
    Array, Dropout, Dtype, Flatten, GlobalAveragePool, MaxPool2d, Now, OpRef, SoftmaxCrossEntropy,
};
use frostline::optim::Sgd;
use frostline::shape::Shape;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// A network that may have two losses over one trunk, and a branch that no loss depends on.
#[derive(Clone, Debug)]
struct Recipe {
    /// Rows, columns, channels.
    image: [usize; 3],
    trunk: Vec<Layer>,
    heads: Vec<Head>,
    /// Whether each parameter trains, over and over.
    trains: Vec<bool>,
    batch: usize,
    micro: usize,
}

#[derive(Clone, Debug)]
enum Layer {
    Conv { filters: usize, kernel: [usize; 2], stride: usize, same: bool, bias: bool, relu: bool },
    Pool { window: [usize; 2], stride: usize, same: bool },
    Dropout(f32),
}

#[derive(Clone, Debug)]
struct Head {
    average: bool,
    hidden: Option<usize>,
    classes: usize,
    has_loss: bool,
}

impl Layer {
    fn op(&self) -> OpRef {
        match *self {
            Layer::Conv { filters, kernel, stride, same, bias, relu } => {
                let padding = if same { Padding::Same } else { Padding::Valid };
                Arc::new(Conv2d { filters, kernel, stride: [stride; 2], padding, bias, relu })
            }
            Layer::Pool { window, stride, same } => Arc::new(MaxPool2d { window, stride: [stride; 2], same }),
            Layer::Dropout(rate) => Arc::new(Dropout { rate }),
        }
    }
}

fn layer() -> impl Strategy<Value = Layer> {
    let sides = || prop::sample::select(vec![[1, 1], [2, 2], [3, 3], [1, 3], [3, 2]]);
    let conv = (1..9usize, sides(), 1..3usize, any::<[bool; 3]>()).prop_map(
        |(filters, kernel, stride, [same, bias, relu])| Layer::Conv {
            filters: if same { filters.next_multiple_of(4) } else { filters },
            kernel,
            stride,
            same,
            bias,
            relu,
        },
    );
    let pool = (sides(), 1..3usize, any::<bool>()).prop_map(|(window, stride, same)| Layer::Pool {
        window,
        stride,
        same,
    });
    prop_oneof![4 => conv, 2 => pool, 1 => (0.1..0.7f32).prop_map(Layer::Dropout)]
}

fn head(has_loss: bool) -> impl Strategy<Value = Head> {
    (any::<bool>(), prop::option::of(1..9usize), 2..6usize).prop_map(move |(average, hidden, classes)| Head {
        average,
        hidden,
        classes,
        has_loss,
    })
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let image = [1..10usize, 1..10, 1..5];
    let heads = (head(true), prop::option::of(any::<bool>().prop_flat_map(head)))
        .prop_map(|(first, second)| std::iter::once(first).chain(second).collect());
    let trunk = prop::collection::vec(layer(), 0..5);
    let trains = prop::collection::vec(any::<bool>(), 1..8);
    (image, trunk, heads, trains, 1..6usize, 1..6usize).prop_map(
        |(image, trunk, heads, trains, batch, micro)| Recipe {
            image,
            trunk,
            heads,
            trains,
            batch,
            micro: micro.min(batch),
        },
    )
}

/// A recipe built, with handles to its ends.
struct Built {
    graph: Graph,
    image: ValueId,
    labels: ValueId,
    weights: ValueId,
    losses: Vec<Role>,
    classes: usize,
}

fn build(recipe: &Recipe) -> Built {
    let mut graph = Graph::default();
    let [h, w, c] = recipe.image;
    let image = graph.input("image", Shape::new(&[1, h, w, c]), Dtype::F32);
    let labels = graph.input("labels", Shape::new(&[1]), Dtype::U32);
    let weights = graph.input("weights", Shape::new(&[1]), Dtype::F32);
    let mut x = image;
    for (i, layer) in recipe.trunk.iter().enumerate() {
        let fits = match layer {
            Layer::Pool { window, same: false, .. } => {
                let shape = graph.shape(x, 1);
                shape.dims()[1] >= window[0] && shape.dims()[2] >= window[1]
            }
            _ => true,
        };
        // A window that the map is too small for is left out.
        if fits && let Ok(y) = graph.push(&format!("trunk{i}"), layer.op(), &[x]) {
            x = y;
        }
    }
    let mut losses = Vec::new();
    for (i, head) in recipe.heads.iter().enumerate() {
        let mut push =
            |name: &str, op: OpRef, x: &[ValueId]| graph.push(&format!("{name}{i}"), op, x).unwrap();
        let mut y = match head.average {
            true => push("average", Arc::new(GlobalAveragePool), &[x]),
            false => push("flatten", Arc::new(Flatten), &[x]),
        };
        if let Some(units) = head.hidden {
            y = push("hidden", Arc::new(Dense::new(units, true)), &[y]);
        }
        y = push("logits", Arc::new(Dense::new(head.classes, false)), &[y]);
        if head.has_loss {
            let loss = Arc::new(SoftmaxCrossEntropy { smoothing: 0.1, soft: false });
            losses.push(Role::Activation(push("loss", loss, &[y, labels, weights])));
        }
    }
    for (param, trains) in graph.params.iter_mut().zip(recipe.trains.iter().cycle()) {
        param.trainable = *trains;
    }
    let classes = recipe.heads.iter().filter(|h| h.has_loss).map(|h| h.classes).min().unwrap();
    Built { graph, image, labels, weights, losses, classes }
}

fn rule() -> Sgd {
    Sgd { momentum: 0.9, ..Sgd::default() }
}

fn plan(built: &Built, recipe: &Recipe) -> Plan {
    let settings = Settings {
        batch: recipe.micro,
        training: true,
        rule: Some(Arc::new(rule())),
        updates_at_end: recipe.micro < recipe.batch,
        outputs: built.losses.clone(),
        ..Settings::default()
    };
    Plan::new(&built.graph, support::device().caps(), settings).unwrap()
}

/// The same plan with a slot for each tensor.
fn unshared(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.slots.clear();
    for tensor in plan.tensors.iter_mut().filter(|t| matches!(t.place, Place::Slot(_))) {
        tensor.place = Place::Slot(plan.slots.len());
        plan.slots.push(Slot { bytes: tensor.bytes, form: tensor.form });
    }
    plan
}

struct Data {
    pixels: Vec<f32>,
    labels: Vec<u32>,
}

fn data(built: &Built, recipe: &Recipe) -> Data {
    let count = recipe.batch * recipe.image.iter().product::<usize>();
    let pixels = (0..count).map(|i| ((i * 7919 + 13) % 1009) as f32 / 504.5 - 1.0).collect();
    Data { pixels, labels: (0..recipe.batch).map(|i| (i % built.classes) as u32).collect() }
}

const STEPS: u32 = 2;

fn now(recipe: &Recipe, iteration: u32, first: usize) -> Now {
    Now {
        seed: 9,
        iteration,
        first_sample: first as u32,
        loss_scale: 1.0 / recipe.batch as f32,
        learning_rate: 0.05,
    }
}

/// Trains on the device; gives the losses of every step, and the parameters behind the last.
fn on_device(built: &Built, recipe: &Recipe, plan: Plan) -> (Vec<f32>, Vec<Vec<f32>>) {
    let mut store = Store::new(support::device().clone());
    init::parameters(&built.graph, &mut store, 3, |_| true).unwrap();
    let mut program = Program::new(&built.graph, plan, &mut store).unwrap();
    program.feed(built.weights, bytemuck::cast_slice(&vec![1f32; recipe.micro]));
    let (data, width) = (data(built, recipe), recipe.image.iter().product::<usize>());
    let mut losses = Vec::new();
    for iteration in 0..STEPS {
        for (index, first) in (0..recipe.batch).step_by(recipe.micro).enumerate() {
            let last = (first + recipe.micro).min(recipe.batch);
            program.feed(built.image, bytemuck::cast_slice(&data.pixels[first * width..last * width]));
            program.feed(built.labels, bytemuck::cast_slice(&data.labels[first..last]));
            program.run(last - first, &now(recipe, iteration, first), index).unwrap();
            for role in &built.losses {
                losses.extend(program.read(*role, (last - first) as u64).unwrap());
            }
        }
        program.update(&now(recipe, iteration, 0)).unwrap();
    }
    let params = built.graph.params.iter().map(|p| store.read(&p.name).unwrap()).collect();
    (losses, params)
}

/// The parameters after the same steps by the references.
fn by_reference(built: &Built, recipe: &Recipe) -> Vec<Array> {
    let graph = &built.graph;
    let start = graph.params.iter().map(|p| array(p.spec.shape, &init::glorot_uniform(p, 3))).collect();
    let mut reference = Interpreter::new(graph, start, &rule());
    let (data, n) = (data(built, recipe), recipe.batch);
    let inputs = HashMap::from([
        (built.image, array(graph.shape(built.image, n), &data.pixels)),
        (built.labels, Array::new(Shape::new(&[n]), data.labels.iter().map(|&l| f64::from(l)).collect())),
        (built.weights, Array::new(Shape::new(&[n]), vec![1.0; n])),
    ]);
    for iteration in 0..STEPS {
        let pass = reference.pass(&inputs, &now(recipe, iteration, 0));
        reference.update(&pass, &rule(), &now(recipe, iteration, 0));
    }
    reference.params
}

/// The same cases on each run: a failure on someone's machine is a failure on everyone's.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(3),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Whether a parameter at or below the maker of `value` trains, with a differentiable way to it.
fn something_trains(graph: &Graph, value: ValueId) -> bool {
    let Some(node) = graph.values[value.0].node.map(|id| &graph.nodes[id.0]) else { return false };
    let below = |(i, x): (usize, &ValueId)| node.op.differentiable(i) && something_trains(graph, *x);
    graph.trains(node) || node.x.iter().enumerate().any(below)
}

fn feeds_a_loss(graph: &Graph, value: ValueId) -> bool {
    let consumers = graph.nodes.iter().filter(|node| node.x.contains(&value));
    consumers.into_iter().any(|node| node.op.is_loss() || feeds_a_loss(graph, node.y))
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_gradient_exists_if_and_only_if_something_behind_the_edge_trains(recipe in recipe()) {
        let built = build(&recipe);
        let (graph, plan) = (&built.graph, plan(&built, &recipe));
        let mut gradients = Vec::new();
        for (node, sweep) in graph.nodes.iter().zip(&Sweep::of(graph).nodes) {
            let counts = node.op.is_loss() || feeds_a_loss(graph, node.y);
            for (i, x) in node.x.iter().enumerate() {
                let needed = counts && node.op.differentiable(i) && something_trains(graph, *x);
                prop_assert_eq!(sweep.wants.d_x[i], needed, "d_x {} of {}", i, &node.name);
                if needed {
                    gradients.push(graph.root(*x, true));
                }
            }
            for (param, wanted) in node.params.iter().zip(&sweep.wants.d_params) {
                let needed = counts && graph.params[param.0].trainable;
                prop_assert_eq!(*wanted, needed);
                prop_assert_eq!(plan.tensor(Role::ParamGradient(*param)).is_some(), needed);
                prop_assert_eq!(plan.tensor(Role::State(*param, 0)).is_some(), needed);
            }
        }
        // What lies between two fused ops has its gradient inside of their kernels.
        let between = plan.inside.iter().map(|inside| graph.nodes[inside.node.0].x[0]);
        let between: Vec<ValueId> = between.collect();
        for value in (0..graph.values.len()).map(ValueId) {
            let outside = gradients.contains(&value) && !between.contains(&value);
            prop_assert_eq!(plan.tensor(Role::Gradient(value)).is_some(), outside);
        }
    }

    #[test]
    fn two_live_values_never_share_a_slot(recipe in recipe()) {
        let built = build(&recipe);
        let plan = plan(&built, &recipe);
        let last = plan.body.len();
        let life = |id: usize| {
            let tensor = &plan.tensors[id];
            let uses: Vec<usize> =
                (0..last).filter(|&step| plan.body[step].tensors.contains(&id)).collect();
            let kept = matches!(tensor.role, Role::ParamGradient(_)) && plan.settings.updates_at_end;
            let from = if kept { 0 } else { uses[0] };
            let outlives = kept || built.losses.contains(&tensor.role);
            from..=if outlives { last } else { uses[uses.len() - 1] }
        };
        let slotted: Vec<(usize, Slot, usize)> = plan.tensors.iter().enumerate().filter_map(|(id, t)| {
            match t.place {
                Place::Slot(slot) => Some((id, plan.slots[slot], slot)),
                Place::Own => None,
            }
        }).collect();
        for (i, (a, size, slot)) in slotted.iter().enumerate() {
            prop_assert!(plan.tensors[*a].bytes <= size.bytes && plan.tensors[*a].form == size.form);
            for (b, ..) in slotted[i + 1..].iter().filter(|(.., other)| other == slot) {
                let (a, b) = (life(*a), life(*b));
                prop_assert!(a.end() < b.start() || b.end() < a.start(), "{:?} and {:?} in one slot", a, b);
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn planned_execution_is_unshared_execution_and_follows_the_references(recipe in recipe()) {
        let built = build(&recipe);
        let plan = plan(&built, &recipe);
        let (losses, params) = on_device(&built, &recipe, plan.clone());
        let (alone, params_alone) = on_device(&built, &recipe, unshared(&plan));
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&losses), bits(&alone));
        for (param, (shared, alone)) in built.graph.params.iter().zip(params.iter().zip(&params_alone)) {
            prop_assert_eq!(bits(shared), bits(alone), "{}", &param.name);
            if !param.trainable {
                prop_assert_eq!(bits(shared), bits(&init::glorot_uniform(param, 3)), "{}", &param.name);
            }
        }
        for ((param, found), expected) in
            built.graph.params.iter().zip(&params).zip(by_reference(&built, &recipe))
        {
            let off = found.iter().zip(&expected.data).map(|(&a, b)| (f64::from(a) - b).abs());
            let (off, largest) = (off.fold(0.0, f64::max), expected.data.iter().fold(0.0, |m: f64, v| m.max(v.abs())));
            prop_assert!(off <= 2e-6 * (1.0 + largest), "{} is off by {:.1e}", &param.name, off);
        }
        // Shapes are run-time words: however many networks there were, the kernels are few.
        prop_assert!(support::device().compiled() <= 60, "{} kernels", support::device().compiled());
    }
}
