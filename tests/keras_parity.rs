//! The numbers that Keras computes are the numbers that Frostline computes: every layer's output, every gradient in each
//! way of freezing, twenty steps of each optimizer. Widths, shapes and settings come from the files.
//!
//! The measure is Keras in f64. A direct kernel may be off by four times as much as Keras in f32 is, or by 4e-7; the
//! default rungs (Winograd) by twenty times. Runs that part ways in Keras itself are compared after their first step.
//!
//! `FROSTLINE_ORACLE` names a folder laid out as `tests/fixtures/keras`, which is the default.

mod keras_support;
mod support;

use std::path::Path;

use frostline::gpu::Caps;
use frostline::graph::fuse::fuse;
use frostline::graph::role::Role;
use frostline::graph::store::state_name;
use frostline::graph::{Choices, Graph, ParamId, Plan, Program, Settings, Store};
use frostline::nn::network::{Ends, IMAGE};
use frostline::nn::{Freeze, Network};
use frostline::ops::{Array, Now, Part, Rung, Rungs, Site};
use frostline::optim::keras::{Described, from_config};
use frostline::train::keras::compiled::compiled;
use frostline::train::keras::state::restore;
use frostline::weights;
use keras_support::{Model, Tensors, distance, models, names, oracle, text, wide};
use serde_json::Value;

/// The rungs that compute products directly, and the default ones.
const DIRECT: [Rung; 3] = [Rung::Naive, Rung::Subgroup, Rung::Tiled];
/// No direct kernel has to be nearer than this.
const FLOOR: f64 = 4e-7;
/// Updates of a whole run.
const STEPS: usize = 20;

fn rungs() -> impl Iterator<Item = Option<Rung>> {
    DIRECT.into_iter().map(Some).chain([None])
}

/// The largest distance that is allowed where Keras' own is `own`.
fn limit(own: f64, rung: Option<Rung>) -> f64 {
    match rung {
        Some(_) => (4.0 * own).max(FLOOR),
        None => (20.0 * own).max(FLOOR),
    }
}

/// Counts what was compared and keeps what was too far away.
#[derive(Default)]
struct Tally {
    values: usize,
    /// The largest share of what is allowed.
    worst: f64,
    failed: Vec<String>,
}

impl Tally {
    fn compare(&mut self, what: &str, found: f64, allowed: f64, values: usize) {
        self.values += values;
        self.worst = self.worst.max(found / allowed);
        if found.is_nan() || found > allowed {
            self.failed.push(format!("{what}: off by {found:.2e}, allowed {allowed:.2e}"));
        }
    }

    fn report(self, what: &str) {
        println!("{what}: {} values compared, at worst at {:.2} of what is allowed", self.values, self.worst);
        assert!(self.values > 0, "{what}: nothing was compared");
        assert!(self.failed.is_empty(), "{} too far:\n{}", self.failed.len(), self.failed.join("\n"));
    }
}

/// A program over the whole batch of a model, fed and ready.
struct Bound {
    graph: Graph,
    program: Program,
    store: Store,
    ends: Ends,
    n: usize,
}

impl Bound {
    /// `trains` sees parameters' names; `roles` are what is read afterwards.
    fn new(
        model: &Model,
        trains: impl Fn(&str) -> bool,
        smoothing: f32,
        rung: Option<Rung>,
        settings: Settings,
        roles: impl Fn(&Graph) -> Vec<Role>,
    ) -> Bound {
        let mut graph = Network::new(model.architecture.clone(), &Freeze::None, smoothing).unwrap().graph;
        for param in &mut graph.params {
            param.trainable = trains(&param.name);
        }
        let mut store = Store::new(support::device().clone());
        model.start.iter().for_each(|(name, values)| store.write(name, values).unwrap());
        let (ends, n) = (Ends::of(&graph).unwrap(), model.samples());
        let mut outputs = vec![ends.losses, ends.probabilities];
        outputs.extend(roles(&graph));
        let choices = choices(&graph, &outputs, store.device().caps(), rung);
        let settings = Settings { batch: n, outputs, choices, ..settings };
        let plan = Plan::new(&graph, store.device().caps(), settings).unwrap();
        let program = Program::new(&graph, plan, &mut store).unwrap();
        let image: Vec<u8> = model.inputs["x_uint8"].data.iter().map(|&v| v as u8).collect();
        let labels: Vec<u32> = model.inputs["y"].data.iter().map(|&v| v as u32).collect();
        program.feed(graph.find(IMAGE).unwrap(), &image);
        program.feed(ends.labels, bytemuck::cast_slice(&labels));
        let bound = Bound { graph, program, store, ends, n };
        bound.weigh(model, false);
        bound
    }

