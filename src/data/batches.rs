//! Batches of pixels: decoded ahead on worker threads, in the order asked for, whatever the files do.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::buffers::Buffers;
use super::cache::Cache;
use super::decode::{self, Decoder};
use super::prefetch::{Load, Pixels, Prefetch};
use super::split::Split;
use super::unreadable::Unreadable;
use crate::error::{Error, Result};

/// How a split is loaded.
#[derive(Clone, Debug)]
pub struct Options {
    pub decode: decode::Options,
    /// Images per batch; the last one of an epoch may be smaller.
    pub batch: usize,
    /// Threads that decode; 0 is one per core.
    pub workers: usize,
    /// Makes the first unreadable image an error instead of skipping it.
    pub strict: bool,
    /// Decoded images kept from one epoch to the next.
    pub cache_bytes: u64,
}

impl Options {
    /// Square input, a thread per core, lenient, a cache of 64 MiB (2,427 images at 96x96).
    pub fn square(side: u32, batch: usize) -> Options {
        Options {
            decode: decode::Options::square(side),
            batch,
            workers: 0,
            strict: false,
            cache_bytes: 64 << 20,
        }
    }
}

/// Loads one split, epoch after epoch: owns the cache, the buffers and the list of unreadable images.
///
/// ```no_run
/// use frostline::data::{batches::{Loader, Options}, folder::{self, Dataset}, order};
/// let data = Dataset::open("photos".as_ref(), &folder::Options::default())?;
/// let loader = Loader::new(data.train, Options::square(96, 16))?;
/// for epoch in 0..3 {
///     for batch in loader.batches(order::epoch(loader.len(), 42, epoch))? {
///         let batch = batch?;
///         println!("{} images, {} bytes", batch.len(), batch.pixels.len());
///     }
/// }
/// # Ok::<(), frostline::error::Error>(())
/// ```
pub struct Loader {
    source: Arc<Source>,
    buffers: Arc<Buffers>,
    batch: usize,
    workers: usize,
    strict: bool,
}

/// What the workers share.
struct Source {
    split: Split,
    decoder: Decoder,
    cache: Cache,
    unreadable: Mutex<Unreadable>,
}

/// One batch. Its buffer goes back to the loader when it is dropped.
pub struct Batch {
    /// (n, h, w, 3) RGB, 0 to 255.
    pub pixels: Vec<u8>,
    /// (n) class ids.
    pub labels: Vec<u32>,
    /// (n) places in the split.
    pub indices: Vec<u32>,
    buffers: Arc<Buffers>,
}

impl Batch {
    /// Number of images n.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.buffers.give_back(std::mem::take(&mut self.pixels));
    }
}

impl Load for Source {
    fn load(&self, index: u32) -> Result<Pixels> {
        if let Some(pixels) = self.cache.get(index) {
            return Ok(pixels);
        }
        let pixels = Pixels::from(self.decoder.decode(&self.split.path(index as usize))?);
        self.cache.offer(index, &pixels);
        Ok(pixels)
    }
}

impl Loader {
    /// # Errors
    /// A batch of zero, or an input size that cannot be.
    pub fn new(split: Split, options: Options) -> Result<Loader> {
        if options.batch == 0 {
            return Err(Error::Usage("batch 0: give the number of images per step, such as 16".into()));
        }
        let decoder = Decoder::new(options.decode)?;
        let cache = Cache::new(options.cache_bytes, decoder.image_bytes());
        let workers = match options.workers {
            0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
            n => n,
        };
        let source = Source { split, decoder, cache, unreadable: Mutex::default() };
        let (batch, strict) = (options.batch, options.strict);
        Ok(Loader { source: Arc::new(source), buffers: Arc::default(), batch, workers, strict })
    }

