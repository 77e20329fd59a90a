//! Whole models from Keras files, as checkpoints: their architecture, and their optimizer as a rule.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::nn::keras::{Model, model};
use crate::optim::keras::{Described, from_config};
use crate::weights::Source;

/// The model whose configuration `source` holds; `None` where it holds weights alone. `input` as in [`model`].
///
/// # Errors
/// A model that cannot be rebuilt here; the message names the layer.
pub fn read(source: &dyn Source, input: Option<usize>) -> Result<Option<Model>> {
    let refuse = |what: String| {
        let advice = "its weights can still be used with 'train --weights', or written with 'convert'";
        Error::weights(source.path(), format!("this model cannot be rebuilt: {what}; {advice}"))
    };
    source.model_config().map(|config| model(config, input).map_err(refuse)).transpose()
}

/// How Keras had the model compiled: the optimizer, and what its loss does to the labels.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub described: Described,
    pub smoothing: f32,
}

/// `None` where the file does not say how the model was compiled.
///
/// # Errors
/// An optimizer or a loss that does not exist here.
pub fn compiled(source: &dyn Source) -> Result<Option<Compiled>> {
    let Some(training) = source.training_config() else { return Ok(None) };
    let refuse = |what: String| Error::weights(source.path(), format!("cannot train on as it did: {what}"));
    // `.keras` calls it `optimizer`, `.h5` calls it `optimizer_config`.
    let optimizer = training.get("optimizer").or(training.get("optimizer_config"));
    let Some(class) = optimizer.and_then(|optimizer| optimizer["class_name"].as_str()) else {
        return Ok(None);
    };
    let described = from_config(class, &optimizer.unwrap_or(&Value::Null)["config"]).map_err(refuse)?;
    Ok(Some(Compiled { described, smoothing: smoothing(&training["loss"]).map_err(refuse)? }))
}

/// The label smoothing of a categorical cross-entropy, by name or as an object.
fn smoothing(loss: &Value) -> Result<f32, String> {
    let name =
        loss.as_str().or(loss["class_name"].as_str()).or(loss["config"]["name"].as_str()).unwrap_or_default();
    let plain = name.replace('_', "").to_lowercase();
    match plain.as_str() {
        "" | "categoricalcrossentropy" | "sparsecategoricalcrossentropy" => {
            Ok(loss["config"]["label_smoothing"].as_f64().unwrap_or(0.0) as f32)
        }
        _ => Err(format!("loss {name} does not exist here (there is categorical_crossentropy)")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn losses_by_name_and_as_objects() {
        assert_eq!(smoothing(&json!("categorical_crossentropy")), Ok(0.0));
        let object =
            json!({ "class_name": "CategoricalCrossentropy", "config": { "label_smoothing": 0.125 } });
        assert_eq!(smoothing(&object), Ok(0.125));
        assert_eq!(smoothing(&Value::Null), Ok(0.0));
        assert!(smoothing(&json!("mse")).unwrap_err().contains("mse"));
    }
}