    fn weigh(&self, model: &Model, by_class: bool) {
        let classes = wide_weights(model, by_class);
        let weight = |y: &f64| classes[*y as usize];
        let weights: Vec<f32> = model.inputs["y"].data.iter().map(weight).collect();
        self.program.feed(self.ends.weights, bytemuck::cast_slice(&weights));
    }

    fn run(&mut self, iteration: u32, learning_rate: f32) -> f64 {
        let now = Now { iteration, learning_rate, loss_scale: 1.0 / self.n as f32, ..Now::default() };
        self.program.run(self.n, &now, 0).unwrap();
        let losses = self.program.read(self.ends.losses, self.n as u64).unwrap();
        wide(&losses).iter().sum::<f64>() / self.n as f64
    }

    fn read(&self, role: Role, values: usize) -> Vec<f64> {
        wide(&self.program.read(role, values as u64).unwrap())
    }
}

/// `rung` wherever an op has it, those that took the next op in included; the defaults where there is none.
fn choices(graph: &Graph, outputs: &[Role], caps: &Caps, rung: Option<Rung>) -> Choices {
    let mut choices = Choices::default();
    let Some(rung) = rung else { return choices };
    let (fused, inside) = fuse(graph, outputs);
    let hosts = inside.iter().map(|inside| &fused.nodes[inside.host.0]);
    for node in graph.nodes.iter().chain(hosts) {
        let (x, y) = (graph.x_shapes(node, 1), graph.shape(node.y, 1));
        let site = Site { x: &x, y, caps, rungs: Rungs::all(Rung::Naive), training: true, layer: 0 };
        for part in [Part::Forward, Part::DX, Part::DW] {
            choices.set(&*node.op, &site, part, rung);
        }
    }
    choices
}

fn wide_weights(model: &Model, by_class: bool) -> Vec<f32> {
    let weights = &model.inputs["class_weight"].data;
    weights.iter().map(|&weight| if by_class { weight as f32 } else { 1.0 }).collect()
}

/// Keras' own distance from f64: the tensor that is furthest away, as in the manifest.
fn own(f32s: &Tensors, f64s: &Tensors) -> f64 {
    f64s.iter().map(|(name, exact)| distance(&f32s[name].data, &exact.data)).fold(0.0, f64::max)
}

#[test]
fn every_layers_output() {
    let mut tally = Tally::default();
    for model in models(&oracle()).unwrap() {
        let exact = model.numbers("activations_f64.safetensors");
        let own = own(&model.numbers("activations.safetensors"), &exact);
        let last = &model.architecture.layers.last().unwrap().name;
        for rung in rungs() {
            let of_layer = |graph: &Graph, layer: &str| {
                graph.find(layer).map(|value| Role::Activation(graph.root(value, false)))
            };
            let layers: Vec<&String> = exact.keys().filter(|name| *name != last).collect();
            let role = |graph: &Graph, name: &str| match name {
                "logits" => of_layer(graph, last),
                "input_1" => of_layer(graph, "preprocess"),
                name => of_layer(graph, name),
            };
            let all = |graph: &Graph| layers.iter().filter_map(|name| role(graph, name)).collect();
            let settings = Settings::default();
            let mut bound = Bound::new(&model, |_| true, 0.0, rung, settings, all);
            bound.run(0, 0.0);
            for (name, tensor) in &exact {
                let role = match name == last {
                    true => bound.ends.probabilities,
                    false => {
                        role(&bound.graph, name).unwrap_or_else(|| panic!("{}: no layer {name}", model.name))
                    }
                };
                let found = distance(&bound.read(role, tensor.data.len()), &tensor.data);
                let what = format!("{} {rung:?} output of {name}", model.name);
                tally.compare(&what, found, limit(own, rung), tensor.data.len());
            }
        }
    }
    tally.report("outputs");
}

#[test]
fn every_gradient_in_each_way_of_freezing() {
    let mut tally = Tally::default();
    for model in models(&oracle()).unwrap() {
        let exact = model.numbers("gradients_f64.safetensors");
        let own = own(&model.numbers("gradients.safetensors"), &exact);
        for (freeze, trainable) in model.freezing() {
            for rung in rungs() {
                let bound = gradients(&model, &trainable, 0.0, false, rung);
                for (index, param) in bound.graph.params.iter().enumerate() {
                    let role = Role::ParamGradient(ParamId(index));
                    if !trainable.contains(&param.name) {
                        assert!(bound.program.buffer(role).is_none(), "{} is frozen", param.name);
                        continue;
                    }
                    let expected = &exact[&param.name].data;
                    let found = distance(&bound.read(role, expected.len()), expected);
                    let what = format!("{} {freeze} {rung:?} gradient of {}", model.name, param.name);
                    tally.compare(&what, found, limit(own, rung), expected.len());
                }
            }
        }
    }
    tally.report("gradients");
}

