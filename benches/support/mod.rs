//! What the benches share.

use frostline::gpu::Device;

/// The adapter that `FROSTLINE_ADAPTER` names, else the best one; its name stands in the output.
pub fn device() -> Device {
    let Ok(choice) = std::env::var("FROSTLINE_ADAPTER").unwrap_or_default().parse();
    let device = Device::open(&choice).unwrap_or_else(|error| panic!("{error}"));
    println!("on {}", device.info());
    device
}
