//! Whole models from Keras files, as checkpoints.

use crate::error::{Error, Result};
use crate::nn::keras::{Model, model};
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
