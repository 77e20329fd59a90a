//! From a folder of images to batches of RGB pixels with class ids, on the host.
//!
//! ```text
//! folder -> Split -> order (seed, epoch) -> Loader -> Batch { pixels, labels, indices }
//!           paths    permutation            workers: read, decode, resize, cache
//! ```
//!
//! The room knows nothing of devices or networks: preprocessing and augmentation happen later, in WGSL. What each image's
//! augmentation draws is decided here.

pub mod affine;
pub mod augmentation;
pub mod batches;
mod buffers;
mod cache;
pub mod colour;
mod complete;
pub mod decode;
pub mod draw;
mod duplicates;
pub mod folder;
mod format;
mod gate;
mod index;
pub mod order;
mod palette_tiff;
mod paths;
mod prefetch;
pub mod resize;
pub mod split;
pub mod unreadable;
mod walk;
