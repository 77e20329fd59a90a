//! A list of labelled image files, cheap to clone and to share with worker threads.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::format::READABLE;
use super::paths::Paths;
use super::walk;
use crate::error::{Error, Result};

/// The class of an image whose class nobody knows, as in `predict`.
pub const UNLABELLED: u32 = u32::MAX;

/// One image file and its class id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub path: PathBuf,
    pub class: u32,
}

/// Image files with class ids, in a fixed order; clones share the list.
#[derive(Clone, Default)]
pub struct Split {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    paths: Paths,
    classes: Vec<u32>,
}

impl Split {
    pub fn from_samples<P: AsRef<Path>>(samples: impl IntoIterator<Item = (P, u32)>) -> Split {
        let mut builder = Builder::default();
        for (path, class) in samples {
            builder.push_path(path.as_ref(), class);
        }
        builder.finish()
    }

    /// Files and folders as `predict` takes them: each file as given, each folder's images below it, by name.
    /// All are [`UNLABELLED`].
    ///
    /// # Errors
    /// A path that does not exist, or no image at all.
    pub fn open_flat<P: AsRef<Path>>(given: &[P]) -> Result<Split> {
        let mut builder = Builder::default();
        for path in given.iter().map(AsRef::as_ref) {
            let metadata = std::fs::metadata(path).map_err(Error::io("read", path))?;
            if metadata.is_dir() {
                walk::images_below(path, &mut |p| builder.push_path(p, UNLABELLED))?;
            } else {
                builder.push_path(path, UNLABELLED);
            }
        }
        let split = builder.finish();
        match (split.is_empty(), given.first()) {
            (true, Some(first)) => Err(Error::data(
                first.as_ref(),
                format!("no images here; name image files or folders of {READABLE}"),
            )),
            (true, None) => Err(Error::Usage("name at least one image file or folder".into())),
            (false, _) => Ok(split),
        }
    }

    /// At most `limit` images, one of each class in turn, in the order that they have here.
    pub fn limited(&self, limit: usize) -> Split {
        let kept = in_turn(&self.inner.classes, limit);
        Split::from_samples(kept.into_iter().map(|i| (self.path(i), self.class(i))))
    }

    pub fn len(&self) -> usize {
        self.inner.classes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// # Panics
    /// When `index` is not below `len()`, as a slice would.
    pub fn path(&self, index: usize) -> PathBuf {
        self.inner.paths.get(index)
    }

    /// # Panics
    /// When `index` is not below `len()`, as a slice would.
    pub fn class(&self, index: usize) -> u32 {
        self.inner.classes[index]
    }

    pub fn samples(&self) -> impl Iterator<Item = Sample> + '_ {
        (0..self.len()).map(|i| Sample { path: self.path(i), class: self.class(i) })
    }

    /// How many samples each of `classes` classes has.
    pub fn class_counts(&self, classes: usize) -> Vec<usize> {
        counts(self.inner.classes.iter().copied(), classes)
    }
}

/// Places of at most `limit` of samples with these class ids, one of each class in turn, in rising order.
pub fn in_turn(of: &[u32], limit: usize) -> Vec<usize> {
    let mut seen = HashMap::new();
    let mut turn = |class: u32| {
        let count = seen.entry(class).or_insert(0usize);
        *count += 1;
        *count
    };
    let mut turns: Vec<(usize, usize)> = of.iter().enumerate().map(|(i, &class)| (turn(class), i)).collect();
    turns.sort_unstable();
    let mut kept: Vec<usize> = turns.into_iter().take(limit).map(|(_, i)| i).collect();
    kept.sort_unstable();
    kept
}

/// How many samples with these class ids each of `classes` classes has.
pub fn counts(of: impl Iterator<Item = u32>, classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for class in of {
        if let Some(count) = counts.get_mut(class as usize) {
            *count += 1;
        }
    }
    counts
}

/// Grows a split; the samples keep the order in which they came.
#[derive(Default)]
pub(super) struct Builder(Inner);

impl Builder {
    pub fn push_path(&mut self, path: &Path, class: u32) {
        self.0.paths.push_path(path);
        self.0.classes.push(class);
    }

    pub fn len(&self) -> usize {
        self.0.classes.len()
    }

    pub fn finish(mut self) -> Split {
        self.0.paths.shrink();
        self.0.classes.shrink_to_fit();
        debug_assert_eq!(self.0.paths.len(), self.0.classes.len());
        Split { inner: Arc::new(self.0) }
    }
}
