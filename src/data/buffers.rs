//! Pixel buffers that go round: from the loader into a batch, and back when the batch is dropped.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{self, Error, Result};

/// Pixel buffers of batches that were dropped.
#[derive(Default)]
pub(super) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// Two are in flight as a rule: one on its way to the device, one being filled.
    const KEPT: usize = 3;

    /// An empty buffer with room for `bytes`.
    pub(super) fn take(&self, bytes: usize) -> Result<Vec<u8>> {
        let mut buffer = self.lock().pop().unwrap_or_default();
        buffer.clear();
        let out_of_memory = |_| {
            let needed = error::bytes(bytes as u64);
            Error::Usage(format!(
                "the pixels of a batch take {needed}, more than the system gives: use a smaller --batch or --input"
            ))
        };
        buffer.try_reserve_exact(bytes).map_err(out_of_memory)?;
        Ok(buffer)
    }

    pub(super) fn give_back(&self, buffer: Vec<u8>) {
        let mut kept = self.lock();
        if kept.len() < Self::KEPT && buffer.capacity() > 0 {
            kept.push(buffer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
