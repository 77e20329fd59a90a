//! The optimizer's state in a Keras file: iteration, learning rate, and the slots under canonical names.
//!
//! Keras 3's `.keras` numbers them (`optimizer/vars/17`), so their names follow from the optimizer's class and the
//! trainable parameters; legacy files name them, in several generations' ways.
//! Source: `build` in keras/src/optimizers/{base_optimizer,sgd,adam,rmsprop}.py.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::config::Layer;
use super::{names, v3};
use crate::error::Result;
use crate::weights::hdf5::{Node, Tensor};
use crate::weights::{Entry, Optimizer};

/// The state and its tensors, or `None` where the file has none.
///
/// # Errors
/// Something is corrupt.
pub(super) fn read(
    root: &Node<'_>,
    entries: &[Entry],
    layers: &[Layer],
    training: Option<&Value>,
) -> Result<Option<(Optimizer, Vec<Tensor>)>> {
    let mut found = match root.child("optimizer_weights")? {
        Some(group) => Some(read_named(&group, entries)?),
        None => match root.child("optimizer")? {
            Some(group) => read_numbered(&group, entries, layers, training)?,
            None => None,
        },
    };
    if let Some((state, _)) = &mut found {
        // Keras 2 keeps the rate in the configuration only.
        state.learning_rate = state.learning_rate.or_else(|| rate_of(training?));
    }
    Ok(found)
}

fn rate_of(training: &Value) -> Option<f32> {
    let config = &optimizer_of(training)["config"];
    config.get("learning_rate").or(config.get("lr"))?.as_f64().map(|rate| rate as f32)
}

/// `.keras` calls it `optimizer`, `.h5` calls it `optimizer_config`.
fn optimizer_of(training: &Value) -> &Value {
    training.get("optimizer").or(training.get("optimizer_config")).unwrap_or(&Value::Null)
}

fn read_numbered(
    group: &Node<'_>,
    entries: &[Entry],
    layers: &[Layer],
    training: Option<&Value>,
) -> Result<Option<(Optimizer, Vec<Tensor>)>> {
    let Some(vars) = group.child("vars")? else {
        return Ok(None);
    };
    let mut rest = v3::numbered(&vars)?.into_iter().peekable();
    let Some(first) = rest.next() else {
        return Ok(None);
    };
    let iteration = first.read_count()?;
    // A schedule leaves no variable, and then the slots follow at once.
    let learning_rate = match rest.next_if(|t| t.shape.is_empty()) {
        Some(tensor) => tensor.read()?.first().copied(),
        None => None,
    };
    let tensors: Vec<Tensor> = rest.collect();
    let names = numbered_names(&tensors, &trained(entries, layers), training);
    Ok(Some(assemble(iteration, learning_rate, names, tensors)))
}

fn assemble(
    iteration: u64,
    learning_rate: Option<f32>,
    names: Vec<String>,
    tensors: Vec<Tensor>,
) -> (Optimizer, Vec<Tensor>) {
    let slots = tensors.iter().zip(names).map(|(tensor, name)| tensor.entry(name)).collect();
    (Optimizer { iteration, learning_rate, slots }, tensors)
}

/// The parameters that the optimizer steps, in order.
fn trained<'e>(entries: &'e [Entry], layers: &[Layer]) -> Vec<&'e Entry> {
    let frozen: HashSet<&str> = layers.iter().filter(|l| !l.trainable).map(|l| l.name.as_str()).collect();
    let moves = |e: &&Entry| !e.parameter().starts_with("moving_") && !frozen.contains(e.layer());
    entries.iter().filter(moves).collect()
}

/// `block2_conv2/kernel/momentum` where class and shapes agree, else `slot_0`, `slot_1`, ...
fn numbered_names(tensors: &[Tensor], trained: &[&Entry], training: Option<&Value>) -> Vec<String> {
    let mut expected: Vec<(String, &[usize])> = Vec::new();
    for kinds in training.map(passes).unwrap_or_default() {
        for parameter in trained {
            expected.extend(
                kinds.iter().map(|kind| (format!("{}/{kind}", parameter.name), parameter.shape.as_slice())),
            );
        }
    }
    let fits = expected.len() == tensors.len()
        && expected.iter().zip(tensors).all(|((_, shape), t)| *shape == t.shape);
    match fits {
        true => expected.into_iter().map(|(name, _)| name).collect(),
        false => (0..tensors.len()).map(|i| format!("slot_{i}")).collect(),
    }
}

/// The slots that an optimizer makes: pass after pass over the parameters, and in each pass these for each one.
pub(in crate::weights) fn passes(training: &Value) -> Vec<Vec<&'static str>> {
    let optimizer = optimizer_of(training);
    let config = &optimizer["config"];
    let is_set = |key: &str| config[key].as_bool().unwrap_or(false);
    let positive = |key: &str| config[key].as_f64().is_some_and(|x| x > 0.0);
    let mut passes: Vec<Vec<&'static str>> = Vec::new();
    let mut pass = |when: bool, kinds: &[&'static str]| {
        if when {
            passes.push(kinds.to_vec());
        }
    };
    pass(is_set("use_ema"), &["average"]);
    pass(positive("gradient_accumulation_steps"), &["gradient_accumulator"]);
    match optimizer["class_name"].as_str().unwrap_or_default() {
        "SGD" => pass(positive("momentum"), &["momentum"]),
        "Adam" | "AdamW" => {
            pass(true, &["momentum", "velocity"]);
            pass(is_set("amsgrad"), &["velocity_hat"]);
        }
        "RMSprop" => {
            pass(true, &["velocity"]);
            pass(positive("momentum"), &["momentum"]);
            pass(is_set("centered"), &["average_gradient"]);
        }
        _ => passes.clear(),
    }
    passes
}

