//! An architecture as the `config.json` of a Functional model.

use serde_json::{Value, json};

use crate::nn::architecture::{Architecture, Layer, LayerKind};
use crate::ops::conv2d::Padding;
use crate::shape::Shape;

/// The input layer's name: what Keras' VGGs call it, unless another layer is called so.
fn input_name(architecture: &Architecture) -> String {
    let taken = |name: &String| architecture.layers.iter().any(|layer| layer.name == *name);
    (1..).map(|i| format!("input_{i}")).find(|name| !taken(name)).expect("some number is free")
}

/// What Keras rebuilds the model from: the same names, the last dense layer with softmax. `frozen` layers, from the
/// first on, get `trainable: false`. The preparation of pixels stays outside, as in Keras' own VGG.
///
/// Source: keras/src/models/functional.py, `get_config` and `functional_from_config`.
pub fn config(architecture: &Architecture, frozen: usize) -> Value {
    let [h, w] = architecture.input;
    let input = input_name(architecture);
    let name = if architecture.model.is_empty() { "model" } else { &architecture.model };
    let mut layers = vec![json!({
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": { "batch_shape": [null, h, w, 3], "dtype": "float32", "sparse": false, "name": input },
        "registered_name": null,
        "name": input,
        "inbound_nodes": [],
    })];
    let mut before = Tensor { layer: input.clone(), shape: Shape::new(&[1, h, w, 3]) };
    for (index, layer) in architecture.layers.iter().enumerate() {
        let last = index + 1 == architecture.layers.len();
        // An architecture that was built has shapes that fit.
        let shape = layer.op().output(&[before.shape]).unwrap_or(before.shape);
        for part in parts(layer, last) {
            let made = Tensor { layer: part.name.clone(), shape };
            layers.push(entry(part, &before, index >= frozen));
            before = made;
        }
    }
    json!({
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {
            "name": name,
            "trainable": true,
            "layers": layers,
            "input_layers": [[input, 0, 0]],
            "output_layers": [[before.layer, 0, 0]],
        },
        "registered_name": "Functional",
        "build_config": { "input_shape": [null, h, w, 3] },
    })
}

/// What a layer takes: the output of the layer before it, for one sample.
struct Tensor {
    layer: String,
    shape: Shape,
}

impl Tensor {
    fn value(&self) -> Value {
        let mut shape = vec![Value::Null];
        shape.extend(self.shape.dims()[1..].iter().map(|&dim| json!(dim)));
        json!({
            "class_name": "__keras_tensor__",
            "config": { "shape": shape, "dtype": "float32", "keras_history": [self.layer, 0, 0] },
        })
    }
}

/// A layer of Keras' own.
struct Part {
    name: String,
    class: &'static str,
    config: Value,
}

/// The layers that `layer` is in Keras: normalisation has no activation of its own there, and ReLU comes after it.
fn parts(layer: &Layer, last: bool) -> Vec<Part> {
    let (class, config) = fields(&layer.kind, last);
    let mut parts = vec![Part { name: layer.name.clone(), class, config }];
    if let LayerKind::BatchNorm { relu: true, .. } = layer.kind {
        parts.push(Part { name: format!("{}_relu", layer.name), class: "ReLU", config: json!({}) });
    }
    parts
}

fn entry(Part { name, class, mut config }: Part, before: &Tensor, trainable: bool) -> Value {
    config["name"] = json!(name);
    config["trainable"] = json!(trainable);
    config["dtype"] = json!("float32");
    json!({
        "module": "keras.layers",
        "class_name": class,
        "config": config,
        "registered_name": null,
        "name": name,
        "inbound_nodes": [{ "args": [before.value()], "kwargs": {} }],
    })
}

fn fields(kind: &LayerKind, last: bool) -> (&'static str, Value) {
    let activation = |relu: bool| match (relu, last) {
        (true, _) => "relu",
        (false, true) => "softmax",
        (false, false) => "linear",
    };
    match *kind {
        LayerKind::Conv2d { filters, kernel, stride, padding, bias, relu } => (
            "Conv2D",
            json!({
                "filters": filters, "kernel_size": kernel, "strides": stride, "padding": padding_name(padding),
                "data_format": "channels_last", "use_bias": bias, "activation": activation(relu),
            }),
        ),
        LayerKind::MaxPool2d { window, stride, padding } => (
            "MaxPooling2D",
            json!({
                "pool_size": window, "strides": stride, "padding": padding_name(padding),
                "data_format": "channels_last",
            }),
        ),
        LayerKind::GlobalAveragePool => {
            ("GlobalAveragePooling2D", json!({ "data_format": "channels_last", "keepdims": false }))
        }
        LayerKind::Flatten => ("Flatten", json!({ "data_format": "channels_last" })),
        LayerKind::Dense { units, bias, relu } => {
            ("Dense", json!({ "units": units, "use_bias": bias, "activation": activation(relu) }))
        }
        LayerKind::Dropout { rate } => ("Dropout", json!({ "rate": rate })),
        LayerKind::BatchNorm { momentum, epsilon, .. } => (
            "BatchNormalization",
            json!({ "axis": -1, "momentum": momentum, "epsilon": epsilon, "center": true, "scale": true }),
        ),
    }
}

fn padding_name(padding: Padding) -> &'static str {
    match padding {
        Padding::Same => "same",
        Padding::Valid => "valid",
    }
}
