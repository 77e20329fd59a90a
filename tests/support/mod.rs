//! What several tests share.

use std::sync::OnceLock;

use frostline::gpu::Device;

/// The adapter named by `FROSTLINE_ADAPTER` (a name, an index or `cpu`), else the best one.
///
/// # Panics
/// No adapter: the message says how to get one.
pub fn device() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| {
        let asked = std::env::var("FROSTLINE_ADAPTER").unwrap_or_default();
        let Ok(choice) = asked.parse();
        Device::open(&choice).unwrap_or_else(|error| panic!("{error}"))
    })
}
