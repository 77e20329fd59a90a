//! Where a file keeps its arrays, in each of the formats.

use std::fs::File;
use std::path::Path;

use serde_json::Value;

use super::{ABOUT, CLASSES, Format, WORDS};
use crate::error::{Error, Result};
use crate::weights::hdf5::Hdf5;
use crate::weights::safetensors::Safetensors;
use crate::weights::window::Window;
use crate::weights::zipped::Zipped;
use crate::weights::{Dtype, Source, npz};

/// What a file of rows holds.
pub(super) struct Table {
    /// (n, ...) f32
    pub features: Place,
    /// (n) i64
    pub labels: Place,
    /// (n) i64
    pub validates: Place,
    pub classes: Vec<String>,
    pub about: Value,
}

/// Where an array lies in the file: all of it, in one piece, and with the lowest byte of each number first.
pub(super) struct Place {
    pub start: u64,
    pub shape: Vec<usize>,
}

/// What is wrong with a file, and the way out.
pub(super) fn bad(path: &Path, what: &str) -> Error {
    Error::weights(path, format!("{what}; write it with 'frostline features'"))
}

const NO_FEATURES: &str = "is no file of features";
const NO_CLASSES: &str = "does not name its classes";
const DAMAGED: &str = "is damaged";

impl Table {
    /// # Errors
    /// No file of rows, or a damaged one.
    pub fn of(path: &Path) -> Result<Table> {
        match Format::of(path)? {
            Format::Safetensors => safetensors(path),
            Format::Hdf5 => hdf5(path),
            Format::Npz => numpy(path),
        }
    }

    /// From where each array lies, or why it cannot be read there.
    fn new(
        mut place: impl FnMut(&str, Dtype) -> Result<Place>,
        classes: Vec<String>,
        about: Value,
    ) -> Result<Table> {
        Ok(Table {
            features: place("features", Dtype::F32)?,
            labels: place("labels", Dtype::I64)?,
            validates: place("validates", Dtype::I64)?,
            classes,
            about,
        })
    }
}

fn description(path: &Path, text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|_| bad(path, "has a description that cannot be read"))
}

fn safetensors(path: &Path) -> Result<Table> {
    let file = Safetensors::open(path)?;
    let about = file.metadata().get(ABOUT).ok_or_else(|| bad(path, NO_FEATURES))?;
    let classes = file.metadata().get(CLASSES).and_then(|text| serde_json::from_str(text).ok());
    let place = |name: &str, dtype: Dtype| {
        let found = file.in_place(name).filter(|(_, entry)| entry.dtype == dtype);
        let (start, entry) = found.ok_or_else(|| bad(path, DAMAGED))?;
        Ok(Place { start, shape: entry.shape.clone() })
    };
    Table::new(place, classes.ok_or_else(|| bad(path, NO_CLASSES))?, description(path, about)?)
}

fn hdf5(path: &Path) -> Result<Table> {
    let window = File::open(path).and_then(Window::whole).map_err(Error::io("open", path))?;
    let hdf5 = Hdf5::open(path, window)?;
    let root = hdf5.root()?;
    let about = root.text(ABOUT)?.ok_or_else(|| bad(path, NO_FEATURES))?;
    let classes = root.list(CLASSES)?.ok_or_else(|| bad(path, NO_CLASSES))?;
    let place = |name: &str, dtype: Dtype| {
        let tensor = root.tensor(name)?;
        let start = tensor.in_place().filter(|_| tensor.dtype == dtype);
        let start = start.ok_or_else(|| bad(path, DAMAGED))?;
        Ok(Place { start, shape: tensor.shape })
    };
    Table::new(place, classes, description(path, &about)?)
}

fn numpy(path: &Path) -> Result<Table> {
    let mut zip = Zipped::open(path)?;
    let words = zip.find(WORDS).ok_or_else(|| bad(path, NO_FEATURES))?;
    let words = description(path, &zip.text(words)?)?;
    let classes = serde_json::from_value(words[CLASSES].clone()).map_err(|_| bad(path, NO_CLASSES))?;
    let place = |name: &str, dtype: Dtype| {
        let found = npz::in_place(path, &mut zip, name)?.filter(|(_, entry)| entry.dtype == dtype);
        let (start, entry) = found.ok_or_else(|| bad(path, DAMAGED))?;
        Ok(Place { start, shape: entry.shape })
    };
    Table::new(place, classes, words[ABOUT].clone())
}
