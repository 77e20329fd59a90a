//! A part of a file that is read as if it were one: the whole of an `.h5`, or the stored member of a `.keras`.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Mutex;

use hdf5_reader::error::Error as Hdf5Error;
use hdf5_reader::{Storage, StorageBuffer};

/// The most that the HDF5 crate may ask for in one piece. Tensors do not pass here (`hdf5::Tensor` reads them
/// itself), so only metadata and single chunks do, and those are small.
const LARGEST_PIECE: usize = 64 << 20;

/// `len` bytes of `file` from `start`.
pub(super) struct Window {
    file: Mutex<File>,
    start: u64,
    len: u64,
}

impl Window {
    /// # Errors
    /// The file's length cannot be read.
    pub(super) fn whole(file: File) -> io::Result<Window> {
        let len = file.metadata()?.len();
        Ok(Window { file: Mutex::new(file), start: 0, len })
    }

    /// # Errors
    /// The part does not lie inside the file.
    pub(super) fn part(file: File, start: u64, len: u64) -> io::Result<Window> {
        let total = file.metadata()?.len();
        match start.checked_add(len) {
            Some(end) if end <= total => Ok(Window { file: Mutex::new(file), start, len }),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        // A panic elsewhere cannot leave the file half-changed: it is only ever read, from a position set each time.
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let position = self.start.checked_add(offset).ok_or(io::ErrorKind::UnexpectedEof)?;
        file.seek(SeekFrom::Start(position))?;
        file.read_exact(buffer)
    }

    /// Reads on from `offset`; never beyond the window.
    pub(super) fn reader(&self, offset: u64) -> impl Read + '_ {
        WindowReader { window: self, offset }
    }
}

struct WindowReader<'w> {
    window: &'w Window,
    offset: u64,
}

impl Read for WindowReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.window.len.saturating_sub(self.offset);
        let count = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.window.read_at(self.offset, &mut buffer[..count])?;
        self.offset += count as u64;
        Ok(count)
    }
}

impl Storage for Window {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_range(&self, offset: u64, len: usize) -> hdf5_reader::error::Result<StorageBuffer> {
        if len > LARGEST_PIECE {
            return Err(Hdf5Error::ResourceLimit(format!(
                "a piece of {len} bytes where {LARGEST_PIECE} is the limit"
            )));
        }
        let outside = || Hdf5Error::UnexpectedEof {
            offset,
            needed: len as u64,
            available: self.len.saturating_sub(offset),
        };
        if offset.checked_add(len as u64).is_none_or(|end| end > self.len) {
            return Err(outside());
        }
        let mut bytes = vec![0; len];
        self.read_at(offset, &mut bytes)?;
        Ok(StorageBuffer::from_vec(bytes))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn window(start: u64, len: u64) -> io::Result<Window> {
        let mut file = tempfile::tempfile()?;
        file.write_all(b"0123456789")?;
        Window::part(file, start, len)
    }

    #[test]
    fn reads_only_its_part() {
        let part = window(3, 4).unwrap();
        let mut all = Vec::new();
        part.reader(1).read_to_end(&mut all).unwrap();
        assert_eq!(all, b"456");
        assert_eq!(&*part.read_range(0, 4).unwrap(), b"3456");
    }

    #[test]
    fn refuses_what_lies_outside() {
        assert!(window(3, 8).is_err());
        assert!(window(u64::MAX, 2).is_err());
        let part = window(3, 4).unwrap();
        assert!(part.read_range(1, 4).is_err());
        assert!(part.read_range(u64::MAX, 4).is_err());
        assert!(part.read_range(0, usize::MAX).is_err());
    }
}
