//! Tables of features: rows of numbers with labels, streamed to a file and read back row by row.
//!
//! Three tensors: `features` (n, ...) f32, `labels` (n) and `validates` (n) whole numbers; and the names of the classes.
//! safetensors keep the names and a description as metadata and are read back; HDF5 and NumPy are for other programs.

mod read;
mod write;

pub use read::Reader;
pub use write::Writer;

/// What a row is, besides its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    pub class: u32,
    /// Whether the row measures instead of training.
    pub validates: bool,
}

/// Keys of the metadata: names of the classes as a JSON list, and what made the file.
const CLASSES: &str = "classes";
const ABOUT: &str = "frostline_features";
