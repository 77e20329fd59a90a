//! Where each tensor stands in the two layouts.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::{Value, json};

use super::{Contents, KERAS_VERSION, State, check};
use crate::error::{Error, Result};
use crate::weights::hdf5::write::{Attribute, Data, Group, Kind};
use crate::weights::keras::config::{self, Layer};
use crate::weights::{Dtype, Outgoing, order};

/// Tensors with their places among those that are written.
type Tensors<'c> = Vec<(usize, &'c Outgoing)>;

/// The layers of `tensors` in order, each with its tensors in Keras' order.
fn layers(tensors: &[Outgoing]) -> Vec<(&str, Tensors<'_>)> {
    let mut layers: Vec<(&str, Tensors<'_>)> = Vec::new();
    let mut place: HashMap<&str, usize> = HashMap::new();
    for (index, tensor) in tensors.iter().enumerate() {
        let at = *place.entry(tensor.layer()).or_insert_with(|| {
            layers.push((tensor.layer(), Vec::new()));
            layers.len() - 1
        });
        layers[at].1.push((index, tensor));
    }
    for (_, tensors) in &mut layers {
        tensors.sort_by_key(|(_, tensor)| order::rank(tensor.parameter()));
    }
    layers
}

fn data(index: usize, tensor: &Outgoing) -> Data {
    let kind = if tensor.dtype == Dtype::F16 { Kind::F16(index) } else { Kind::F32(index) };
    Data { shape: tensor.shape.clone(), kind }
}

/// `layers/conv2d_3/vars/0` and `optimizer/vars/0`.
pub(super) fn v3(path: &Path, contents: &Contents<'_>) -> Result<Group> {
    check(path, contents)?;
    let known: Vec<Layer> = contents.config.map(config::layers).unwrap_or_default();
    let by_name: HashMap<&str, &Layer> =
        known.iter().rev().map(|layer| (layer.name.as_str(), layer)).collect();
    let mut used = BTreeMap::new();
    let mut root = Group::default();
    root.attributes = texts(contents);
    for (layer, tensors) in layers(contents.tensors) {
        let group = match by_name.get(layer) {
            Some(known) => known.group.clone(),
            None if contents.config.is_some() => return Err(stranger(path, layer)),
            None => counted(path, layer, &tensors, &mut used)?,
        };
        let vars = root.at(&format!("{group}/vars"));
        vars.attributes.push(("name".to_string(), Attribute::Text(layer.to_string())));
        for (number, (index, tensor)) in tensors.into_iter().enumerate() {
            vars.add(&number.to_string(), data(index, tensor));
        }
    }
    if let Some(state) = contents.state {
        let vars = root.at("optimizer/vars");
        for (number, (_, data)) in state_data(&state, contents.tensors.len()).into_iter().enumerate() {
            vars.add(&number.to_string(), data);
        }
    }
    Ok(root)
}

fn stranger(path: &Path, layer: &str) -> Error {
    let advice = "write the one that belongs to these weights";
    Error::weights(path, format!("layer '{layer}' is not in the model's configuration; {advice}"))
}

/// `layers/conv2d_3`: Keras counts the layers of each class.
fn counted(
    path: &Path,
    layer: &str,
    tensors: &[(usize, &Outgoing)],
    used: &mut BTreeMap<&'static str, usize>,
) -> Result<String> {
    let has = |name: &str| tensors.iter().any(|(_, tensor)| tensor.parameter() == name);
    let rank = tensors.iter().find(|(_, t)| t.parameter() == "kernel").map_or(0, |(_, t)| t.shape.len());
    let class = match rank {
        4 => "conv2d",
        2 => "dense",
        _ if has("moving_mean") => "batch_normalization",
        _ => {
            let advice = "its class cannot be told from its parameters; give the model's configuration, or write safetensors";
            return Err(Error::weights(path, format!("layer '{layer}': {advice}")));
        }
    };
    let count = used.entry(class).or_default();
    *count += 1;
    Ok(if *count == 1 { format!("layers/{class}") } else { format!("layers/{class}_{}", *count - 1) })
}

/// Names and data of the optimizer's variables, in order.
fn state_data(state: &State<'_>, first: usize) -> Vec<(String, Data)> {
    let mut found =
        vec![("iteration".to_string(), Data { shape: Vec::new(), kind: Kind::I64(state.iteration) })];
    if let Some(rate) = state.learning_rate {
        found.push((
            "learning_rate".to_string(),
            Data { shape: Vec::new(), kind: Kind::Scalar(rate.to_bits()) },
        ));
    }
    let slots = state.slots.iter().enumerate();
    found.extend(slots.map(|(i, slot)| (slot.name.replace('/', "_"), data(first + i, slot))));
    found
}

/// `model_weights/block1_conv1/block1_conv1/kernel`, with the lists that state the order.
pub(super) fn legacy(path: &Path, contents: &Contents<'_>) -> Result<Group> {
    check(path, contents)?;
    let mut root = Group::default();
    root.attributes = texts(contents);
    let inner = match contents.config {
        Some(config) => {
            root.attributes.extend(about());
            root.attributes
                .push(("model_config".to_string(), Attribute::Text(model_config(config).to_string())));
            if let Some(training) = training_config(config) {
                root.attributes.push(("training_config".to_string(), Attribute::Text(training.to_string())));
            }
            root.at("model_weights")
        }
        None => &mut root,
    };
    let groups = legacy_groups(path, contents)?;
    inner.attributes.extend(about());
    inner.attributes.push((
        "layer_names".to_string(),
        Attribute::List(groups.iter().map(|(name, _)| name.clone()).collect()),
    ));
    for (name, tensors) in groups {
        put_named(
            path,
            inner.at(&name),
            tensors.into_iter().map(|(index, t)| (t.name.clone(), data(index, t))).collect(),
        )?;
    }
    if let Some(state) = contents.state {
        let named = state_data(&state, contents.tensors.len());
        let prefixed = named.into_iter().map(|(name, data)| (format!("optimizer/{name}"), data)).collect();
        put_named(path, root.at("optimizer_weights"), prefixed)?;
    }
    Ok(root)
}

fn texts(contents: &Contents<'_>) -> Vec<(String, Attribute)> {
    contents.metadata.iter().map(|(key, text)| (key.clone(), Attribute::Text(text.clone()))).collect()
}

fn about() -> Vec<(String, Attribute)> {
    [("backend", "tensorflow"), ("keras_version", KERAS_VERSION)]
        .map(|(k, v)| (k.to_string(), Attribute::Text(v.to_string())))
        .into()
}

fn put_named(path: &Path, group: &mut Group, members: Vec<(String, Data)>) -> Result<()> {
    let names = members.iter().map(|(name, _)| name.clone()).collect();
    group.attributes.push(("weight_names".to_string(), Attribute::List(names)));
    for (name, data) in members {
        if !group.add(&name, data) {
            return Err(Error::weights(path, format!("two tensors are called '{name}'; rename one")));
        }
    }
    Ok(())
}

/// Top-level layers with what they hold. A nested model is one group, its trainable weights before its frozen ones.
fn legacy_groups<'c>(path: &Path, contents: &Contents<'c>) -> Result<Vec<(String, Tensors<'c>)>> {
    let Some(config) = contents.config else {
        return Ok(layers(contents.tensors)
            .into_iter()
            .map(|(name, tensors)| (name.to_string(), tensors))
            .collect());
    };
    let known: HashMap<String, Layer> =
        config::layers(config).into_iter().map(|layer| (layer.name.clone(), layer)).collect();
    let mut groups: Vec<(String, Tensors<'c>)> =
        config::top_level(config).into_iter().map(|name| (name, Vec::new())).collect();
    for (name, tensors) in layers(contents.tensors) {
        let group = known.get(name).and_then(|layer| groups.iter_mut().find(|(top, _)| *top == layer.top));
        let Some((_, group)) = group else {
            return Err(stranger(path, name));
        };
        group.extend(tensors);
    }
    let frozen = |tensor: &Outgoing| {
        let layer = known.get(tensor.layer());
        tensor.parameter().starts_with("moving_") || layer.is_some_and(|layer| !layer.trainable)
    };
    for (_, tensors) in &mut groups {
        tensors.sort_by_key(|(_, tensor)| frozen(tensor));
    }
    Ok(groups)
}

/// What the attribute keeps of a `config.json`.
fn model_config(config: &Value) -> Value {
    json!({"class_name": config["class_name"], "config": config["config"]})
}

/// Legacy files call the optimizer's part `optimizer_config`.
fn training_config(config: &Value) -> Option<Value> {
    let mut training = config.get("compile_config")?.as_object()?.clone();
    let optimizer = training.remove("optimizer")?;
    let plain = json!({"class_name": optimizer["class_name"], "config": optimizer["config"]});
    training.insert("optimizer_config".to_string(), plain);
    for key in ["loss", "metrics", "weighted_metrics", "loss_weights"] {
        training.entry(key).or_insert(Value::Null);
    }
    Some(Value::Object(training))
}
