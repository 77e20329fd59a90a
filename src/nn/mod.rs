//! Models: layers are tables that push ops onto a graph; heads, freezing and initial values.

pub mod architecture;
pub mod chain;
pub mod freeze;
pub mod init;
pub mod keras;
pub mod network;
pub mod preprocessing;
pub mod vgg;

pub use architecture::{Architecture, Head, Layer, LayerKind, Pool};
pub use freeze::Freeze;
pub use network::Network;
pub use preprocessing::Preprocessing;
