//! A numeric dataset, described when the file is opened and read when asked for.

use std::sync::Arc;

use hdf5_reader::error::ByteOrder;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::layout::DataLayout;
use hdf5_reader::{Dataset, Datatype};

use super::{Hdf5, Window, corrupt, text};
use crate::error::{Error, Result};
use crate::weights::{Dtype, Entry, Layout, decode};

/// A dataset of numbers.
pub(in crate::weights) struct Tensor {
    path: std::path::PathBuf,
    window: Arc<Window>,
    dataset: Dataset,
    pub(in crate::weights) place: String,
    pub(in crate::weights) shape: Vec<usize>,
    pub(in crate::weights) dtype: Dtype,
    big_endian: bool,
    stored: Stored,
}

enum Stored {
    /// In one piece from this byte of the window on.
    At(u64),
    /// In chunks, or inside the object header.
    Packed,
}

impl Tensor {
    pub(super) fn new(hdf5: &Hdf5, dataset: Dataset, place: String) -> Result<Tensor> {
        let broken = |e: &dyn std::fmt::Display| corrupt(&hdf5.path, &place, e);
        let shape: Option<Vec<usize>> = dataset.shape().iter().map(|&d| usize::try_from(d).ok()).collect();
        let shape = shape.ok_or_else(|| broken(&"a dimension is too large"))?;
        let (dtype, big_endian) = number_type(&dataset).ok_or_else(|| {
            Error::weights(
                &hdf5.path,
                format!("{place} holds {:?}, not numbers that can be read as f32", dataset.dtype()),
            )
        })?;
        let bytes = dtype.bytes(&shape).ok_or_else(|| broken(&"its size overflows"))?;
        let stored = find(hdf5, &dataset, bytes).map_err(|e| broken(&e))?;
        let (path, window) = (hdf5.path.clone(), hdf5.window.clone());
        Ok(Tensor { path, window, dataset, place, shape, dtype, big_endian, stored })
    }

    /// What the file offers with it, under the canonical `name`.
    pub(in crate::weights) fn entry(&self, name: String) -> Entry {
        let (stored_as, shape) = (self.place.clone(), self.shape.clone());
        Entry { name, stored_as, shape, dtype: self.dtype, layout: Layout::Keras }
    }

    pub(in crate::weights) fn numel(&self) -> usize {
        self.shape.iter().product()
    }

    /// Where it lies in the file; grows as a file is written.
    pub(in crate::weights) fn position(&self) -> u64 {
        match self.stored {
            Stored::At(offset) => offset,
            Stored::Packed => self.dataset.address(),
        }
    }

    /// The byte of the window at which its values begin, where they lie in one piece, the lowest byte of each first.
    pub(in crate::weights) fn in_place(&self) -> Option<u64> {
        match self.stored {
            Stored::At(offset) if !self.big_endian => Some(offset),
            _ => None,
        }
    }

    /// All values, row-major.
    ///
    /// # Errors
    /// The file changed, a chunk is corrupt, or chunks are missing.
    pub(in crate::weights) fn read(&self) -> Result<Vec<f32>> {
        if self.numel() == 0 {
            return Ok(Vec::new());
        }
        match self.stored {
            Stored::At(offset) => {
                let mut values = vec![0.0; self.numel()];
                decode::read_values(
                    &mut self.window.reader(offset),
                    self.dtype,
                    self.big_endian,
                    &mut values,
                )
                .map_err(Error::io("read", &self.path))?;
                Ok(values)
            }
            Stored::Packed => self.read_packed(),
        }
    }

    /// A single whole number, exact beyond what f32 holds: an optimizer's iteration.
    ///
    /// # Errors
    /// It is no single number, or negative, or cannot be read.
    pub(in crate::weights) fn read_count(&self) -> Result<u64> {
        let broken = |e: &dyn std::fmt::Display| corrupt(&self.path, &self.place, e);
        if self.numel() != 1 {
            return Err(broken(&format!("a single number was expected, its shape is {:?}", self.shape)));
        }
        if matches!(self.dtype, Dtype::F16 | Dtype::Bf16 | Dtype::F32 | Dtype::F64) {
            return Ok(self.read()?.first().map_or(0, |&x| x as u64));
        }
        let mut bytes = self.dataset.read_raw_bytes().map_err(|e| broken(&e))?;
        if self.big_endian {
            bytes.reverse();
        }
        let count = bytes.iter().rev().fold(0u64, |n, &b| (n << 8) | u64::from(b));
        i64::try_from(count).map(|_| count).map_err(|_| broken(&"it is negative"))
    }

