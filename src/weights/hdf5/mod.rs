//! HDF5 as the Keras readers need it: groups, text attributes, numeric datasets, all checked against the file.
//!
//! The format itself is decoded by the crate `hdf5-reader`. What stands here keeps its promises small: errors name
//! the file and the place in it, contiguous tensors are streamed past the crate (no second copy), and no size
//! that a file declares is believed before the file's length has been asked.

mod node;
mod tensor;
mod text;
pub(super) mod write;

pub(super) use node::Node;
pub(super) use tensor::Tensor;

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hdf5_reader::{Hdf5File, OpenOptions};

use super::window::Window;
use crate::error::{Error, Result};

/// A decoded chunk may be this large; h5py chooses chunks of about 1 MiB.
const LARGEST_CHUNK: usize = 32 << 20;

/// An open HDF5 file, or one inside a zip.
pub(super) struct Hdf5 {
    path: PathBuf,
    window: Arc<Window>,
    file: Hdf5File,
    /// Addresses of the datasets that were handed out.
    given: RefCell<HashSet<u64>>,
}

impl Hdf5 {
    /// `path` is for messages; the bytes come from `window`.
    ///
    /// # Errors
    /// No HDF5, or its superblock is corrupt.
    pub(super) fn open(path: &Path, window: Window) -> Result<Hdf5> {
        let window = Arc::new(window);
        let options = OpenOptions::default()
            .with_chunk_cache_bytes(0)
            .with_max_chunk_bytes(LARGEST_CHUNK)
            .with_max_object_header_bytes(16 << 20);
        let file = Hdf5File::from_storage_with_options(window.clone(), options)
            .map_err(|e| corrupt(path, "the superblock", &e))?;
        Ok(Hdf5 { path: path.to_path_buf(), window, file, given: RefCell::default() })
    }

    /// # Errors
    /// The root group is corrupt.
    pub(super) fn root(&self) -> Result<Node<'_>> {
        let group = self.file.root_group().map_err(|e| corrupt(&self.path, "the root group", &e))?;
        Ok(Node::new(self, group, String::new()))
    }
}

/// The message for bytes that make no sense.
fn corrupt(path: &Path, place: &str, problem: &dyn std::fmt::Display) -> Error {
    Error::weights(
        path,
        format!("cannot be read at {place}: {problem}; the file is damaged or cut short, get it again"),
    )
}
