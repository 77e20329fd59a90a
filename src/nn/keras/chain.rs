//! The layers of a configuration in the order in which an image passes them, nested models flattened.

use std::collections::HashSet;

use serde_json::Value;

/// Deeper nesting than any model has.
const MAX_DEPTH: usize = 16;

/// One layer that is no model.
#[derive(Debug)]
pub(super) struct Link<'c> {
    pub name: String,
    /// `Conv2D`
    pub class: &'c str,
    pub config: &'c Value,
    /// Unless it or a model around it is frozen.
    pub trainable: bool,
}

/// See the module's first line.
#[derive(Debug, Default)]
pub(super) struct Chain<'c> {
    /// The outermost model's name.
    pub name: String,
    /// The batch shape `[null, h, w, c]` that the first layer takes, where it is stated.
    pub input: Option<Value>,
    pub links: Vec<Link<'c>>,
}

impl<'c> Chain<'c> {
    /// # Errors
    /// A model that is no chain, or a layer that several places share.
    pub fn of(config: &'c Value) -> Result<Chain<'c>, String> {
        let mut chain = Chain { name: name(config).to_owned(), ..Chain::default() };
        if children(config).is_none() {
            let class = class(config);
            return Err(format!(
                "'{class}' is neither a Sequential nor a Functional model; only those say their layers"
            ));
        }
        chain.model(config, true, 0)?;
        let mut seen = HashSet::new();
        match chain.links.iter().find(|link| !seen.insert(link.name.clone())) {
            Some(twice) => Err(format!(
                "two layers are called '{}'; names must differ, across nested models too",
                twice.name
            )),
            None => Ok(chain),
        }
    }

    fn model(&mut self, model: &'c Value, trainable: bool, depth: usize) -> Result<(), String> {
        let layers = children(model).unwrap_or_default();
        if depth > MAX_DEPTH {
            return Err(format!("models are nested more than {MAX_DEPTH} deep"));
        }
        self.note_input(&model["config"]["build_input_shape"]);
        let order = match class(model) {
            "Sequential" => layers.iter().collect(),
            _ => in_order(model, layers)?,
        };
        for layer in order {
            let trainable = trainable && layer["config"]["trainable"].as_bool().unwrap_or(true);
            self.note_input(&layer["config"]["batch_shape"]);
            self.note_input(&layer["config"]["batch_input_shape"]);
            match (children(layer), class(layer)) {
                (Some(_), _) => self.model(layer, trainable, depth + 1)?,
                (None, "InputLayer") => {}
                (None, class) => self.links.push(Link {
                    name: name(layer).to_owned(),
                    class,
                    config: &layer["config"],
                    trainable,
                }),
            }
        }
        Ok(())
    }

    /// Only what comes before the first layer is the input of the whole.
    fn note_input(&mut self, shape: &Value) {
        if self.links.is_empty() && self.input.is_none() && shape.is_array() {
            self.input = Some(shape.clone());
        }
    }
}

/// The layers of a Functional model, from its input along the only way there is.
fn in_order<'c>(model: &Value, layers: &'c [Value]) -> Result<Vec<&'c Value>, String> {
    let mut order: Vec<&Value> = Vec::with_capacity(layers.len());
    let sources = layers.iter().map(sources).collect::<Result<Vec<_>, String>>()?;
    let mut starts = layers.iter().zip(&sources).filter(|(_, from)| from.is_empty()).map(|(layer, _)| layer);
    let mut next = starts.next();
    if let Some(second) = starts.next() {
        return Err(format!(
            "{} has a second input '{}'; only chains are supported",
            class(model),
            name(second)
        ));
    }
    while let Some(layer) = next {
        order.push(layer);
        if order.len() > layers.len() {
            return Err(format!("'{}' is part of a loop", name(layer)));
        }
        let mut followers =
            layers.iter().zip(&sources).filter(|(_, from)| from.contains(&name(layer))).map(|(l, _)| l);
        next = followers.next();
        if let (Some(one), Some(other)) = (next, followers.next()) {
            let (from, one, other) = (name(layer), name(one), name(other));
            return Err(format!(
                "the model branches after '{from}' into '{one}' and '{other}'; only chains are supported"
            ));
        }
    }
    match layers.iter().find(|layer| !order.iter().any(|known| std::ptr::eq(*known, *layer))) {
        Some(lost) => Err(format!("'{}' does not hang together with the input", name(lost))),
        None => Ok(order),
    }
}

/// Names of the layers whose outputs `layer` takes: none for an input, else one.
///
/// Keras 3 has `inbound_nodes: [{"args": [{"config": {"keras_history": ["a", 0, 0]}}]}]`, Keras 2 `[[["a", 0, 0, {}]]]`.
fn sources(layer: &Value) -> Result<Vec<&str>, String> {
    let nodes = layer["inbound_nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found = Vec::new();
    for node in nodes {
        match node.get("args") {
            Some(arguments) => histories(arguments, &mut found),
            None => {
                let tensors = node.as_array().map(Vec::as_slice).unwrap_or_default();
                found.extend(tensors.iter().filter_map(|tensor| tensor[0].as_str()));
            }
        }
    }
    match (found.len(), nodes.len()) {
        (0 | 1, 0 | 1) => Ok(found),
        (_, 2..) => Err(format!(
            "layer '{}' is used {} times; shared layers are not supported",
            name(layer),
            nodes.len()
        )),
        _ => Err(format!(
            "layer '{}' ({}) joins '{}'; only chains are supported",
            name(layer),
            class(layer),
            found.join("' and '")
        )),
    }
}

fn histories<'c>(value: &'c Value, found: &mut Vec<&'c str>) {
    if let Some(history) = value["config"]["keras_history"][0].as_str() {
        found.push(history);
    } else if let Some(many) = value.as_array() {
        many.iter().for_each(|one| histories(one, found));
    }
}

/// The layers inside a model; `None` for a plain layer. Keras 1 had a Sequential's list directly in `config`.
fn children(model: &Value) -> Option<&[Value]> {
    let config = &model["config"];
    config["layers"].as_array().or(config.as_array()).map(Vec::as_slice)
}

fn name(layer: &Value) -> &str {
    layer["config"]["name"].as_str().or(layer["name"].as_str()).unwrap_or("model")
}

fn class(layer: &Value) -> &str {
    layer["class_name"].as_str().unwrap_or("?")
}
