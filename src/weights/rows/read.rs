//! Rows of a file, read where they lie.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::Label;
use super::table::{Place, Table, bad};
use crate::error::{Error, Result};

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
    /// No file of rows, or a damaged one.
    pub fn open(path: &Path) -> Result<Reader> {
        let Table { features, labels, validates, classes, about } = Table::of(path)?;
        let (n, row) = features.shape.split_first().ok_or_else(|| bad(path, "is damaged"))?;
        if [&labels.shape, &validates.shape].iter().any(|shape| shape[..] != [*n]) {
            return Err(bad(path, "is damaged"));
        }
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let mut column = |place: &Place| -> Result<Vec<i64>> {
            let mut values = vec![0i64; *n];
            file.seek(SeekFrom::Start(place.start)).map_err(Error::io("read", path))?;
            file.read_exact(bytemuck::cast_slice_mut(&mut values)).map_err(Error::io("read", path))?;
            Ok(values)
        };
        let (ids, validates) = (column(&labels)?, column(&validates)?);
        if ids.iter().any(|&id| id < 0 || id >= classes.len() as i64) {
            return Err(bad(path, "has labels that name no class"));
        }
        let label = |(&id, &v): (&i64, &i64)| Label { class: id as u32, validates: v != 0 };
        Ok(Reader {
            path: path.to_path_buf(),
            start: features.start,
            row: row.to_vec(),
            labels: ids.iter().zip(&validates).map(label).collect(),
            classes,
            about,
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
