//! Device memory that counts itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A storage buffer. Its bytes stand in the device's live count until it is dropped.
pub struct Buffer {
    pub(super) raw: wgpu::Buffer,
    bytes: u64,
    live: Arc<AtomicU64>,
}

impl Buffer {
    pub(super) fn new(raw: wgpu::Buffer, live: Arc<AtomicU64>) -> Buffer {
        let bytes = raw.size();
        live.fetch_add(bytes, Ordering::Relaxed);
        Buffer { raw, bytes, live }
    }

    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.live.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