    /// Number of images in the split, readable or not.
    pub fn len(&self) -> u32 {
        self.source.split.len() as u32
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The images at the places in `order` as batches, in that order. Decoding begins at once.
    ///
    /// # Errors
    /// A place outside of the split; no thread to be had.
    pub fn batches(&self, order: Vec<u32>) -> Result<Batches> {
        let len = self.len();
        if let Some(outside) = order.iter().find(|&&index| index >= len) {
            return Err(Error::Usage(format!("image {outside} of a split of {len}: indices begin at 0")));
        }
        let batch = self.batch.min(order.len());
        let whole = !self.is_empty() && order.len() >= len as usize;
        let source = Arc::clone(&self.source);
        let prefetch =
            Prefetch::start(Arc::clone(&self.source) as Arc<dyn Load>, order, self.workers, self.ahead())?;
        let buffers = Arc::clone(&self.buffers);
        Ok(Batches {
            prefetch: Some(prefetch),
            source,
            buffers,
            batch,
            strict: self.strict,
            whole,
            yielded: 0,
        })
    }

    /// Two batches in front of the consumer, but no more than 256 MiB of pixels beyond an image per worker.
    fn ahead(&self) -> usize {
        const MOST_BYTES: usize = 256 << 20;
        let fitting = MOST_BYTES / self.source.decoder.image_bytes();
        self.batch.saturating_mul(2).min(fitting).max(self.workers)
    }

    /// The images that could not be read in any epoch so far.
    pub fn unreadable(&self) -> Unreadable {
        self.source.unreadable().clone()
    }

    /// How many images the cache holds.
    pub fn cached(&self) -> usize {
        self.source.cache.len()
    }

    /// The class of the image at a place in the split.
    pub fn class(&self, index: u32) -> u32 {
        self.source.split.class(index as usize)
    }

    /// How files become pixels, in words that differ where the pixels may.
    pub fn decoding(&self) -> String {
        format!("{:?}", self.source.decoder.options())
    }

    /// The file at a place in the split.
    pub fn path(&self, index: u32) -> PathBuf {
        self.source.split.path(index as usize)
    }
}

impl Source {
    fn unreadable(&self) -> MutexGuard<'_, Unreadable> {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The batches of one epoch. An image that cannot be read is noted, and the one after it takes its place;
/// under `strict` it ends the epoch with its error. That *no* image of the whole split can be read is an error too.
pub struct Batches {
    /// `None` once the epoch has ended.
    prefetch: Option<Prefetch>,
    source: Arc<Source>,
    buffers: Arc<Buffers>,
    batch: usize,
    strict: bool,
    /// The order holds as many images as the split.
    whole: bool,
    yielded: usize,
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        let batch = self.fill();
        match batch {
            Ok(Some(batch)) => {
                self.yielded += batch.len();
                Some(Ok(batch))
            }
            Ok(None) => {
                let ended_now = self.prefetch.take().is_some();
                (ended_now && self.whole && self.yielded == 0).then(|| Err(self.nothing_readable()))
            }
            Err(error) => {
                self.prefetch = None;
                Some(Err(error))
            }
        }
    }
}

impl Batches {
    /// The next batch, or `None` where the order has ended.
    fn fill(&mut self) -> Result<Option<Batch>> {
        let Some(prefetch) = &mut self.prefetch else {
            return Ok(None);
        };
        let bytes = self.batch.saturating_mul(self.source.decoder.image_bytes());
        let mut batch = Batch {
            pixels: self.buffers.take(bytes)?,
            labels: Vec::with_capacity(self.batch),
            indices: Vec::with_capacity(self.batch),
            buffers: Arc::clone(&self.buffers),
        };
        while batch.len() < self.batch {
            let Some((index, outcome)) = prefetch.next() else {
                break;
            };
            match outcome {
                Ok(pixels) => {
                    batch.pixels.extend_from_slice(&pixels);
                    batch.labels.push(self.source.split.class(index as usize));
                    batch.indices.push(index);
                }
                Err(error) if self.strict => {
                    let what = format!("{error}; --strict refuses it: mend it, or leave --strict out");
                    return Err(Error::Usage(what));
                }
                Err(error) => self.source.unreadable().add(index, &error),
            }
        }
        Ok((!batch.is_empty()).then_some(batch))
    }

    fn nothing_readable(&self) -> Error {
        let unreadable = self.source.unreadable();
        let first = unreadable.named.values().next().map(String::as_str).unwrap_or_default();
        Error::Usage(format!("none of the images can be read; the first: {first}"))
    }
}
