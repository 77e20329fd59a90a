//! VGG 11, 13, 16 and 19 as tables, each also with batch normalisation behind every convolution (`vgg16_bn`).
//! Source: Simonyan and Zisserman 2014, table 1 (A, B, D, E); torchvision/models/vgg.py; layer names as in Keras.

use crate::error::{Error, Result, unknown};
use crate::nn::architecture::{Architecture, Head, Layer, LayerKind};
use crate::nn::preprocessing::Preprocessing;
use crate::ops::conv2d::Padding;

/// The layer by whose name Keras' VGGs are known.
pub const FIRST_LAYER: &str = "block1_conv1";

/// Convolutions in each of the five blocks.
const DEPTHS: [(&str, [usize; 5]); 4] = [
    ("vgg11", [1, 1, 2, 2, 2]),
    ("vgg13", [2, 2, 2, 2, 2]),
    ("vgg16", [2, 2, 3, 3, 3]),
    ("vgg19", [2, 2, 4, 4, 4]),
];

/// Filters of each block's convolutions.
const WIDTHS: [usize; 5] = [64, 128, 256, 512, 512];

/// The smallest input that survives five poolings.
const SMALLEST: usize = 32;

/// What follows a depth's name where its convolutions are normalised.
const NORMALISED: &str = "_bn";

/// Names that [`with_head`] and [`with_top`] know.
pub fn names() -> Vec<String> {
    let plain = DEPTHS.iter().map(|(name, _)| (*name).to_owned());
    plain.clone().chain(plain.map(|name| name + NORMALISED)).collect()
}

/// What `model`'s public weights were trained with: those without normalisation are Keras', the others torchvision's.
pub fn preprocessing(model: &str) -> Preprocessing {
    if model.ends_with(NORMALISED) { Preprocessing::Torch } else { Preprocessing::Caffe }
}

/// A VGG base of `width` pixels square with a head of one's own.
///
/// # Errors
/// An unknown name, an input below 32 pixels, or a head that makes no sense.
pub fn with_head(
    model: &str,
    input: usize,
    preprocessing: Preprocessing,
    head: &Head,
) -> Result<Architecture> {
    Ok(Architecture::stack(model, layers(model, input)?, input, preprocessing, head.layers()?))
}

/// The layers of a VGG base as published.
///
/// # Errors
/// An unknown name, or an input below 32 pixels.
pub fn layers(model: &str, input: usize) -> Result<Vec<Layer>> {
    check_input(input)?;
    base(model, &WIDTHS)
}

/// A VGG as published, with its 1000-class top: flatten, fc1, fc2, predictions.
///
/// # Errors
/// An unknown name or an input below 32 pixels.
pub fn with_top(model: &str, input: usize, classes: usize) -> Result<Architecture> {
    let dense = |name: &str, units, relu| Layer::new(name, LayerKind::Dense { units, bias: true, relu });
    let top = vec![
        Layer::new("flatten", LayerKind::Flatten),
        dense("fc1", 4096, true),
        dense("fc2", 4096, true),
        dense("predictions", classes, false),
    ];
    Ok(Architecture::stack(model, layers(model, input)?, input, preprocessing(model), top))
}

/// The convolutions and poolings of `model`, with `widths` filters in each block: narrow ones make small test networks.
///
/// # Errors
/// An unknown name.
pub fn base(model: &str, widths: &[usize; 5]) -> Result<Vec<Layer>> {
    let name = model.to_lowercase();
    let (depth, normalised) = name.strip_suffix(NORMALISED).map_or((&name[..], false), |depth| (depth, true));
    let found = DEPTHS.iter().find(|(known, _)| *known == depth);
    let (_, depths) = found.ok_or_else(|| unknown("model", model, &names()))?;
    let mut layers = Vec::new();
    for (block, (&depth, &filters)) in (1..).zip(depths.iter().zip(widths)) {
        for i in 1..=depth {
            layers.push(Layer::new(format!("block{block}_conv{i}"), convolution(filters, !normalised)));
            if normalised {
                layers.push(Layer::new(format!("block{block}_bn{i}"), NORMALISATION));
            }
        }
        let pool = LayerKind::MaxPool2d { window: [2, 2], stride: [2, 2], padding: Padding::Valid };
        layers.push(Layer::new(format!("block{block}_pool"), pool));
    }
    Ok(layers)
}

/// torchvision's, whose momentum is the share of the new.
const NORMALISATION: LayerKind = LayerKind::BatchNorm { momentum: 0.9, epsilon: 1e-5, relu: true };

fn convolution(filters: usize, relu: bool) -> LayerKind {
    LayerKind::Conv2d { filters, kernel: [3, 3], stride: [1, 1], padding: Padding::Same, bias: true, relu }
}

fn check_input(input: usize) -> Result<()> {
    if input < SMALLEST {
        let what = format!("--input {input}: five poolings halve it five times, so give at least {SMALLEST}");
        return Err(Error::Usage(what));
    }
    Ok(())
}
