//! A ring of mapped buffers: one is filled by the host while the device reads the others.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Buffers of the ring.
const COUNT: usize = 4;

/// Buffers on their way to the device, the one that was filled first in front.
#[derive(Default)]
pub(super) struct Ring(Mutex<VecDeque<Chunk>>);

pub(super) struct Chunk {
    pub buffer: wgpu::Buffer,
    /// The submission after which it may be filled again.
    pub read: wgpu::SubmissionIndex,
}

impl Ring {
    /// Takes the buffer that was filled first; `None` while there are few, and a new one is to be made.
    pub fn take(&self) -> Option<Chunk> {
        let mut chunks = self.chunks();
        if chunks.len() < COUNT { None } else { chunks.pop_front() }
    }

    pub fn put(&self, chunk: Chunk) {
        self.chunks().push_back(chunk);
    }

    fn chunks(&self) -> MutexGuard<'_, VecDeque<Chunk>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
