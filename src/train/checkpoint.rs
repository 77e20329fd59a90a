//! One safetensors file that knows its architecture, classes, input size and preprocessing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::graph::{Param, Store};
use crate::nn::{Architecture, Freeze, LayerKind, Network};
use crate::train::keras_model;
use crate::weights::import::import;
use crate::weights::map::{By, Wanted};
use crate::weights::{self, Outgoing, Source, safetensors};

/// The key of the description in the file's metadata.
pub const KEY: &str = "frostline";
/// What stands before the names of an optimizer's tensors.
pub const OPTIMIZER: &str = "optimizer/";

/// What a checkpoint says besides its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub architecture: Architecture,
    /// Names in the order of the logits; empty where the file does not say.
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

    /// Names of the classes, or their numbers where the file does not name them.
    pub fn class_names(&self) -> Vec<String> {
        let units = match self.architecture.layers.last().map(|layer| &layer.kind) {
            Some(LayerKind::Dense { units, .. }) if self.classes.is_empty() => *units,
            _ => return self.classes.clone(),
        };
        (0..units).map(|class| class.to_string()).collect()
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
        let metadata = BTreeMap::from([(KEY.to_owned(), self.about())]);
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
        Ok((Checkpoint::of(source.as_ref())?, source))
    }

    /// The description in an open file: Frostline's own, or a whole model of Keras, whose classes have no names.
    ///
    /// # Errors
    /// The file holds weights alone, a newer kind, or a model that cannot be rebuilt here.
    pub fn of(source: &dyn Source) -> Result<Checkpoint> {
        let refuse = |what: String| Error::weights(source.path(), what);
        if let Some(about) = source.metadata().get(KEY) {
            return serde_json::from_str(about).map_err(|e| {
                refuse(format!("its description cannot be read ({e}); was it written by a newer version?"))
            });
        }
        match keras_model::read(source, None)? {
            Some(model) => Ok(Checkpoint::new(&model.architecture, &[])),
            None => {
                Err(refuse("holds weights but no model; pass it to 'train --weights' instead".to_owned()))
            }
        }
    }

    /// The description as it stands in a file.
    pub fn about(&self) -> String {
        serde_json::to_string(self).expect("plain data serialises")
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
