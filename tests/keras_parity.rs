//! The numbers that Keras computes are the numbers that Frostline computes: every layer's output, every gradient in each
//! way of freezing, twenty steps of each optimizer. Widths, shapes and settings come from the files.
//!
//! The measure is Keras in f64. A direct kernel may be off by four times as much as Keras in f32 is, or by 4e-7; the
//! default rungs (Winograd) by twenty times. Runs that part ways in Keras itself are compared after their first step.
//!
//! `FROSTLINE_ORACLE` names a folder laid out as `tests/fixtures/keras`, which is the default. For a whole oracle
//! `CARGO_PROFILE_DEV_OPT_LEVEL=2` is worth its longer compilation: the steps in f64 are plain loops.

mod keras_support;
mod support;

use std::path::Path;

use frostline::graph::role::Role;
use frostline::graph::store::state_name;
use frostline::graph::{Graph, ParamId, Settings, Store};
use frostline::ops::{Array, Now, Rung};
use frostline::optim::RuleRef;
use frostline::optim::keras::{Described, from_config};
use frostline::train::keras::compiled::compiled;
use frostline::train::keras::state::restore;
use frostline::weights;
use keras_support::bound::{Bound, gradients_of, input};
use keras_support::steps::{Beside, Found, Snapshot, Step};
use keras_support::tally::{FLOOR, Tally, limit, rungs};
use keras_support::{Model, Tensors, distance, models, names, oracle, text, wide};
use rayon::prelude::*;
use serde_json::Value;

/// Updates of a whole run.
const STEPS: usize = 20;
const FEW_STEPS: usize = 5;
/// Share of the runs that may leave Keras': 19 of the whole oracle's 120 did on llvmpipe.
const MOST_LEAVE: f64 = 0.2;

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
            let all = |graph: &mut Graph| layers.iter().filter_map(|name| role(graph, name)).collect();
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

/// Nothing trains, and the gradient is there because it is asked for.
#[test]
fn the_gradient_of_the_input() {
    let mut tally = Tally::default();
    for model in models(&oracle()).unwrap() {
        let exact = model.numbers("gradients_f64.safetensors");
        let own = own(&model.numbers("gradients.safetensors"), &exact);
        for rung in rungs() {
            let wanted = |graph: &mut Graph| {
                graph.want_gradient(input(graph));
                vec![Role::Gradient(input(graph))]
            };
            let settings = Settings { training: true, ..Settings::default() };
            let mut bound = Bound::new(&model, |_| false, 0.0, rung, settings, wanted);
            bound.run(0, 0.0);
            let expected = &exact["d_input"].data;
            let found = distance(&bound.read(Role::Gradient(input(&bound.graph)), expected.len()), expected);
            let what = format!("{} {rung:?} gradient of the input", model.name);
            tally.compare(&what, found, limit(own, rung), expected.len());
        }
    }
    tally.report("gradients of the input");
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
    let settings = Settings { training: true, ..Settings::default() };
    let trains = |name: &str| trainable.iter().any(|known| known == name);
    let mut bound = Bound::new(model, trains, smoothing, rung, settings, gradients_of);
    bound.weigh(model, by_class);
    bound.run(0, 0.0);
    bound
}

#[test]
fn twenty_steps_of_each_optimizer() {
    let mut tally = Tally::default();
    let (mut classes, mut runs, mut left) = (Vec::new(), 0, 0);
    for model in models(&oracle()).unwrap() {
        let exact = model.numbers("losses_f64.safetensors");
        for (name, run) in model.training() {
            for rung in rungs() {
                let steps = match run["stable"].as_bool().unwrap() {
                    true => followed(rung),
                    false => 1,
                };
                let losses = &exact[name].data[..=steps];
                let own = Trajectory::run(&model, name, run, losses, rung);
                runs += 1;
                match own.tally.failed.is_empty() {
                    true => tally.add(own.tally),
                    false => {
                        left += 1;
                        own.step_by_step(&model, &mut tally);
                    }
                }
            }
            classes.push(class(run));
        }
    }
    println!("{left} of {runs} runs leave Keras'");
    assert!(left as f64 <= MOST_LEAVE * f64::from(runs), "{left} of {runs} runs leave Keras'");
    classes.sort();
    classes.dedup();
    tally.report(&format!("trajectories of {}", classes.join(", ")));
}

/// Updates that a rung is followed for; the shipped cases spare the slow ones.
fn followed(rung: Option<Rung>) -> usize {
    match rung {
        Some(Rung::Naive | Rung::Tiled) if std::env::var_os("FROSTLINE_ORACLE").is_none() => FEW_STEPS,
        _ => STEPS,
    }
}

/// `SGD` of `sgd_momentum_3`: the manifest gives the settings under the optimizer's own name.
fn class(run: &Value) -> String {
    let name = text(&run["optimizer"]["name"]).replace('_', "");
    let known = ["AdamW", "Adam", "RMSprop", "SGD"];
    let found = known.iter().find(|class| name.starts_with(&class.to_lowercase()));
    found.unwrap_or_else(|| panic!("{name} is not known here")).to_string()
}