/// Only Keras' f32 numbers are at hand: who is near enough to f64 is nearer to them by no more than their own distance.
#[test]
fn gradients_with_class_weights_and_label_smoothing() {
    const FILE: &str = "gradients_classweight_smooth0.1.safetensors";
    let mut tally = Tally::default();
    let models = models(&oracle()).unwrap();
    for model in models.iter().filter(|model| model.folder.join(FILE).is_file()) {
        let expected = model.numbers(FILE);
        let own = own(&model.numbers("gradients.safetensors"), &model.numbers("gradients_f64.safetensors"));
        for rung in rungs() {
            let bound = gradients(model, &expected.keys().cloned().collect::<Vec<_>>(), 0.1, true, rung);
            for (index, param) in bound.graph.params.iter().enumerate() {
                let expected = &expected[&param.name].data;
                let found =
                    distance(&bound.read(Role::ParamGradient(ParamId(index)), expected.len()), expected);
                let what = format!("{} {rung:?} weighted gradient of {}", model.name, param.name);
                tally.compare(&what, found, limit(own, rung) + own, expected.len());
            }
        }
    }
    tally.report("weighted gradients");
}

fn gradients(
    model: &Model,
    trainable: &[String],
    smoothing: f32,
    by_class: bool,
    rung: Option<Rung>,
) -> Bound {
    let all = |graph: &Graph| {
        let trains = |index: &usize| trainable.contains(&graph.params[*index].name);
        let params = (0..graph.params.len()).filter(trains);
        params.map(|index| Role::ParamGradient(ParamId(index))).collect()
    };
    let settings = Settings { training: true, ..Settings::default() };
    let trains = |name: &str| trainable.iter().any(|known| known == name);
    let mut bound = Bound::new(model, trains, smoothing, rung, settings, all);
    bound.weigh(model, by_class);
    bound.run(0, 0.0);
    bound
}

#[test]
fn twenty_steps_of_each_optimizer() {
    let mut tally = Tally::default();
    let mut classes = Vec::new();
    for model in models(&oracle()).unwrap() {
        let exact = model.numbers("losses_f64.safetensors");
        for (name, run) in model.training() {
            for rung in rungs() {
                let follows = run["stable"].as_bool().unwrap();
                let losses = &exact[name].data[..if follows { exact[name].data.len() } else { 2 }];
                trajectory(&model, name, run, losses, rung, &mut tally);
            }
            classes.push(class(run));
        }
    }
    classes.sort();
    classes.dedup();
    tally.report(&format!("trajectories of {}", classes.join(", ")));
}

/// `SGD` of `sgd_momentum_3`: the manifest gives the settings under the optimizer's own name.
fn class(run: &Value) -> String {
    let name = text(&run["optimizer"]["name"]).replace('_', "");
    let known = ["AdamW", "Adam", "RMSprop", "SGD"];
    let found = known.iter().find(|class| name.starts_with(&class.to_lowercase()));
    found.unwrap_or_else(|| panic!("{name} is not known here")).to_string()
}

