//! How a model is compiled, in Keras' word: its optimizer as a rule, and what its loss does to the labels.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::optim::keras::{Described, from_config, to_config};
use crate::weights::Source;

/// The learning rate of most of Keras' optimizers, for a file that states none.
const KERAS_RATE: f32 = 0.001;

/// How Keras had the model compiled: the optimizer, and what its loss does to the labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compiled {
    pub described: Described,
    pub smoothing: f32,
}

impl Compiled {
    /// Keras' `compile_config`: what `model.compile` was told.
    ///
    /// Source: keras/src/trainers/trainer.py, `get_compile_config`.
    pub fn config(&self) -> Value {
        let Described { optimizer, learning_rate } = &self.described;
        json!({
            "optimizer": to_config(optimizer.rule().as_ref(), learning_rate.unwrap_or(KERAS_RATE)),
            "loss": {
                "module": "keras.losses",
                "class_name": "CategoricalCrossentropy",
                "config": { "name": "categorical_crossentropy", "reduction": "sum_over_batch_size",
                    "from_logits": false, "label_smoothing": self.smoothing, "axis": -1 },
                "registered_name": null,
            },
            "loss_weights": null,
            "metrics": ["accuracy"],
            "weighted_metrics": null,
            "run_eagerly": false,
            "steps_per_execution": 1,
            "jit_compile": false,
        })
    }
}

/// What a Keras file says; `None` where it does not say how the model was compiled.
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
