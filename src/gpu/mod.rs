//! The device: which adapter, what it can do, its buffers and its compiled kernels.

pub mod adapter;
mod advice;
pub mod buffer;
pub mod caps;
pub mod device;
mod disk;
pub mod dtype;
pub mod edit;
mod failure;
pub mod kernel;
pub mod launch;
pub mod matrix;
mod memory;
pub mod pipeline;
pub mod read_back;
mod ring;
pub mod timer;
mod upload;

pub use buffer::{Buffer, Form};
pub use caps::{Caps, Class};
pub use device::Device;
pub use dtype::Dtype;
pub use edit::Edit;
pub use kernel::{Kernel, Piece};
pub use launch::Launch;
pub use matrix::MatrixSize;
pub use pipeline::Pipeline;
pub use read_back::ReadBack;
pub use timer::Clock;
