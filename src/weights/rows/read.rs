//! Rows of a safetensors file, read where they lie.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::{ABOUT, CLASSES, Label};
use crate::error::{Error, Result};
use crate::weights::Source;
use crate::weights::safetensors::Safetensors;

/// An open table of rows.
pub struct Reader {
    file: Mutex<Safetensors>,
    /// The place of the features among the file's tensors.
    features: usize,
    /// Shape of one row.
    pub row: Vec<usize>,
    pub labels: Vec<Label>,
    pub classes: Vec<String>,
    /// What made the file, as [`super::Writer::finish`] was told.
    pub about: Value,
}

impl Reader {
    /// # Errors
    /// No safetensors file of rows, or a damaged one.
    pub fn open(path: &Path) -> Result<Reader> {
        let bad = |what: &str| Error::weights(path, format!("{what}; write it with 'frostline features'"));
        let mut file = Safetensors::open(path)?;
        let about = file.metadata().get(ABOUT).ok_or_else(|| bad("is no file of features"))?;
        let about = serde_json::from_str(about).map_err(|_| bad("has a description that cannot be read"))?;
        let classes = file.metadata().get(CLASSES).and_then(|text| serde_json::from_str(text).ok());
        let classes: Vec<String> = classes.ok_or_else(|| bad("does not name its classes"))?;
        let place = |name: &str| file.entries().iter().position(|entry| entry.name == name);
        let places = [place("features"), place("labels"), place("validates")];
        let [Some(features), Some(ids), Some(validates)] = places else { return Err(bad("is damaged")) };
        let row = match file.entries()[features].shape.split_first() {
            Some((n, row)) if [ids, validates].iter().all(|&i| file.entries()[i].shape == [*n]) => {
                row.to_vec()
            }
            _ => return Err(bad("is damaged")),
        };
        let (ids, validates) = (file.read(ids)?, file.read(validates)?);
        if ids.iter().any(|&id| !(0.0..classes.len() as f32).contains(&id)) {
            return Err(bad("has labels that name no class"));
        }
        let label = |(&id, &v): (&f32, &f32)| Label { class: id as u32, validates: v != 0.0 };
        let labels = ids.iter().zip(&validates).map(label).collect();
        Ok(Reader { file: Mutex::new(file), features, row, labels, classes, about })
    }

    /// Numbers of one row.
    pub fn width(&self) -> usize {
        self.row.iter().product()
    }

    /// Row `index` into `out`.
    ///
    /// # Errors
    /// The file has become shorter or cannot be read.
    pub fn read(&self, index: usize, out: &mut [f32]) -> Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.read_part(self.features, index * self.width(), out)
    }
}
