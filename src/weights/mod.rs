//! Bytes -> named tensors -> parameters, and back.
//!
//! [`open`] sniffs a file and gives a [`Source`]: a list of [`Entry`]s in topological layer order under canonical
//! names (`block1_conv1/kernel`), read one at a time. The room knows nothing of models: it takes and gives plain
//! named tensors. Files are written under a temporary name and renamed ([`file::replace`]).
//!
//! ```
//! use frostline::weights::{self, Source};
//!
//! # fn main() -> frostline::error::Result<()> {
//! let mut source = weights::open("weights/vgg16_imagenet_notop.f16.safetensors".as_ref())?;
//! let first = &source.entries()[0];
//! assert_eq!((first.name.as_str(), first.shape.as_slice()), ("block1_conv1/kernel", &[3, 3, 3, 64][..]));
//! assert_eq!(source.read(0)?.len(), 1728);
//! # Ok(())
//! # }
//! ```
//!
//! | kind | read | written |
//! |---|---|---|
//! | safetensors: f16, bf16, f32, f64, integers | yes | f16, f32 |
//! | torchvision's VGG in safetensors | yes, transposed | |
//! | Keras 1 and 2 `.h5`, weights or whole models | yes | yes |
//! | Keras 3 legacy `.h5` | yes | yes |
//! | Keras 3 `.weights.h5`, also of 2.12 to 2.15 | yes | yes |
//! | `.keras` | yes | yes |
//! | NumPy `.npz` | yes | |

pub mod fetch;
pub mod file;
pub mod import;
pub mod keras;
pub mod kind;
pub mod known;
pub mod map;
pub mod npz;
pub mod rows;
pub mod safetensors;
pub mod torch;

mod decode;
mod entry;
mod hdf5;
mod order;
mod outgoing;
mod sniff;
mod window;
mod zipped;

pub use entry::{Dtype, Entry, Format, Layout, Optimizer, Source};
pub use outgoing::{Outgoing, Values};
pub use sniff::open;

/// The error for an index that no listing gave.
fn out_of_range(path: &std::path::Path, count: usize, index: usize) -> crate::error::Error {
    crate::error::Error::weights(path, format!("has {count} tensors; number {index} was asked for"))
}
