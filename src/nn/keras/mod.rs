//! Keras' model configurations: `config.json` of a `.keras`, `model_config` of a whole-model `.h5`, and back.

mod chain;
mod layer;
mod write;

use serde_json::Value;

use self::chain::Chain;
use self::layer::{Found, Part};
use crate::nn::architecture::{Architecture, Layer, LayerKind};
use crate::nn::freeze::Freeze;
use crate::nn::preprocessing::Preprocessing;
use crate::nn::vgg;

pub use write::config;

/// A model read from its configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Nested models are flattened; a last softmax is left to the loss.
    pub architecture: Architecture,
    /// What the file says is frozen, up to the last layer of the base that is.
    pub freeze: Freeze,
}

/// Rebuilds the model of `config`, a Sequential or Functional chain of the layers that exist here, nested models
/// included. `input` is the side in pixels where the configuration leaves it open. The base ends where feature maps
/// become a vector. Keras does not say how pixels are prepared: VGG's names mean caffe, others a division by 255.
///
/// # Errors
/// In words that name the layer: a layer, an activation or an option that does not exist here, a model that branches, or
/// an input that is no square of RGB pixels.
///
/// Source: keras/src/models/{functional,sequential}.py, `get_config`; keras/src/layers.
pub fn model(config: &Value, input: Option<usize>) -> Result<Model, String> {
    let chain = Chain::of(config)?;
    let (layers, frozen) = layers(&chain)?;
    let base = layers.iter().position(gives_vector).unwrap_or(layers.len() - 1);
    let last_frozen = frozen[..base].iter().rposition(|&frozen| frozen);
    let vgg = layers.iter().any(|layer| layer.name == vgg::FIRST_LAYER);
    let architecture = Architecture {
        model: chain.name,
        input: side(chain.input, input)?,
        preprocessing: if vgg { Preprocessing::Caffe } else { Preprocessing::Rescale },
        layers,
        base,
    };
    let freeze = match last_frozen {
        Some(last) if last + 1 == base => Freeze::All,
        Some(last) => Freeze::Until(architecture.layers[last].name.clone()),
        None => Freeze::None,
    };
    Ok(Model { architecture, freeze })
}

fn gives_vector(layer: &Layer) -> bool {
    matches!(layer.kind, LayerKind::Flatten | LayerKind::GlobalAveragePool)
}

/// The chain as layers of this house, and which of them the file says are frozen. ReLU layers join the layer before them.
fn layers(chain: &Chain) -> Result<(Vec<Layer>, Vec<bool>), String> {
    let (mut layers, mut frozen): (Vec<Layer>, Vec<bool>) = (Vec::new(), Vec::new());
    let mut ended = None;
    for link in &chain.links {
        if let Some(softmax) = &ended {
            return Err(format!("'{softmax}' gives probabilities, but '{}' comes after it", link.name));
        }
        let Found { part, softmax } = layer::read(link, layers.iter().any(gives_vector))?;
        match part {
            Part::Layer(kind) => {
                layers.push(Layer::new(link.name.as_str(), kind));
                frozen.push(!link.trainable);
            }
            Part::Relu => join_relu(&mut layers, &link.name)?,
            Part::Nothing => {}
        }
        ended = softmax.then(|| link.name.clone());
    }
    match layers.last() {
        Some(Layer { kind: LayerKind::Dense { relu: false, .. }, .. }) => Ok((layers, frozen)),
        Some(last) => Err(format!("the last layer is '{}', expected a dense layer with softmax", last.name)),
        None => Err("the model has no layers".to_owned()),
    }
}

/// ReLU is part of the layer before it here.
fn join_relu(layers: &mut [Layer], name: &str) -> Result<(), String> {
    match layers.last_mut().map(|layer| &mut layer.kind) {
        Some(
            LayerKind::Conv2d { relu, .. }
            | LayerKind::Dense { relu, .. }
            | LayerKind::BatchNorm { relu, .. },
        ) => {
            *relu = true;
            Ok(())
        }
        _ => Err(format!(
            "ReLU layer '{name}' must come right after a Conv2D, Dense or BatchNormalization layer"
        )),
    }
}

/// (height, width) from a batch shape `[null, h, w, 3]`.
fn side(shape: Option<Value>, asked: Option<usize>) -> Result<[usize; 2], String> {
    let shape = shape.ok_or("the model states no input shape; build it in Keras and save it again")?;
    let dims = shape.as_array().map(Vec::as_slice).unwrap_or_default();
    let [_, h, w, channels] = dims else {
        return Err(format!("the input is {shape}, expected [null, height, width, 3]"));
    };
    if channels.as_u64() != Some(3) {
        return Err(format!("the input {shape} has {channels} channels, expected the 3 of RGB"));
    }
    let side = |dim: &Value| match (dim.as_u64(), asked) {
        (Some(known), Some(asked)) if known != asked as u64 => {
            Err(format!("the model takes {known} pixels, not the {asked} of --input"))
        }
        (Some(known), _) => Ok(known as usize),
        (None, Some(asked)) => Ok(asked),
        (None, None) => Err("the model takes images of any size; say which with --input".to_owned()),
    };
    let input = [side(h)?, side(w)?];
    match input[0] == input[1] {
        true => Ok(input),
        false => Err(format!("the input is {} by {} pixels; only squares are supported", input[0], input[1])),
    }
}

#[cfg(test)]
mod tests;