fn read_named(group: &Node<'_>, entries: &[Entry]) -> Result<(Optimizer, Vec<Tensor>)> {
    let by_key: HashMap<String, &Entry> = entries.iter().map(|e| (e.name.replace('/', "_"), e)).collect();
    let (mut iteration, mut learning_rate) = (0, None);
    let (mut slots, mut tensors) = (Vec::new(), Vec::new());
    for stored in group.list("weight_names")?.unwrap_or_default() {
        let tensor = group.tensor(&stored)?;
        match names::last(&stored) {
            "iteration" | "iter" | "iterations" => iteration = tensor.read_count()?,
            "learning_rate" if tensor.numel() == 1 => learning_rate = tensor.read()?.first().copied(),
            _ => {
                slots.push(slot_name(&stored, &by_key).unwrap_or_else(|| format!("slot_{}", slots.len())));
                tensors.push(tensor);
            }
        }
    }
    Ok(assemble(iteration, learning_rate, slots, tensors))
}

/// `block2_conv2/kernel/velocity` out of `adam_7/block2_conv2_kernel_velocity` (Keras 3),
/// `Adam/v/block2_conv2/kernel:0` (2.11 on) or `Adam/block2_conv2/kernel/v:0` (before).
fn slot_name(stored: &str, by_key: &HashMap<String, &Entry>) -> Option<String> {
    let flat = stored.split(':').next()?.replace('/', "_");
    let words: Vec<&str> = flat.split('_').collect();
    if words.len() > 64 {
        return None;
    }
    // The longest run of words that names a parameter; what stands around it names the slot.
    for length in (1..=words.len()).rev() {
        for start in 0..=words.len() - length {
            if let Some(entry) = by_key.get(&words[start..start + length].join("_")) {
                let kind =
                    kind(&words[start + length..].join("_")).or_else(|| kind(words[..start].last()?))?;
                return Some(format!("{}/{kind}", entry.name));
            }
        }
    }
    None
}

fn kind(words: &str) -> Option<&'static str> {
    Some(match words {
        "momentum" | "m" => "momentum",
        "velocity" | "v" | "rms" => "velocity",
        "velocity_hat" | "vhat" => "velocity_hat",
        "average_gradient" | "mg" => "average_gradient",
        "average" => "average",
        "gradient_accumulator" => "gradient_accumulator",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::weights::{Dtype, Layout};

    #[test]
    fn slots_of_three_generations() {
        let entry = |name: &str| Entry {
            name: name.into(),
            stored_as: String::new(),
            shape: vec![1],
            dtype: Dtype::F32,
            layout: Layout::Keras,
        };
        let entries = [entry("dense/kernel"), entry("dense_1/kernel"), entry("block2_conv2/bias")];
        let by_key = entries.iter().map(|e| (e.name.replace('/', "_"), e)).collect();
        for (stored, expected) in [
            ("adam_7/block2_conv2_bias_velocity", "block2_conv2/bias/velocity"),
            ("adam/sequential_dense_1_kernel_momentum", "dense_1/kernel/momentum"),
            ("Adam/v/dense/kernel:0", "dense/kernel/velocity"),
            ("training/Adam/dense/kernel/m:0", "dense/kernel/momentum"),
            ("RMSprop/dense_1/kernel/rms:0", "dense_1/kernel/velocity"),
        ] {
            assert_eq!(slot_name(stored, &by_key).as_deref(), Some(expected));
        }
        assert_eq!(slot_name("adam/other_kernel_momentum", &by_key), None);
    }

    #[test]
    fn rmsprop_makes_up_to_three_passes() {
        let training =
            json!({"optimizer": {"class_name": "RMSprop", "config": {"momentum": 0.9, "centered": true}}});
        assert_eq!(passes(&training), [["velocity"], ["momentum"], ["average_gradient"]]);
        let plain = json!({"optimizer_config": {"class_name": "SGD", "config": {"momentum": 0.0}}});
        assert!(passes(&plain).is_empty());
    }

    #[test]
    fn keras_2_keeps_the_rate_in_its_configuration() {
        let adam = |config: Value| json!({"optimizer_config": {"class_name": "Adam", "config": config}});
        assert_eq!(rate_of(&adam(json!({"learning_rate": 0.5}))), Some(0.5));
        assert_eq!(rate_of(&adam(json!({"lr": 0.25}))), Some(0.25));
        let schedule = json!({"learning_rate": {"class_name": "ExponentialDecay"}});
        assert_eq!(rate_of(&adam(schedule)), None);
    }
}