    fn read_packed(&self) -> Result<Vec<f32>> {
        let broken = |e: &dyn std::fmt::Display| corrupt(&self.path, &self.place, e);
        self.check_plausible()?;
        let mut values = vec![0.0; self.numel()];
        if self.dtype == Dtype::F32 {
            self.dataset.read_into(&mut values).map_err(|e| broken(&e))?;
        } else {
            let bytes = self.dataset.read_raw_bytes().map_err(|e| broken(&e))?;
            decode::values(self.dtype, self.big_endian, &bytes, &mut values);
        }
        Ok(values)
    }

    /// Where the claim is bold, chunks are unpacked one by one and counted first; unallocated chunks (which would read as
    /// zeros) are refused with it.
    fn check_plausible(&self) -> Result<()> {
        let claimed = (self.numel() as u64).saturating_mul(self.dtype.size() as u64);
        if decode::is_plausible(claimed, self.window.len()) {
            return Ok(());
        }
        let broken = |e: &dyn std::fmt::Display| corrupt(&self.path, &self.place, e);
        let mut found = 0u64;
        for chunk in self.dataset.iter_chunks().map_err(|e| broken(&e))? {
            found = found.saturating_add(chunk.map_err(|e| broken(&e))?.bytes().len() as u64);
        }
        if found < claimed {
            return Err(broken(&format!("it claims {claimed} bytes and has {found}")));
        }
        Ok(())
    }
}

/// Where the data lie, if in one piece; checked against the length of the file.
fn find(hdf5: &Hdf5, dataset: &Dataset, bytes: u64) -> std::result::Result<Stored, String> {
    let header = hdf5.file.get_or_parse_header(dataset.address()).map_err(|e| e.to_string())?;
    let layout = header.messages.iter().find_map(|message| match message {
        HdfMessage::DataLayout(message) => Some(&message.layout),
        _ => None,
    });
    let Some(DataLayout::Contiguous { address, .. }) = layout else {
        return Ok(Stored::Packed);
    };
    if bytes == 0 {
        return Ok(Stored::At(0));
    }
    let start = address.checked_add(hdf5.file.superblock().base_address);
    match start.and_then(|start| Some((start, start.checked_add(bytes)?))) {
        Some((start, end)) if end <= hdf5.window.len() => Ok(Stored::At(start)),
        _ if *address == u64::MAX => Err("its values were never written".to_string()),
        _ => Err(format!("its {bytes} bytes reach beyond the end of the file ({} bytes)", hdf5.window.len())),
    }
}

fn number_type(dataset: &Dataset) -> Option<(Dtype, bool)> {
    let big = |order: &ByteOrder| *order == ByteOrder::BigEndian;
    match dataset.dtype() {
        Datatype::FloatingPoint { size, byte_order } => {
            let dtype = match size {
                2 => Dtype::F16,
                4 => Dtype::F32,
                8 => Dtype::F64,
                _ => return None,
            };
            Some((dtype, big(byte_order)))
        }
        Datatype::FixedPoint { size, signed, byte_order } => {
            Some((integer(*size, *signed)?, big(byte_order)))
        }
        // Keras stores bfloat16 as two opaque bytes and says so beside them.
        Datatype::Opaque { size: 2, .. } => says_bfloat16(dataset).then_some((Dtype::Bf16, false)),
        _ => None,
    }
}

fn says_bfloat16(dataset: &Dataset) -> bool {
    let resolve = |reference: &[u8]| dataset.resolve_vlen_reference_bytes(reference, 1).ok();
    let offset_size = dataset.vlen_reference_size().saturating_sub(8) as u8;
    let attributes = dataset.raw_attributes().unwrap_or_default();
    let found = attributes.iter().find(|a| a.name() == "dtype");
    let texts = found.and_then(|a| text::strings(a.message(), offset_size, &resolve, &mut 64));
    texts.is_some_and(|texts| texts == ["bfloat16"])
}

fn integer(size: u8, signed: bool) -> Option<Dtype> {
    Some(match (size, signed) {
        (1, true) => Dtype::I8,
        (1, false) => Dtype::U8,
        (2, true) => Dtype::I16,
        (2, false) => Dtype::U16,
        (4, true) => Dtype::I32,
        (4, false) => Dtype::U32,
        (8, true) => Dtype::I64,
        (8, false) => Dtype::U64,
        _ => return None,
    })
}
