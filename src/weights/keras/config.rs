//! What Keras' JSON says of the layers: their order, names, classes, and which of them train.

use std::collections::HashMap;

use serde_json::Value;

/// A layer that is no container, in topological order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::weights) struct Layer {
    /// Where a Keras 3 weight file keeps it: `layers/functional/layers/conv2d_3`.
    pub group: String,
    /// Its own name: `block2_conv2`.
    pub name: String,
    /// Its class in snake case: `conv2d`, `batch_normalization`.
    pub class: String,
    /// The layer of the outermost model that it is, or lies in: `vgg19`.
    pub top: String,
    /// Unless it or a model around it is frozen.
    pub trainable: bool,
}

/// The layers of a `config.json` or `model_config`, nested models flattened. Empty for a config of another kind.
pub(in crate::weights) fn layers(config: &Value) -> Vec<Layer> {
    let mut found = Vec::new();
    walk(config, "", None, true, &mut found);
    found
}

/// Names of the outermost model's layers, containers included. Keras does not count a Sequential's input.
pub(in crate::weights) fn top_level(config: &Value) -> Vec<String> {
    let all = children(config).unwrap_or_default().iter();
    let counted =
        all.filter(|layer| config["class_name"] != "Sequential" || layer["class_name"] != "InputLayer");
    counted.filter_map(|layer| name_of(layer).map(str::to_string)).collect()
}

fn name_of(layer: &Value) -> Option<&str> {
    layer["config"]["name"].as_str().or(layer["name"].as_str())
}

fn walk(model: &Value, group: &str, top: Option<&str>, trainable: bool, found: &mut Vec<Layer>) {
    let mut used: HashMap<String, usize> = HashMap::new();
    for layer in children(model).unwrap_or_default() {
        let class = snake_case(layer["class_name"].as_str().unwrap_or_default());
        let count = used.entry(class.clone()).or_default();
        let key = if *count == 0 { class.clone() } else { format!("{class}_{count}") };
        *count += 1;
        let group = group_below(group, &key);
        let trainable = trainable && layer["config"]["trainable"].as_bool().unwrap_or(true);
        let name = name_of(layer).unwrap_or(&key);
        let top = top.unwrap_or(name);
        if children(layer).is_some() {
            walk(layer, &group, Some(top), trainable, found);
        } else {
            let (name, top) = (name.to_string(), top.to_string());
            found.push(Layer { group, name, class, top, trainable });
        }
    }
}

/// Where a Keras 3 weight file keeps the layer `key` of the model at `group`.
pub(super) fn group_below(group: &str, key: &str) -> String {
    let front = if group.is_empty() { String::new() } else { format!("{group}/") };
    format!("{front}layers/{key}")
}

/// The layers inside a model; `None` for a plain layer. Keras 1 had a Sequential's list directly in `config`.
fn children(model: &Value) -> Option<&[Value]> {
    let config = &model["config"];
    config["layers"].as_array().or(config.as_array()).map(Vec::as_slice)
}

/// `BatchNormalization` -> `batch_normalization`, `Conv2D` -> `conv2d`, `MaxPooling2D` -> `max_pooling2d`.
/// Source: keras/src/utils/naming.py, `to_snake_case`.
pub(in crate::weights) fn snake_case(class: &str) -> String {
    let class: Vec<char> = class.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    let mut snake = String::new();
    for (i, &c) in class.iter().enumerate() {
        let after_lower = i > 0 && class[i - 1].is_lowercase();
        let before_lower = i > 0 && class.get(i + 1).is_some_and(|next| next.is_lowercase());
        if c.is_uppercase() && (after_lower || before_lower) {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn snake_case_is_that_of_keras() {
        for (class, snake) in [
            ("Conv2D", "conv2d"),
            ("Conv2DTranspose", "conv2d_transpose"),
            ("DepthwiseConv2D", "depthwise_conv2d"),
            ("MaxPooling2D", "max_pooling2d"),
            ("GlobalAveragePooling2D", "global_average_pooling2d"),
            ("BatchNormalization", "batch_normalization"),
            ("ReLU", "re_lu"),
            ("Dense", "dense"),
        ] {
            assert_eq!(snake_case(class), snake);
        }
    }

    #[test]
    fn counts_each_class_and_flattens_nested_models() {
        let dense = |name: &str| json!({"class_name": "Dense", "config": {"name": name}});
        let base = json!({"class_name": "Functional", "config": {"name": "base", "trainable": false, "layers": [dense("a"), dense("b")]}});
        let model = json!({"class_name": "Sequential", "config": {"layers": [base, dense("c")]}});
        let found: Vec<(String, String, bool)> =
            layers(&model).into_iter().map(|l| (l.group, l.name, l.trainable)).collect();
        let expected = [
            ("layers/functional/layers/dense", "a", false),
            ("layers/functional/layers/dense_1", "b", false),
            ("layers/dense", "c", true),
        ];
        assert_eq!(found, expected.map(|(g, n, t)| (g.to_string(), n.to_string(), t)));
    }

    #[test]
    fn nonsense_has_no_layers() {
        for nonsense in
            [json!(null), json!({"config": 3}), json!([1, 2]), json!({"config": {"layers": "many"}})]
        {
            assert!(layers(&nonsense).is_empty());
        }
    }
}
