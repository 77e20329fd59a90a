//! What several tests share.

use std::sync::{Arc, OnceLock};

use frostline::gpu::Device;

/// The adapter named by `FROSTLINE_ADAPTER` (a name, an index or `cpu`), else the best one.
///
/// # Panics
/// No adapter: the message says how to get one.
pub fn device() -> &'static Arc<Device> {
    static DEVICE: OnceLock<Arc<Device>> = OnceLock::new();
    DEVICE.get_or_init(|| {
        let asked = std::env::var("FROSTLINE_ADAPTER").unwrap_or_default();
        let Ok(choice) = asked.parse();
        Arc::new(Device::open(&choice).unwrap_or_else(|error| panic!("{error}")))
    })
}
