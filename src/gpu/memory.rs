//! How much memory a run may plan for.

use crate::gpu::caps::{Caps, Class};

/// Bytes: what was asked for, else 80 % of the available memory where the device is the CPU, else no bound of our own
/// (a GPU's driver refuses what it cannot hold, and that refusal is reported).
pub fn budget(asked: Option<u64>, caps: &Caps) -> u64 {
    match (asked, caps.class) {
        (Some(bytes), _) => bytes,
        (None, Class::Cpu) => available_memory() / 5 * 4,
        (None, _) => u64::MAX,
    }
}

/// What the operating system says is available; a system that does not say is taken to have little.
fn available_memory() -> u64 {
    const UNKNOWN: u64 = 4 << 30;
    sysinfo::System::new().map_or(UNKNOWN, |mut system| {
        system.refresh_memory();
        system.available_memory()
    })
}
