//! Features in a file: what a prefix makes of a folder of images, written once and trained on later.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::data::split;
use crate::error::{Error, Result};
use crate::nn::{Architecture, Layer, Pool};
use crate::ops::Precision;
use crate::train::features::Extractor;
use crate::train::interrupt;
use crate::train::pretrained::Pretrained;
use crate::train::pretrained::Start;
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
    pub weights: Option<Pretrained>,
    pub seed: u64,
    /// In which the base ran.
    #[serde(default)]
    pub precision: Precision,
    /// The version of the program that wrote it.
    pub version: String,
}

impl Origin {
    /// Of maps in f32 under random weights of seed 0.
    pub fn new(architecture: &Architecture) -> Origin {
        Origin {
            architecture: architecture.clone(),
            pooled: false,
            weights: None,
            seed: 0,
            precision: Precision::F32,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// The base's first weights, which a checkpoint of the whole model holds too.
    ///
    /// # Errors
    /// The file is where it was no longer.
    pub fn start(&self) -> Result<Start> {
        let Some(weights) = &self.weights else { return Ok(Start::Random) };
        let path = weights.path.canonicalize();
        let path = path.map_err(Error::io("find the weights of these features in", &weights.path))?;
        Ok(Start::Weights(Pretrained { path, ..weights.clone() }))
    }

    /// How a head on these features pools, where it would rather do as `asked`.
    pub fn pool(&self, asked: Pool) -> Pool {
        if self.pooled { Pool::Avg } else { asked }
    }

    /// The whole model of a `head` on these features. What pooled them is the first layer of the head.
    pub fn with_head(&self, head: Vec<Layer>) -> Architecture {
        let base = self.architecture.layers[..self.architecture.base].iter().cloned();
        Architecture { layers: base.chain(head).collect(), ..self.architecture.clone() }
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
    reader: Arc<Reader>,
    pub origin: Origin,
    /// The most rows that train, and as many that validate.
    limit: usize,
}

impl FeatureFile {
    /// Opens `path` if it is meant as a file of features and not as a folder of images; at most `limit` rows of each
    /// part are taken, one of each class in turn.
    ///
    /// # Errors
    /// As [`FeatureFile::open`].
    pub fn meant(path: &Path, limit: Option<usize>) -> Result<Option<FeatureFile>> {
        let named =
            path.extension().is_some_and(|e| ["safetensors", "h5", "hdf5", "npz"].iter().any(|n| e == *n));
        let open = || Ok(FeatureFile { limit: limit.unwrap_or(usize::MAX), ..FeatureFile::open(path)? });
        (named && path.is_file()).then(open).transpose()
    }

    /// # Errors
    /// No file of features, a damaged one, or one that a newer version wrote.
    pub fn open(path: &Path) -> Result<FeatureFile> {
        let reader = Arc::new(Reader::open(path)?);
        let origin = serde_json::from_value(reader.about.clone()).map_err(|e| {
            Error::weights(
                path,
                format!("its origin cannot be read ({e}); was it written by a newer version?"),
            )
        })?;
        Ok(FeatureFile { reader, origin, limit: usize::MAX })
    }

    pub fn classes(&self) -> &[String] {
        &self.reader.classes
    }

    /// The layer whose results the rows are: pooled, the first layer of the head.
    pub fn layer(&self) -> &str {
        let architecture = &self.origin.architecture;
        &architecture.layers[architecture.base - 1 + usize::from(self.origin.pooled)].name
    }

    /// The rows that train or that validate, in batches of `batch`; read from the file as they are asked for.
    pub fn part(&self, validates: bool, batch: usize) -> FileSamples {
        let rows = (0u32..).zip(&self.reader.labels).filter(|(_, label)| label.validates == validates);
        let (rows, classes): (Vec<u32>, Vec<u32>) = rows.map(|(row, label)| (row, label.class)).unzip();
        let kept = split::in_turn(&classes, self.limit);
        FileSamples {
            reader: self.reader.clone(),
            rows: kept.into_iter().map(|place| rows[place]).collect(),
            batch: batch.max(1),
        }
    }

    /// How many rows of each class train.
    pub fn class_counts(&self) -> Vec<usize> {
        let part = self.part(false, 1);
        split::counts((0..part.len() as u32).map(|row| part.class(row)), self.classes().len())
    }
}

/// Rows of a file of features.
pub struct FileSamples {
    reader: Arc<Reader>,
    /// Places in the file.
    rows: Vec<u32>,
    batch: usize,
}

impl FileSamples {
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

impl Samples for FileSamples {
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
