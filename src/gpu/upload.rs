//! Writing to the device through a small ring of mapped buffers: feeding a step allocates nothing, and what is on its
//! way to the device is bounded.

use crate::error::Result;
use crate::gpu::ring::Chunk;
use crate::gpu::{Buffer, Device};

/// Bytes of one buffer of the ring; what is longer goes in pieces.
const CHUNK: u64 = 8 << 20;
/// Labels and the like are left to the queue, whose own staging is as small.
const SMALL: usize = 64 << 10;

impl Device {
    /// Writes `bytes` at `offset`, ordered before later submissions. Waits where the ring is full of what the device
    /// has not read yet. A loss of the device shows in the next submission.
    pub fn upload(&self, buffer: &Buffer, offset: u64, bytes: &[u8]) {
        if bytes.len() <= SMALL {
            return self.queue.write_buffer(buffer.words(), offset, &whole_words(bytes));
        }
        for (piece, at) in bytes.chunks(CHUNK as usize).zip((offset..).step_by(CHUNK as usize)) {
            if let Err(error) = self.copy_through_ring(buffer, at, piece) {
                return self.fail(error.to_string());
            }
        }
    }

    fn copy_through_ring(&self, buffer: &Buffer, offset: u64, piece: &[u8]) -> Result<()> {
        let staging = self.free_chunk()?;
        let bytes = whole_words(piece);
        let view = staging.slice(..bytes.len() as u64).get_mapped_range_mut();
        view.map_err(|e| self.error(e))?.copy_from_slice(&bytes);
        staging.unmap();
        let mut encoder = self.raw.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(&staging, 0, buffer.words(), offset, bytes.len() as u64);
        let read = self.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Write, .., |_| {});
        self.ring.put(Chunk { buffer: staging, read });
        Ok(())
    }

    /// A mapped buffer: a new one while there are few, else the one that was filled first, once it has been read.
    fn free_chunk(&self) -> Result<wgpu::Buffer> {
        match self.ring.take() {
            Some(chunk) => {
                let until = wgpu::PollType::Wait { submission_index: Some(chunk.read), timeout: None };
                self.poll(until)?;
                Ok(chunk.buffer)
            }
            None => Ok(self.raw.create_buffer(&wgpu::BufferDescriptor {
                label: Some("upload"),
                size: CHUNK,
                usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: true,
            })),
        }
    }
}

/// Copies go in words of four bytes.
fn whole_words(bytes: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    match bytes.len() % 4 {
        0 => bytes.into(),
        _ => {
            let mut padded = bytes.to_vec();
            padded.resize(bytes.len().next_multiple_of(4), 0);
            padded.into()
        }
    }
}