fn trajectory(model: &Model, name: &str, run: &Value, losses: &[f64], rung: Option<Rung>, tally: &mut Tally) {
    let Described { optimizer, learning_rate } = from_config(&class(run), &run["optimizer"]).unwrap();
    let rate = learning_rate.expect("the oracle has no schedules");
    let trainable = names(&run["trainable"]);
    let smoothing = run["smooth"].as_f64().unwrap_or(0.0) as f32;
    let settings = Settings { training: true, rule: Some(optimizer.rule()), ..Settings::default() };
    let trains = |name: &str| trainable.iter().any(|known| known == name);
    let mut bound = Bound::new(model, trains, smoothing, rung, settings, |_| Vec::new());
    bound.weigh(model, run["cw"].as_bool().unwrap_or(false));

    let own = &model.manifest["f32_vs_f64"]["train"][name];
    let own_loss = own["loss_max_abs"].as_f64().unwrap();
    let stored = model.numbers(&format!("train/{name}.safetensors"));
    for (step, expected) in losses.iter().enumerate() {
        // Before this loss, `step` updates were made.
        let part = if step == STEPS { "final/".to_owned() } else { format!("step{step}/") };
        for param in bound.graph.params.iter().filter(|param| param.trainable) {
            let Some(expected) = stored.get(&format!("{part}{}", param.name)) else { continue };
            let found = distance(&wide(&bound.store.read(&param.name).unwrap()), &expected.data);
            let own = own[format!("weights_{part}")]["rel_l2"].as_f64().unwrap();
            let what = format!("{} {name} {rung:?} {part}{}", model.name, param.name);
            // Keras' weights in f64 are not at hand: see the weighted gradients.
            tally.compare(&what, found, limit(own, rung) + own, expected.data.len());
        }
        let loss = bound.run(step as u32, rate);
        let what = format!("{} {name} {rung:?} loss before step {}", model.name, step + 1);
        tally.compare(
            &what,
            (loss - expected).abs() / expected.abs(),
            limit(own_loss / expected.abs(), rung),
            1,
        );
    }
    for param in bound.graph.params.iter().filter(|param| !param.trainable) {
        assert_eq!(
            bound.store.read(&param.name).unwrap(),
            model.start[&param.name],
            "{} is frozen",
            param.name
        );
    }
}

#[test]
fn an_empty_folder_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let message = models(folder.path()).err().expect("no models");
    assert!(message.contains("holds no case"), "{message}");
}

/// The state that Keras left is what the next step starts from.
#[test]
fn a_run_begun_in_keras_goes_on() {
    let mut tally = Tally::default();
    for model in models(&oracle()).unwrap() {
        for (name, run) in model.training() {
            let file = model.folder.join(format!("train/{name}.model.keras"));
            if file.is_file() {
                goes_on(&model, &file, &names(&run["trainable"]), &mut tally);
            }
        }
    }
    tally.report("steps from Keras' state");
}

fn goes_on(model: &Model, file: &Path, trainable: &[String], tally: &mut Tally) {
    let mut source = weights::open(file).unwrap();
    let Described { optimizer, learning_rate } = compiled(source.as_ref()).unwrap().unwrap().described;
    let (rule, rate) = (optimizer.rule(), learning_rate.unwrap());
    let trains = |name: &str| trainable.iter().any(|known| known == name);
    let gradients = |graph: &Graph| {
        let trains = (0..graph.params.len()).filter(|i| trains(&graph.params[*i].name));
        trains.map(|i| Role::ParamGradient(ParamId(i))).collect()
    };
    let settings = Settings { training: true, rule: Some(rule.clone()), ..Settings::default() };
    let mut bound = Bound::new(model, trains, 0.0, None, settings, gradients);
    let trained: Vec<(String, Vec<f32>)> = (0..source.entries().len())
        .map(|i| (source.entries()[i].name.clone(), source.read(i).unwrap()))
        .collect();
    trained.iter().for_each(|(name, values)| bound.store.write(name, values).unwrap());
    let iteration = restore(source.as_mut(), &bound.graph, rule.as_ref(), &mut bound.store).unwrap();
    assert_eq!(iteration as usize, STEPS);
    let state = |store: &Store, name: &str, i| wide(&store.read(&state_name(name, i)).unwrap());
    let before: Vec<Vec<Vec<f64>>> = trained
        .iter()
        .map(|(name, _)| match trains(name) {
            true => (0..rule.states()).map(|i| state(&bound.store, name, i)).collect(),
            false => Vec::new(),
        })
        .collect();
    bound.run(iteration, rate);
    let now = Now { iteration, learning_rate: rate, ..Now::default() };
    for (i, param) in bound.graph.params.iter().enumerate().filter(|(_, param)| param.trainable) {
        let place = trained.iter().position(|(name, _)| *name == param.name).unwrap();
        let array = |data: &[f64]| Array::new(param.spec.shape, data.to_vec());
        let mut w = array(&wide(&trained[place].1));
        let d_w = array(&bound.read(Role::ParamGradient(ParamId(i)), w.data.len()));
        let mut states: Vec<Array> = before[place].iter().map(|state| array(state)).collect();
        assert!(states.iter().any(|state| state.data.iter().any(|v| *v != 0.0)), "{}", param.name);
        rule.reference(&mut w, &d_w, &mut states, &now);
        let found = distance(&wide(&bound.store.read(&param.name).unwrap()), &w.data);
        tally.compare(&format!("{} {}", file.display(), param.name), found, FLOOR, w.data.len());
    }
}
