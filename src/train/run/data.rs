//! What a run trains on: the images of a folder, or a file of features.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::folder::{self, Dataset};
use crate::data::resize::Filter;
use crate::error::{Error, Result};
use crate::train::features::file::FeatureFile;
use crate::train::samples::Samples;

/// What was opened.
pub enum Data {
    Images(Dataset),
    Features(FeatureFile),
}

impl Data {
    /// The images, for what cannot do without them.
    ///
    /// # Errors
    /// A file of features, which holds none.
    pub fn images(&self) -> Result<&Dataset> {
        match self {
            Data::Images(images) => Ok(images),
            Data::Features(_) => Err(Error::Usage(
                "this needs images, and DATA is a file of features; give the folder that they were made of"
                    .into(),
            )),
        }
    }
}

/// Which images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataSettings {
    pub path: PathBuf,
    pub val_fraction: f64,
    /// The most images of each split.
    pub limit: Option<usize>,
    /// How training images come to the input's size.
    pub resize: Filter,
    pub strict: bool,
    /// Of a file of features: the layer whose results its rows are.
    #[serde(default)]
    pub layer: Option<String>,
    /// Names in the order of the logits.
    pub classes: Vec<String>,
    /// Numbers of images.
    pub train: usize,
    pub val: usize,
}

impl DataSettings {
    /// Opens a folder or a file of features; classes and numbers are what is found there.
    ///
    /// # Errors
    /// As [`Dataset::open`] and [`FeatureFile::open`].
    pub fn open(
        path: &Path,
        options: &folder::Options,
        limit: Option<usize>,
    ) -> Result<(DataSettings, Data)> {
        let data = match FeatureFile::meant(path, limit)? {
            Some(file) => Data::Features(file),
            None => Data::Images(Dataset::open(path, options)?.limited(limit)),
        };
        let (layer, classes, train, val) = match &data {
            Data::Images(images) => (None, &images.classes[..], images.train.len(), images.val.len()),
            Data::Features(file) => {
                let rows = |validates| file.part(validates, 1).len();
                (Some(file.layer().to_owned()), file.classes(), rows(false), rows(true))
            }
        };
        let settings = DataSettings {
            path: path.canonicalize().map_err(Error::io("find", path))?,
            val_fraction: options.val_fraction,
            limit,
            resize: Filter::default(),
            strict: options.strict,
            layer,
            classes: classes.to_vec(),
            train,
            val,
        };
        Ok((settings, data))
    }

    /// Opens the same data again.
    ///
    /// # Errors
    /// As [`Dataset::open`]; or the folder has changed since.
    pub fn reopen(&self, seed: u64) -> Result<Data> {
        let options = folder::Options { val_fraction: self.val_fraction, seed, strict: self.strict };
        let (found, data) = DataSettings::open(&self.path, &options, self.limit)?;
        if (DataSettings { resize: self.resize, layer: self.layer.clone(), ..found.clone() }) == *self {
            return Ok(data);
        }
        let what = format!(
            "has changed since the run began: {} classes and {} + {} images, then {} and {} + {}; a run goes on only \
             with the same images. Train anew with --from its best.safetensors",
            found.classes.len(),
            found.train,
            found.val,
            self.classes.len(),
            self.train,
            self.val
        );
        Err(Error::data(&self.path, what))
    }
}
