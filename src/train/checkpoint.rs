//! One safetensors file that knows its architecture, classes, input size and preprocessing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::graph::{Param, Store};
use crate::nn::{Architecture, Freeze, Network};
use crate::weights::import::import;
use crate::weights::map::{By, Wanted};
use crate::weights::{self, Outgoing, Source, safetensors};

/// The key of the description in the file's metadata.
const KEY: &str = "frostline";

/// What a checkpoint says besides its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub architecture: Architecture,
    /// Names in the order of the logits.
    pub classes: Vec<String>,
    /// Epochs trained, and the metrics of the epoch that this is.
    pub epoch: usize,
    pub val_acc: Option<f64>,
    /// The version of the program that wrote it.
    pub version: String,
}

impl Checkpoint {
    pub fn new(architecture: &Architecture, classes: &[String]) -> Checkpoint {
        Checkpoint {
            architecture: architecture.clone(),
            classes: classes.to_vec(),
            epoch: 0,
            val_acc: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// The graph of this checkpoint, all of it trainable.
    ///
    /// # Errors
    /// An architecture whose layers do not fit together.
    pub fn network(&self) -> Result<Network> {
        Network::new(self.architecture.clone(), &Freeze::None, 0.0)
    }

    /// Writes all parameters from the store, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written, or a parameter is not a number (an older checkpoint then stays).
    pub fn save(&self, path: &Path, store: &Store) -> Result<()> {
        let network = self.network()?;
        let params = &network.graph.params;
        let tensors: Vec<Outgoing> =
            params.iter().map(|p| Outgoing::f32(p.name.clone(), p.spec.shape.dims())).collect();
        let about = serde_json::to_string(self).expect("plain data serialises");
        let metadata = BTreeMap::from([(KEY.to_owned(), about)]);
        safetensors::write(path, &metadata, &tensors, &mut |index| {
            let values = store.read(&params[index].name)?;
            if values.iter().all(|v| v.is_finite()) {
                return Ok(Cow::Owned(values));
            }
            Err(Error::Diverged(format!(
                "{} is no longer a number; lower the learning rate",
                params[index].name
            )))
        })
    }

    /// Reads the description of a checkpoint; [`Checkpoint::load`] reads the tensors.
    ///
    /// # Errors
    /// Not a file that Frostline wrote, damaged, or a newer kind.
    pub fn open(path: &Path) -> Result<(Checkpoint, Box<dyn Source>)> {
        let source = weights::open(path)?;
        let about = source.metadata().get(KEY).ok_or_else(|| {
            Error::weights(
                path,
                "holds weights but no Frostline checkpoint; pass it to 'train --weights' instead",
            )
        })?;
        let checkpoint = serde_json::from_str(about).map_err(|e| {
            Error::weights(
                path,
                format!("its description cannot be read ({e}); was it written by a newer version?"),
            )
        })?;
        Ok((checkpoint, source))
    }

    /// Puts all parameters into the store.
    ///
    /// # Errors
    /// A tensor is missing or has another shape than the architecture says.
    pub fn load(&self, source: &mut dyn Source, store: &mut Store) -> Result<()> {
        let params = self.network()?.graph.params;
        let wanted = |p: &Param| Wanted { name: p.name.clone(), shape: p.spec.shape.dims().to_vec() };
        let wanted: Vec<Wanted> = params.iter().map(wanted).collect();
        import(source, &wanted, By::Order, false, |index, values| store.write(&wanted[index].name, &values))?;
        Ok(())
    }
}
