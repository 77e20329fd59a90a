//! safetensors in and out: the house's own format for weights, features and checkpoints.

mod read;
mod write;

pub use read::Safetensors;
pub use write::write;

/// Metadata key under which a file written here states its order: a JSON list of all names.
/// The format itself keeps none, and a head called `a` may stand above a base called `b`.
pub(super) const ORDER_KEY: &str = "frostline.order";
