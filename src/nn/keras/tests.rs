use serde_json::{Value, json};

use super::*;
use crate::nn::architecture::{Head, Pool};
use crate::nn::vgg;

fn layer(class: &str, name: &str, mut config: Value) -> Value {
    config["name"] = json!(name);
    json!({ "class_name": class, "config": config })
}

fn conv(name: &str, extra: Value) -> Value {
    let mut config = json!({ "filters": 4, "kernel_size": [3, 3], "strides": [1, 1], "padding": "same", "activation": "relu" });
    extra.as_object().unwrap().iter().for_each(|(key, value)| config[key] = value.clone());
    layer("Conv2D", name, config)
}

fn sequential(layers: Vec<Value>) -> Value {
    json!({ "class_name": "Sequential", "config": { "name": "mine", "layers": layers, "build_input_shape": [null, 8, 8, 3] } })
}

fn softmax(units: usize) -> Value {
    layer("Dense", "last", json!({ "units": units, "activation": "softmax" }))
}

fn refusal(layers: Vec<Value>) -> String {
    model(&sequential(layers), None).unwrap_err()
}

#[test]
fn what_is_written_reads_back() {
    let head = Head { pool: Pool::Avg, hidden: vec![5], dropout: 0.25, classes: 3, ..Head::default() };
    let architecture = vgg::with_head("vgg16", 64, Preprocessing::Caffe, &head).unwrap();
    let read = model(&config(&architecture, 4), None).unwrap();
    assert_eq!(read.architecture, architecture);
    assert_eq!(read.freeze, Freeze::Until("block2_conv1".into()));
}

#[test]
fn nested_models_are_flattened_and_relu_joins_its_layer() {
    let base = json!({ "class_name": "Sequential", "config": { "name": "base", "trainable": false, "layers": [
        layer("InputLayer", "in", json!({ "batch_input_shape": [null, null, null, 3] })),
        conv("a", json!({ "activation": "linear" })),
        layer("ReLU", "a_relu", json!({ "max_value": null })),
        layer("MaxPooling2D", "pool", json!({ "pool_size": 2 })),
    ] } });
    let flat = layer("Flatten", "flatten", json!({}));
    let found = model(&sequential(vec![base, flat, softmax(3)]), None).unwrap();
    let names: Vec<&str> = found.architecture.layers.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["a", "pool", "flatten", "last"]);
    assert!(matches!(found.architecture.layers[0].kind, LayerKind::Conv2d { relu: true, .. }));
    assert_eq!((found.architecture.base, found.architecture.input), (2, [8, 8]));
    assert_eq!(found.freeze, Freeze::All);
    assert_eq!(found.architecture.preprocessing, Preprocessing::Rescale);
}

#[test]
fn normalisation_reads_back_with_the_relu_behind_it() {
    let head = Head { hidden: vec![5], batch_norm: true, classes: 3, ..Head::default() };
    let architecture = vgg::with_head("vgg11_bn", 32, Preprocessing::Torch, &head).unwrap();
    let written = config(&architecture, 0);
    let classes = |class: &str| {
        written["config"]["layers"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|layer| layer["class_name"] == class)
            .count()
    };
    assert_eq!((classes("BatchNormalization"), classes("ReLU"), classes("Conv2D")), (9, 9, 8));
    let read = model(&written, None).unwrap().architecture;
    assert_eq!(read, Architecture { preprocessing: Preprocessing::Caffe, ..architecture });
}

#[test]
fn of_a_vector_the_last_axis_is_one() {
    let norm = layer("BatchNormalization", "norm", json!({ "axis": [1], "momentum": 0.9 }));
    let found =
        model(&sequential(vec![layer("Flatten", "flatten", json!({})), norm, softmax(3)]), None).unwrap();
    let expected = LayerKind::BatchNorm { momentum: 0.9, epsilon: 1e-3, relu: false };
    assert_eq!(found.architecture.layers[1].kind, expected);
}

#[test]
fn what_does_not_exist_here_is_named() {
    let dense = || softmax(3);
    for (layers, expected) in [
        (vec![layer("LayerNormalization", "ln1", json!({})), dense()], "layer 'ln1' is a LayerNormalization"),
        (
            vec![layer("BatchNormalization", "bn1", json!({ "scale": false })), dense()],
            "'bn1' (BatchNormalization) has scale false",
        ),
        (vec![layer("BatchNormalization", "bn1", json!({ "axis": [1] })), dense()], "axis [1]"),
        (
            vec![conv("c", json!({ "activation": "swish" })), dense()],
            "layer 'c' (Conv2D) has activation swish",
        ),
        (vec![conv("c", json!({ "dilation_rate": [2, 2] })), dense()], "dilation_rate [2,2]"),
        (vec![conv("c", json!({ "groups": 2 })), dense()], "groups 2"),
        (vec![conv("c", json!({ "data_format": "channels_first" })), dense()], "channels_first"),
        (
            vec![dense(), layer("Flatten", "late", json!({}))],
            "'last' gives probabilities, but 'late' comes after",
        ),
        (vec![conv("c", json!({}))], "the last layer is 'c'"),
        (vec![conv("c", json!({})), conv("c", json!({})), dense()], "two layers are called 'c'"),
        (vec![], "the model has no layers"),
    ] {
        let message = refusal(layers);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn branches_and_joins_are_named() {
    let node = |name: &str, from: &[&str]| {
        let tensors: Vec<Value> = from.iter().map(|from| json!([from, 0, 0, {}])).collect();
        let mut layer = conv(name, json!({}));
        layer["inbound_nodes"] = if from.is_empty() { json!([]) } else { json!([tensors]) };
        layer
    };
    let functional =
        |layers: Vec<Value>| json!({ "class_name": "Model", "config": { "name": "m", "layers": layers } });
    let branch = functional(vec![node("a", &[]), node("b", &["a"]), node("c", &["a"])]);
    assert!(model(&branch, None).unwrap_err().contains("branches after 'a' into 'b' and 'c'"));
    let join = functional(vec![node("a", &[]), node("b", &["a"]), node("add", &["a", "b"])]);
    assert!(model(&join, None).unwrap_err().contains("'add' (Conv2D) joins 'a' and 'b'"));
}

#[test]
fn the_input_is_a_square_of_rgb() {
    let shape = |dims: Value, asked| side(Some(dims), asked);
    assert_eq!(shape(json!([null, 32, 32, 3]), None), Ok([32, 32]));
    assert_eq!(shape(json!([null, null, null, 3]), Some(96)), Ok([96, 96]));
    assert!(shape(json!([null, null, null, 3]), None).unwrap_err().contains("--input"));
    assert!(shape(json!([null, 32, 32, 3]), Some(64)).unwrap_err().contains("not the 64"));
    assert!(shape(json!([null, 32, 32, 1]), None).unwrap_err().contains("1 channels"));
    assert!(shape(json!([null, 32, 48, 3]), None).unwrap_err().contains("32 by 48"));
    assert!(side(None, None).is_err());
}

#[test]
fn nonsense_is_refused_without_panic() {
    for nonsense in [
        json!(null),
        json!(3),
        json!({ "config": 3 }),
        json!({ "class_name": "Sequential", "config": { "layers": [1, {}] } }),
    ] {
        assert!(model(&nonsense, None).is_err());
    }
}
