//! How much memory a run may plan for.

use crate::gpu::{Buffer, Device};

/// The smallest piece that is asked for when a driver is asked how much it grants.
const LEAST: u64 = 16 << 20;

impl Device {
    /// Bytes that a run may take of this device: what was asked for, else 80 % of the memory that is available where
    /// the device lives in the machine's memory, else 90 % of what the driver grants now.
    pub fn budget(&self, asked: Option<u64>) -> u64 {
        match asked {
            Some(bytes) => bytes,
            None if self.caps().shares_memory() => available_memory() / 5 * 4,
            None => self.grants(u64::MAX) / 10 * 9,
        }
    }

    /// Bytes, at most about `most`, that the driver grants at this moment: buffers are asked for until even a small one
    /// is refused, then all are given back.
    pub fn grants(&self, most: u64) -> u64 {
        let mut size = self.caps().max_buffer.min(most);
        let (mut granted, mut held): (u64, Vec<Buffer>) = (0, Vec::new());
        while size >= LEAST && granted < most {
            match self.buffer("a trial of what the driver grants", size.min(most - granted)) {
                Ok(buffer) => {
                    granted += buffer.bytes();
                    held.push(buffer);
                }
                Err(_) => size /= 2,
            }
        }
        granted
    }
}

/// What the operating system says is available, within the limit of a container; a system that does not say is taken
/// to have little.
fn available_memory() -> u64 {
    const UNKNOWN: u64 = 4 << 30;
    sysinfo::System::new().map_or(UNKNOWN, |mut system| {
        system.refresh_memory();
        let container = system.cgroup_limits().map_or(u64::MAX, |c| c.total_memory.saturating_sub(c.rss));
        system.available_memory().min(container)
    })
}
