//! Where batches come from: images that are decoded on the way, or features that were computed once.

use std::sync::Arc;

use crate::data::batches::{Batch, Loader};
use crate::error::{Error, Result};
use crate::ops::random::pcg4d;
use crate::train::digest::{Digest, digest};

/// Samples of one step, as bytes for the graph's input.
pub struct Minibatch {
    pub values: Values,
    /// (n) class ids.
    pub labels: Vec<u32>,
    /// (n) places in the split.
    pub indices: Vec<u32>,
}

/// The bytes of a minibatch, (n, ...) of the graph's input.
pub enum Values {
    Pixels(Batch),
    Features(Vec<f32>),
}

impl Minibatch {
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    pub fn bytes(&self) -> &[u8] {
        match &self.values {
            Values::Pixels(batch) => &batch.pixels,
            Values::Features(values) => bytemuck::cast_slice(values),
        }
    }

    /// How many places of `order`, from its first on, this batch used up: its samples, and unreadable ones among them.
    pub fn span(&self, order: &[u32]) -> usize {
        let last = match &self.values {
            Values::Pixels(_) => order.iter().position(|place| Some(place) == self.indices.last()),
            Values::Features(_) => None,
        };
        last.map_or(self.len(), |last| last + 1)
    }
}

pub type Minibatches<'a> = Box<dyn Iterator<Item = Result<Minibatch>> + 'a>;

/// A set of labelled samples that can be walked in any order.
pub trait Samples: Sync {
    /// Number of samples, readable or not.
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The class of a sample.
    fn class(&self, index: u32) -> u32;

    /// A hash of everything that decides the bytes of a sample: of its file, and of how that is decoded. `None` where
    /// there is no such thing, or the file cannot be read: then nothing of it is cached.
    fn fingerprint(&self, _index: u32) -> Option<Digest> {
        None
    }

    /// Batches in the order given; the last may be smaller.
    ///
    /// # Errors
    /// No sample can be read, or an unreadable one under `--strict`.
    fn batches(&self, order: Vec<u32>) -> Result<Minibatches<'_>>;

    /// All samples from first to last.
    ///
    /// # Errors
    /// As [`Samples::batches`].
    fn in_order(&self) -> Result<Minibatches<'_>> {
        self.batches((0..self.len() as u32).collect())
    }
}

impl<S: Samples + ?Sized> Samples for &S {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn class(&self, index: u32) -> u32 {
        (**self).class(index)
    }

    fn fingerprint(&self, index: u32) -> Option<Digest> {
        (**self).fingerprint(index)
    }

    fn batches(&self, order: Vec<u32>) -> Result<Minibatches<'_>> {
        (**self).batches(order)
    }
}

/// Images of a folder.
pub struct ImageSamples(pub Arc<Loader>);

impl Samples for ImageSamples {
    fn len(&self) -> usize {
        self.0.len() as usize
    }

    fn class(&self, index: u32) -> u32 {
        self.0.class(index)
    }

    fn fingerprint(&self, index: u32) -> Option<Digest> {
        let bytes = std::fs::read(self.0.path(index)).ok()?;
        Some(digest([self.0.decoding().as_bytes(), &bytes]))
    }

    fn batches(&self, order: Vec<u32>) -> Result<Minibatches<'_>> {
        let batches = self.0.batches(order)?;
        Ok(Box::new(batches.map(|batch| {
            batch.map(|mut batch| Minibatch {
                labels: std::mem::take(&mut batch.labels),
                indices: std::mem::take(&mut batch.indices),
                values: Values::Pixels(batch),
            })
        })))
    }
}

/// Features in host memory.
pub struct FeatureSamples {
    /// (samples, width) row-major.
    pub values: Vec<f32>,
    /// Values per sample.
    pub width: usize,
    pub labels: Vec<u32>,
    /// Places of the samples in the split that they came from.
    pub indices: Vec<u32>,
    pub batch: usize,
}

impl FeatureSamples {
    fn row(&self, index: u32) -> &[f32] {
        &self.values[index as usize * self.width..(index as usize + 1) * self.width]
    }
}

impl Samples for FeatureSamples {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn class(&self, index: u32) -> u32 {
        self.labels[index as usize]
    }

    fn batches(&self, order: Vec<u32>) -> Result<Minibatches<'_>> {
        let starts = (0..order.len()).step_by(self.batch.max(1));
        Ok(Box::new(starts.map(move |start| {
            let indices = order[start..(start + self.batch.max(1)).min(order.len())].to_vec();
            let row = |&i: &u32| self.row(i);
            Ok(Minibatch {
                values: Values::Features(indices.iter().flat_map(row).copied().collect()),
                labels: indices.iter().map(|&i| self.labels[i as usize]).collect(),
                indices,
            })
        })))
    }
}

/// Several variants of the same samples. Each visit takes one of them, by the sample and by the last of the order, which
/// an epoch that goes on in its middle shares with the whole one.
pub struct FixedVariants(Vec<FeatureSamples>);

impl FixedVariants {
    /// # Errors
    /// No variant, or variants of different samples: files came or went while they were made.
    pub fn new(variants: Vec<FeatureSamples>) -> Result<FixedVariants> {
        let same = |pair: &[FeatureSamples]| pair[0].indices == pair[1].indices;
        match !variants.is_empty() && variants.windows(2).all(same) {
            true => Ok(FixedVariants(variants)),
            false => Err(Error::Usage("images changed while their variants were made; start again".into())),
        }
    }
}

impl Samples for FixedVariants {
    fn len(&self) -> usize {
        self.0[0].len()
    }

    fn class(&self, index: u32) -> u32 {
        self.0[0].class(index)
    }

    fn batches(&self, order: Vec<u32>) -> Result<Minibatches<'_>> {
        let batch = self.0[0].batch.max(1);
        let last = order.last().copied().unwrap_or_default();
        let variant = move |index: u32| {
            let word = pcg4d([index, last, 0, 0])[0];
            &self.0[((u64::from(word) * self.0.len() as u64) >> 32) as usize]
        };
        let starts = (0..order.len()).step_by(batch);
        Ok(Box::new(starts.map(move |start| {
            let places = start..(start + batch).min(order.len());
            let rows = order[places.clone()].iter().flat_map(|&index| variant(index).row(index));
            let values = Values::Features(rows.copied().collect());
            let indices = order[places].to_vec();
            Ok(Minibatch { values, labels: indices.iter().map(|&i| self.class(i)).collect(), indices })
        })))
    }
}
