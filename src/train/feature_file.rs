//! Features in a file: what a prefix makes of a folder of images, written once and trained on later.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::graph::cut::split_after;
use crate::nn::{Architecture, Freeze, Head, Network, Pool};
use crate::train::features::Extractor;
use crate::train::interrupt;
use crate::train::samples::{Minibatch, Minibatches, Samples, Values};
use crate::weights::rows::{Label, Reader, Writer};

/// What made a file of features. It stands in the file, so that a head trained on it becomes a whole model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The base up to the layer whose results these are, with any head on it.
    pub architecture: Architecture,
    /// Maps were averaged over their pixels.
    pub pooled: bool,
    /// The base's weights; `None` for random ones under `seed`.
    pub weights: Option<PathBuf>,
    pub seed: u64,
    /// The version of the program that wrote it.
    pub version: String,
}

impl Origin {
    pub fn new(architecture: &Architecture, pooled: bool, weights: Option<&Path>, seed: u64) -> Origin {
        Origin {
            architecture: architecture.clone(),
            pooled,
            weights: weights.map(Path::to_path_buf),
            seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// The whole model of a `head` on these features: pooled ones are pooled in the model too.
    ///
    /// # Errors
    /// A head that makes no sense.
    pub fn with_head(&self, head: &Head) -> Result<Architecture> {
        let pool = if self.pooled { Pool::Avg } else { head.pool };
        let last = &self.architecture.layers[self.architecture.base - 1].name;
        self.architecture.ending_at(last, &Head { pool, ..head.clone() })
    }
}

/// Streams the features of both splits to `path`, a batch at a time. `progress` sees the number of images done. Gives
/// the number of rows, which unreadable images lack.
///
/// # Errors
/// No image is readable, the device is lost, the disk is full, or Ctrl-C: then nothing is left behind.
pub fn write(
    path: &Path,
    (train, val): (&dyn Samples, &dyn Samples),
    extractor: &mut Extractor,
    classes: &[String],
    origin: &Origin,
    mut progress: impl FnMut(usize),
) -> Result<usize> {
    let mut writer = Writer::new(path, &extractor.shape)?;
    for (samples, validates) in [(train, false), (val, true)] {
        for minibatch in samples.in_order()? {
            let minibatch = minibatch?;
            let features = extractor.run(minibatch.bytes(), minibatch.len())?;
            let labels = minibatch.labels.iter().map(|&class| Label { class, validates });
            writer.push(&features, labels)?;
            progress(writer.rows());
            if interrupt::asked() {
                return Err(Error::Interrupted(format!("stopped; {} was not written", path.display())));
            }
        }
    }
    let rows = writer.rows();
    writer.finish(classes, &serde_json::to_value(origin).expect("plain data serialises"))?;
    Ok(rows)
}

/// An open file of features.
pub struct FeatureFile {
    reader: Reader,
    pub origin: Origin,
}

impl FeatureFile {
    /// Whether `path` is meant as a file of features and not as a folder of images.
    pub fn is_meant(path: &Path) -> bool {
        path.is_file() && path.extension().is_some_and(|e| e == "safetensors" || e == "h5" || e == "npz")
    }

    /// # Errors
    /// No file of features, a damaged one, or one that a newer version wrote.
    pub fn open(path: &Path) -> Result<FeatureFile> {
        if path.extension().is_some_and(|e| e != "safetensors") {
            let what = "is for other programs; a head trains on features written as .safetensors";
            return Err(Error::weights(path, what));
        }
        let reader = Reader::open(path)?;
        let origin = serde_json::from_value(reader.about.clone()).map_err(|e| {
            Error::weights(
                path,
                format!("its origin cannot be read ({e}); was it written by a newer version?"),
            )
        })?;
        Ok(FeatureFile { reader, origin })
    }

    pub fn classes(&self) -> &[String] {
        &self.reader.classes
    }

    /// The whole model of a `head` on these features, its base frozen; and the part above the features, which trains.
    ///
    /// # Errors
    /// A head that makes no sense, or does not fit.
    pub fn network(&self, head: &Head) -> Result<(Network, Graph)> {
        let network = Network::new(self.origin.with_head(head)?, &Freeze::All, 0.0)?;
        // Pooled, the first layer of the head belongs to the features.
        let last = network.architecture.base - 1 + usize::from(self.origin.pooled);
        let name = &network.architecture.layers[last].name;
        let rest = split_after(&network.graph, name).expect("a layer of this network").rest;
        Ok((network, rest))
    }

    /// The rows that train or that validate, in batches of `batch`; read from the file as they are asked for.
    pub fn part(&self, validates: bool, batch: usize) -> FileSamples<'_> {
        let rows = (0u32..).zip(&self.reader.labels).filter(|(_, label)| label.validates == validates);
        FileSamples { reader: &self.reader, rows: rows.map(|(row, _)| row).collect(), batch: batch.max(1) }
    }
}

/// Rows of a file of features.
pub struct FileSamples<'a> {
    reader: &'a Reader,
    /// Places in the file.
    rows: Vec<u32>,
    batch: usize,
}

impl FileSamples<'_> {
    fn minibatch(&self, indices: &[u32]) -> Result<Minibatch> {
        let width = self.reader.width();
        let mut values = vec![0f32; indices.len() * width];
        let row = |&i: &u32| self.rows[i as usize] as usize;
        for (index, out) in indices.iter().zip(values.chunks_exact_mut(width)) {
            self.reader.read(row(index), out)?;
        }
        let labels = indices.iter().map(|index| self.reader.labels[row(index)].class).collect();
        Ok(Minibatch { values: Values::Features(values), labels, indices: indices.to_vec() })
    }
}

impl Samples for FileSamples<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn class(&self, index: u32) -> u32 {
        self.reader.labels[self.rows[index as usize] as usize].class
    }

    fn batches(&self, order: Vec<u32>) -> Result<Minibatches<'_>> {
        let starts = (0..order.len()).step_by(self.batch);
        Ok(Box::new(
            starts.map(move |start| self.minibatch(&order[start..(start + self.batch).min(order.len())])),
        ))
    }
}
