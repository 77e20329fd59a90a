//! Reading results without stalling: the copy is queued now and collected when it is wanted. Large tensors come piece
//! by piece, so that reading one takes little memory beside it.

use crate::error::Result;
use crate::gpu::{Buffer, Device};

/// Bytes of a large tensor that are under way at a time.
const PIECE: usize = 8 << 20;

/// Bytes on their way back from the device.
pub struct ReadBack {
    staging: wgpu::Buffer,
    submission: wgpu::SubmissionIndex,
    bytes: usize,
}

impl Device {
    /// Queues a copy of (buffer, offset, bytes) ranges behind everything submitted so far. They arrive joined, each
    /// padded to whole words.
    pub fn read_later(&self, ranges: &[(&Buffer, u64, u64)]) -> ReadBack {
        let total: u64 = ranges.iter().map(|(_, _, bytes)| bytes.next_multiple_of(4)).sum();
        let staging = self.raw.create_buffer(&wgpu::BufferDescriptor {
            label: Some("read back"),
            size: total,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.raw.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut at = 0;
        for (buffer, offset, bytes) in ranges {
            let bytes = bytes.next_multiple_of(4);
            encoder.copy_buffer_to_buffer(buffer.words(), *offset, &staging, at, bytes);
            at += bytes;
        }
        let submission = self.queue.submit([encoder.finish()]);
        staging.slice(..).map_async(wgpu::MapMode::Read, |_| {});
        ReadBack { staging, submission, bytes: total as usize }
    }
}

impl Device {
    /// Reads `bytes` bytes from `offset`, after everything submitted so far.
    ///
    /// # Errors
    /// The device was lost.
    pub fn download(&self, buffer: &Buffer, offset: u64, bytes: u64) -> Result<Vec<u8>> {
        let mut out = vec![0; bytes as usize];
        self.download_into(buffer, offset, &mut out)?;
        Ok(out)
    }

    /// As [`Device::download`], into memory that is there.
    ///
    /// # Errors
    /// The device was lost.
    pub fn download_into(&self, buffer: &Buffer, offset: u64, out: &mut [u8]) -> Result<()> {
        for (piece, at) in out.chunks_mut(PIECE).zip((offset..).step_by(PIECE)) {
            let bytes = self.read_later(&[(buffer, at, piece.len() as u64)]).wait(self)?;
            piece.copy_from_slice(&bytes[..piece.len()]);
        }
        Ok(())
    }
}

impl ReadBack {
    /// Waits until the copy is done and gives the bytes.
    ///
    /// # Errors
    /// The device was lost.
    pub fn wait(self, device: &Device) -> Result<Vec<u8>> {
        let until = wgpu::PollType::Wait { submission_index: Some(self.submission), timeout: None };
        device.poll(until)?;
        device.check()?;
        let view = self.staging.slice(..).get_mapped_range();
        let view = view.map_err(|e| device.error(e))?;
        Ok(view[..self.bytes].to_vec())
    }
}
