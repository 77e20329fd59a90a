//! Device memory that counts itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a tensor lies in device memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// A storage buffer of 4-byte words.
    #[default]
    Words,
    /// A storage texture used as a line of vec4f. On llvmpipe a storage-buffer load is a loop over the lanes with a
    /// branch per element, a storage-texture load is straight-line vector code and four times faster: what a matrix
    /// product reads many times is packed into texels once.
    Texels,
}

/// Texels in a row of the texture; `TEXELS_LOG2` in shaders/texel.wgsl.
pub(super) const TEXEL_ROW: u64 = 4096;

pub(super) enum Raw {
    Words(wgpu::Buffer),
    Texels(wgpu::TextureView),
}

/// A piece of device memory. Its bytes stand in the device's live count until it is dropped.
pub struct Buffer {
    pub(super) raw: Raw,
    bytes: u64,
    live: Arc<AtomicU64>,
}

impl Buffer {
    pub(super) fn new(raw: Raw, bytes: u64, live: Arc<AtomicU64>) -> Buffer {
        live.fetch_add(bytes, Ordering::Relaxed);
        Buffer { raw, bytes, live }
    }

    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The storage buffer behind it.
    ///
    /// # Panics
    /// It is a line of texels, which only kernels read and write.
    pub(super) fn words(&self) -> &wgpu::Buffer {
        match &self.raw {
            Raw::Words(buffer) => buffer,
            Raw::Texels(_) => panic!("texels are never copied"),
        }
    }
}

impl Form {
    /// Bytes that a tensor of `bytes` takes in this form.
    pub fn round_up(self, bytes: u64) -> u64 {
        match self {
            Form::Words => bytes.max(4).next_multiple_of(4),
            Form::Texels => bytes.div_ceil(16 * TEXEL_ROW).max(1) * 16 * TEXEL_ROW,
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.live.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
