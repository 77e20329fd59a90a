//! How a saved run was trained, in its checkpoint: with the optimizer's tensors it is what Keras needs to go on.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::nn::Freeze;
use crate::train::keras::compiled::Compiled;
use crate::weights::Source;

/// The key in a checkpoint's metadata.
pub const KEY: &str = "frostline.trained";

/// See the module's first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// The learning rate is that of the next step; of the latest where the stage is complete.
    pub compiled: Compiled,
    pub freeze: Freeze,
    /// Steps that the optimizer has taken.
    pub iteration: u32,
    /// What the run does besides, for which a Keras file has no place, in words.
    #[serde(default)]
    pub besides: Vec<String>,
}

impl Trained {
    /// What an open checkpoint says; `None` where it is of no run.
    ///
    /// # Errors
    /// It was written by a newer version.
    pub fn read(source: &dyn Source) -> Result<Option<Trained>> {
        let Some(text) = source.metadata().get(KEY) else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|e| {
            let what = format!("how it was trained cannot be read ({e}); was it written by a newer version?");
            Error::weights(source.path(), what)
        })
    }

    /// As it stands in a checkpoint.
    pub fn about(&self) -> String {
        serde_json::to_string(self).expect("plain data serialises")
    }
}
