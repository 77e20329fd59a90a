//! Rows of a safetensors file, read where they lie.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::{ABOUT, CLASSES, Label};
use crate::error::{Error, Result};

/// Headers are some hundred bytes and the names of the classes.
const LARGEST_HEADER: u64 = 64 << 20;

/// An open table of rows.
pub struct Reader {
    path: PathBuf,
    file: Mutex<File>,
    /// Where the first row begins.
    start: u64,
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
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let total = file.metadata().map_err(Error::io("read", path))?.len();
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(Error::io("read", path))?;
        let size = u64::from_le_bytes(size);
        if size > LARGEST_HEADER.min(total.saturating_sub(8)) {
            return Err(bad("is no safetensors file"));
        }
        let mut header = vec![0; size as usize];
        file.read_exact(&mut header).map_err(Error::io("read", path))?;
        let header: Value = serde_json::from_slice(&header).map_err(|_| bad("is no safetensors file"))?;
        let about = text(&header, ABOUT).ok_or_else(|| bad("is no file of features"))?;
        let classes = text(&header, CLASSES).and_then(|text| serde_json::from_str(text).ok());
        let classes: Vec<String> = classes.ok_or_else(|| bad("does not name its classes"))?;
        let tensor = |name: &str| Place::of(&header, name, 8 + size, total).ok_or_else(|| bad("is damaged"));
        let (features, labels, validates) = (tensor("features")?, tensor("labels")?, tensor("validates")?);
        let n = features.shape[0];
        let numbers = features.shape.iter().try_fold(4u64, |all, &d| all.checked_mul(d as u64));
        let whole = numbers == Some(features.bytes) && [labels.bytes, validates.bytes] == [8 * n as u64; 2];
        if !whole {
            return Err(bad("is damaged"));
        }
        let mut column = |place: &Place| -> Result<Vec<i64>> {
            let mut values = vec![0i64; n];
            file.seek(SeekFrom::Start(place.start)).map_err(Error::io("read", path))?;
            file.read_exact(bytemuck::cast_slice_mut(&mut values)).map_err(Error::io("read", path))?;
            Ok(values)
        };
        let (ids, validates) = (column(&labels)?, column(&validates)?);
        if ids.iter().any(|&id| id < 0 || id >= classes.len() as i64) {
            return Err(bad("has labels that name no class"));
        }
        let label = |(&id, &v): (&i64, &i64)| Label { class: id as u32, validates: v != 0 };
        Ok(Reader {
            path: path.to_path_buf(),
            start: features.start,
            row: features.shape[1..].to_vec(),
            labels: ids.iter().zip(&validates).map(label).collect(),
            classes,
            about: serde_json::from_str(about).map_err(|_| bad("has a description that cannot be read"))?,
            file: Mutex::new(file),
        })
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
        let at = self.start + index as u64 * self.width() as u64 * 4;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(at)).map_err(Error::io("read", &self.path))?;
        file.read_exact(bytemuck::cast_slice_mut(out)).map_err(Error::io("read", &self.path))
    }
}

fn text<'h>(header: &'h Value, key: &str) -> Option<&'h str> {
    header.get("__metadata__")?.get(key)?.as_str()
}

/// Where a tensor lies in the file.
struct Place {
    start: u64,
    bytes: u64,
    shape: Vec<usize>,
}

impl Place {
    fn of(header: &Value, name: &str, data: u64, total: u64) -> Option<Place> {
        let entry = header.get(name)?;
        let shape = entry.get("shape")?.as_array()?.iter().map(|d| d.as_u64().map(|d| d as usize));
        let shape = shape.collect::<Option<Vec<usize>>>().filter(|shape| !shape.is_empty())?;
        let offset = |i: usize| entry.get("data_offsets")?.get(i)?.as_u64();
        let (first, last) = (offset(0)?, offset(1)?);
        let inside = first <= last && data.checked_add(last)? <= total;
        inside.then_some(Place { start: data + first, bytes: last - first, shape })
    }
}
