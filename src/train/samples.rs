//! Where batches come from: images that are decoded on the way, or features that were computed once.

use std::sync::Arc;

use crate::data::batches::{Batch, Loader};
use crate::error::Result;

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
pub trait Samples {
    /// Number of samples, readable or not.
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
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

impl Samples for FeatureSamples {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn batches(&self, order: Vec<u32>) -> Result<Minibatches<'_>> {
        let starts = (0..order.len()).step_by(self.batch.max(1));
        Ok(Box::new(starts.map(move |start| {
            let rows = &order[start..(start + self.batch.max(1)).min(order.len())];
            let row = |&i: &u32| &self.values[i as usize * self.width..(i as usize + 1) * self.width];
            Ok(Minibatch {
                values: Values::Features(rows.iter().flat_map(row).copied().collect()),
                labels: rows.iter().map(|&i| self.labels[i as usize]).collect(),
                indices: rows.iter().map(|&i| self.indices[i as usize]).collect(),
            })
        })))
    }
}
