//! What the benches share.

use frostline::gpu::Device;
use frostline::ops::Precision;

/// The adapter that `FROSTLINE_ADAPTER` names, else the best one; its name stands in the output.
pub fn device() -> Device {
    let Ok(choice) = std::env::var("FROSTLINE_ADAPTER").unwrap_or_default().parse();
    let device = Device::open(&choice).unwrap_or_else(|error| panic!("{error}"));
    println!("on {}", device.info());
    device
}

/// The precision that `FROSTLINE_PRECISION` names, else f32.
pub fn precision(device: &Device) -> Precision {
    let named = std::env::var("FROSTLINE_PRECISION").map(|name| name.parse::<Precision>());
    let precision = named.unwrap_or(Ok(Precision::F32)).unwrap_or_else(|problem| panic!("{problem}"));
    precision.check(device.caps()).unwrap_or_else(|error| panic!("{error}"));
    precision
}
