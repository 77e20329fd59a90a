//! Keras' files: legacy HDF5 of every generation, Keras 3 `.weights.h5`, and `.keras` archives.

mod archive;
mod config;
mod legacy;
mod names;
mod optimizer;
mod v3;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::Value;

use self::legacy::Found;
use super::hdf5::{Hdf5, Node, Tensor};
use super::window::Window;
use super::{Entry, Format, Optimizer, Source};
use crate::error::{Error, Result};

pub(super) use archive::open as open_archive;
pub use write::{
    Contents, State, archive as write_archive, legacy as write_legacy, slot_names, weights as write_weights,
};

/// An open Keras file of any layout.
pub struct Keras {
    path: PathBuf,
    format: Format,
    entries: Vec<Entry>,
    tensors: Vec<Tensor>,
    metadata: BTreeMap<String, String>,
    model_config: Option<Value>,
    training_config: Option<Value>,
    optimizer: Option<Optimizer>,
    slots: Vec<Tensor>,
}

/// JSON that came with the weights.
#[derive(Default)]
struct Beside {
    model: Option<Value>,
    training: Option<Value>,
}

impl Keras {
    /// Opens an HDF5 file that Keras wrote.
    ///
    /// # Errors
    /// It is corrupt, truncated, or holds no Keras weights.
    pub fn open(path: &Path) -> Result<Keras> {
        let window = File::open(path).and_then(Window::whole).map_err(Error::io("open", path))?;
        read(path, window, None)
    }
}

/// `beside` is given for the weights inside a `.keras`.
fn read(path: &Path, window: Window, beside: Option<Beside>) -> Result<Keras> {
    let hdf5 = Hdf5::open(path, window)?;
    let root = hdf5.root()?;
    let in_archive = beside.is_some();
    let mut metadata: BTreeMap<String, String> = root.texts()?.into_iter().collect();
    let beside = match beside {
        Some(beside) => beside,
        None => beside_of(path, &mut metadata)?,
    };
    let layers = beside.model.as_ref().map(config::layers).unwrap_or_default();
    let (format, found) = if v3::is_v3(&root)? {
        let format = if in_archive { Format::KerasArchive } else { Format::KerasWeights };
        (format, v3::read(&root, &layers)?)
    } else {
        read_legacy(path, &root, &layers, &mut metadata)?
    };
    if found.is_empty() {
        return Err(Error::weights(path, "holds no weights; give a file written after the model was built"));
    }
    let (entries, tensors): (Vec<Entry>, Vec<Tensor>) = found.into_iter().map(entry).unzip();
    let (optimizer, slots) = optimizer::read(&root, &entries, &layers, beside.training.as_ref())?.unzip();
    Ok(Keras {
        path: path.to_path_buf(),
        format,
        entries,
        tensors,
        metadata,
        model_config: beside.model,
        training_config: beside.training,
        optimizer,
        slots: slots.unwrap_or_default(),
    })
}

/// The configurations that a whole-model `.h5` keeps as attributes of its root.
fn beside_of(path: &Path, metadata: &mut BTreeMap<String, String>) -> Result<Beside> {
    let mut take = |key: &str| metadata.remove(key).map(|text| json(path, key, &text)).transpose();
    Ok(Beside { model: take("model_config")?, training: take("training_config")? })
}

fn json(path: &Path, name: &str, text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|e| {
        Error::weights(path, format!("'{name}' is no JSON ({e}); the file is damaged, get it again"))
    })
}

fn read_legacy(
    path: &Path,
    root: &Node<'_>,
    layers: &[config::Layer],
    metadata: &mut BTreeMap<String, String>,
) -> Result<(Format, Vec<Found>)> {
    let positions: HashMap<String, usize> =
        layers.iter().enumerate().map(|(i, layer)| (layer.name.clone(), i)).collect();
    // Some people's "weights" are whole models.
    match root.child("model_weights")? {
        Some(inner) => {
            metadata.extend(inner.texts()?);
            Ok((Format::KerasLegacyModel, legacy::read(path, &inner, &positions)?))
        }
        None => Ok((Format::KerasLegacyWeights, legacy::read(path, root, &positions)?)),
    }
}

fn entry(found: Found) -> (Entry, Tensor) {
    let Found { layer, parameter, tensor } = found;
    (tensor.entry(format!("{layer}/{parameter}")), tensor)
}

impl Source for Keras {
    fn path(&self) -> &Path {
        &self.path
    }

    fn format(&self) -> Format {
        self.format
    }

    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn read(&mut self, index: usize) -> Result<Vec<f32>> {
        match self.tensors.get(index) {
            Some(tensor) => tensor.read(),
            None => Err(super::out_of_range(&self.path, self.tensors.len(), index)),
        }
    }

    fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    fn model_config(&self) -> Option<&Value> {
        self.model_config.as_ref()
    }

    fn training_config(&self) -> Option<&Value> {
        self.training_config.as_ref()
    }

    fn optimizer(&self) -> Option<&Optimizer> {
        self.optimizer.as_ref()
    }

    fn read_slot(&mut self, index: usize) -> Result<Vec<f32>> {
        match self.slots.get(index) {
            Some(tensor) => tensor.read(),
            None => Err(super::out_of_range(&self.path, self.slots.len(), index)),
        }
    }
}