/// Steps of the device beside the losses and weights of Keras.
struct Trajectory {
    what: String,
    rung: Option<Rung>,
    rule: RuleRef,
    graph: Graph,
    sample_weights: Vec<f64>,
    /// One more than steps.
    snapshots: Vec<Snapshot>,
    steps: Vec<Step>,
    /// Keras' own, absolute.
    own_loss: f64,
    tally: Tally,
}

impl Trajectory {
    fn run(model: &Model, name: &str, run: &Value, losses: &[f64], rung: Option<Rung>) -> Trajectory {
        let Described { optimizer, learning_rate } = from_config(&class(run), &run["optimizer"]).unwrap();
        let (rule, rate) = (optimizer.rule(), learning_rate.expect("the oracle has no schedules"));
        let trainable = names(&run["trainable"]);
        let smoothing = run["smooth"].as_f64().unwrap_or(0.0) as f32;
        let settings = Settings { training: true, rule: Some(rule.clone()), ..Settings::default() };
        let trains = |name: &str| trainable.iter().any(|known| known == name);
        let mut bound = Bound::new(model, trains, smoothing, rung, settings, gradients_of);
        let sample_weights = bound.weigh(model, run["cw"].as_bool().unwrap_or(false));

        let own = &model.manifest["f32_vs_f64"]["train"][name];
        let own_loss = own["loss_max_abs"].as_f64().unwrap();
        let what = format!("{} {name} {rung:?}", model.name);
        let mut tally = Tally::default();
        let stored = model.numbers(&format!("train/{name}.safetensors"));
        let mut snapshots = vec![Snapshot::of(&bound.graph, &bound.store, rule.as_ref())];
        let mut steps = Vec::new();
        for (step, expected) in losses.iter().enumerate() {
            // Before this loss, `step` updates were made.
            let part = if step == STEPS { "final/".to_owned() } else { format!("step{step}/") };
            for param in bound.graph.params.iter().filter(|param| param.trainable) {
                let Some(expected) = stored.get(&format!("{part}{}", param.name)) else { continue };
                let found = distance(&wide(&bound.store.read(&param.name).unwrap()), &expected.data);
                let own = own[format!("weights_{part}")]["rel_l2"].as_f64().unwrap();
                // Keras' weights in f64 are not at hand: see the weighted gradients.
                let allowed = limit(own, rung) + own;
                tally.compare(&format!("{what} {part}{}", param.name), found, allowed, expected.data.len());
            }
            let loss = bound.run(step as u32, rate);
            let off = (loss - expected).abs() / expected.abs();
            let allowed = limit(own_loss / expected.abs(), rung);
            tally.compare(&format!("{what} loss before step {}", step + 1), off, allowed, 1);
            steps.push(Step { loss, gradients: bound.gradients(), now: bound.now(step as u32, rate) });
            snapshots.push(Snapshot::of(&bound.graph, &bound.store, rule.as_ref()));
        }
        for param in bound.graph.params.iter().filter(|param| !param.trainable) {
            let now = bound.store.read(&param.name).unwrap();
            assert_eq!(now, model.start[&param.name], "{} is frozen", param.name);
        }
        Trajectory { what, rung, rule, graph: bound.graph, sample_weights, snapshots, steps, own_loss, tally }
    }

    /// The run has left Keras'. Each of its steps must be the one that f64 makes from the same weights, where units
    /// that lie nearer to zero than the outputs' tolerance may be on either side.
    fn step_by_step(self, model: &Model, tally: &mut Tally) {
        let own = |of: &str| model.manifest["f32_vs_f64"][of]["rel_l2"].as_f64().unwrap();
        let limits = (limit(own("activations"), self.rung), limit(own("gradients"), self.rung));
        let beside = Beside::new(&self.graph, model, &self.sample_weights);
        let found: Vec<Found> = (0..self.steps.len())
            .into_par_iter()
            .map(|i| {
                let around = (&self.snapshots[i], &self.snapshots[i + 1]);
                beside.compare(&self.steps[i], around, self.rule.as_ref(), limits)
            })
            .collect();
        println!("{} leaves Keras' run: {}", self.what, self.tally.failed[0]);
        for (i, (found, step)) in found.iter().zip(&self.steps).enumerate() {
            let what = format!("{} step {} from its own weights", self.what, i + 1);
            let values = step.gradients.values().map(Vec::len).sum();
            let own_loss = self.own_loss / step.loss.abs();
            tally.compare(&format!("{what}: loss"), found.loss, limit(own_loss, self.rung), 1);
            tally.compare(&format!("{what}: gradients"), found.gradient, 1.0, values);
            tally.compare(&format!("{what}: update"), found.update, FLOOR, values);
            found.flips.iter().for_each(|flip| println!("  step {}: rounding decided {flip}", i + 1));
        }
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
    let settings = Settings { training: true, rule: Some(rule.clone()), ..Settings::default() };
    let mut bound = Bound::new(model, trains, 0.0, None, settings, gradients_of);
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
