//! `--precision`: how a network's activations are stored, for the commands that run one.

use std::sync::Arc;

use crate::gpu::Device;
use crate::graph::Store;
use crate::ops::Precision;

/// How precisely a network is computed.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
#[command(next_help_heading = "Kernels")]
pub struct PrecisionArgs {
    /// What activations and their gradients are stored as: f32, or f16 in half the bytes. Sums, weights and the optimizer's
    /// state stay f32, and the loss is scaled as training needs it
    #[arg(long, default_value = "f32")]
    pub precision: Precision,
}

impl PrecisionArgs {
    /// An empty store of this precision.
    pub fn store(self, device: Arc<Device>) -> Store {
        let mut store = Store::new(device);
        store.precision = self.precision;
        store
    }
}
