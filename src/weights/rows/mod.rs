//! Tables of features: rows of numbers with labels, streamed to a file and read back row by row.
//!
//! Three arrays: `features` (n, ...) f32, `labels` (n) and `validates` (n) whole numbers; and beside them the names of the
//! classes and a description: metadata of safetensors, attributes of HDF5, a member of their own in NumPy's archives. The
//! arrays lie in one piece each, so that a row is read where it lies, whatever the format.

mod read;
mod table;
mod write;

pub use read::Reader;
pub use write::Writer;

use std::path::Path;

use crate::error::{Error, Result};

/// What a row is, besides its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    pub class: u32,
    /// Whether the row measures instead of training.
    pub validates: bool,
}

/// Keys of the names of the classes, and of what made the file.
const CLASSES: &str = "classes";
const ABOUT: &str = "frostline_features";
/// The member of an archive that holds both; NumPy passes it over.
const WORDS: &str = "frostline_features.json";

#[derive(Clone, Copy)]
enum Format {
    Safetensors,
    Hdf5,
    Npz,
}

impl Format {
    fn of(path: &Path) -> Result<Format> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("safetensors") => Ok(Format::Safetensors),
            Some("h5" | "hdf5") => Ok(Format::Hdf5),
            Some("npz") => Ok(Format::Npz),
            _ => Err(Error::weights(path, "features are written as .safetensors, .h5 or .npz; name it so")),
        }
    }
}
