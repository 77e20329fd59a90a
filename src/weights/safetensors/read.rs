//! Reads the header, checks it against the file's length, and then tensors on demand.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use ::safetensors::tensor::{Dtype as Stored, Metadata, TensorInfo};

use super::ORDER_KEY;
use crate::error::{Error, Result};
use crate::weights::{Dtype, Entry, Format, Layout, Source, decode, order, out_of_range};

/// The format's own limit.
const MAX_HEADER: u64 = 100_000_000;

/// An open safetensors file.
pub struct Safetensors {
    path: PathBuf,
    file: File,
    entries: Vec<Entry>,
    /// Where each entry's bytes start in the file.
    offsets: Vec<u64>,
    metadata: BTreeMap<String, String>,
}

impl Safetensors {
    /// # Errors
    /// The file cannot be read, is no safetensors file, is truncated, or holds a type that has no f32 reading.
    pub fn open(path: &Path) -> Result<Safetensors> {
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        let header = read_header(path, &mut file, length)?;
        let data_start = 8 + header.len() as u64;
        let table = parse_header(path, &header, length - data_start)?;
        let mut metadata: BTreeMap<String, String> =
            table.metadata().clone().unwrap_or_default().into_iter().collect();
        let mut found = entries(path, &table, data_start)?;
        sort(path, &mut found, metadata.remove(ORDER_KEY))?;
        let (entries, offsets) = found.into_iter().unzip();
        Ok(Safetensors { path: path.to_path_buf(), file, entries, offsets, metadata })
    }

    /// The byte of the file at which the values of the tensor `name` begin, and what they are.
    pub(in crate::weights) fn in_place(&self, name: &str) -> Option<(u64, &Entry)> {
        let index = self.entries.iter().position(|entry| entry.name == name)?;
        Some((self.offsets[index], &self.entries[index]))
    }

    /// Fills `values` with those of tensor `index` from element `start` on.
    pub(in crate::weights) fn read_part(
        &mut self,
        index: usize,
        start: usize,
        values: &mut [f32],
    ) -> Result<()> {
        let (Some(entry), Some(&offset)) = (self.entries.get(index), self.offsets.get(index)) else {
            return Err(out_of_range(&self.path, self.entries.len(), index));
        };
        let position = offset + (start * entry.dtype.size()) as u64;
        self.file
            .seek(SeekFrom::Start(position))
            .and_then(|_| decode::read_values(&mut self.file, entry.dtype, false, values))
            .map_err(Error::io("read", &self.path))
    }
}

impl Source for Safetensors {
    fn path(&self) -> &Path {
        &self.path
    }

    fn format(&self) -> Format {
        Format::Safetensors
    }

    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn read(&mut self, index: usize) -> Result<Vec<f32>> {
        let Some(entry) = self.entries.get(index) else {
            return Err(out_of_range(&self.path, self.entries.len(), index));
        };
        let mut values = vec![0.0; entry.numel()];
        self.read_part(index, 0, &mut values)?;
        Ok(values)
    }

    fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }
}

fn read_header(path: &Path, file: &mut File, length: u64) -> Result<Vec<u8>> {
    let mut size = [0; 8];
    if length < 8 {
        return Err(Error::weights(
            path,
            format!("{length} bytes are too few for a safetensors file; get the file again"),
        ));
    }
    file.read_exact(&mut size).map_err(Error::io("read", path))?;
    let size = u64::from_le_bytes(size);
    if size > length - 8 || size > MAX_HEADER {
        return Err(Error::weights(
            path,
            format!(
                "is not a whole safetensors file: a header of {size} bytes in a file of {length}; get the file again"
            ),
        ));
    }
    let mut header = vec![0; size as usize];
    file.read_exact(&mut header).map_err(Error::io("read", path))?;
    Ok(header)
}

/// The crate checks that the tensors fill the data without gap or overlap; here the data are compared with the file.
fn parse_header(path: &Path, header: &[u8], data_bytes: u64) -> Result<Metadata> {
    let table: Metadata = serde_json::from_slice(header).map_err(|e| {
        Error::weights(path, format!("has a corrupt safetensors header ({e}); get the file again"))
    })?;
    let declared = table.data_len() as u64;
    if declared != data_bytes {
        let problem = if declared > data_bytes { "is cut short" } else { "has bytes that no tensor claims" };
        return Err(Error::weights(
            path,
            format!(
                "{problem}: its header declares {declared} bytes of tensors, the file has {data_bytes}; get the file again"
            ),
        ));
    }
    Ok(table)
}

fn entries(path: &Path, table: &Metadata, data_start: u64) -> Result<Vec<(Entry, u64)>> {
    let mut found = Vec::new();
    for name in table.offset_keys() {
        if let Some(info) = table.info(&name) {
            let offset = data_start + info.data_offsets.0 as u64;
            found.push((entry(path, name, info)?, offset));
        }
    }
    Ok(found)
}

fn entry(path: &Path, name: String, info: &TensorInfo) -> Result<Entry> {
    let dtype = dtype(info.dtype).ok_or_else(|| {
        Error::weights(
            path,
            format!("'{name}' has type {}, which is not read; convert it to f32, f16 or bf16", info.dtype),
        )
    })?;
    Ok(Entry { stored_as: name.clone(), name, shape: info.shape.clone(), dtype, layout: Layout::Keras })
}

fn dtype(stored: Stored) -> Option<Dtype> {
    Some(match stored {
        Stored::F16 => Dtype::F16,
        Stored::BF16 => Dtype::Bf16,
        Stored::F32 => Dtype::F32,
        Stored::F64 => Dtype::F64,
        Stored::U8 | Stored::BOOL => Dtype::U8,
        Stored::I8 => Dtype::I8,
        Stored::U16 => Dtype::U16,
        Stored::I16 => Dtype::I16,
        Stored::U32 => Dtype::U32,
        Stored::I32 => Dtype::I32,
        Stored::U64 => Dtype::U64,
        Stored::I64 => Dtype::I64,
        _ => return None,
    })
}

/// By the order that the file states, else by name.
fn sort(path: &Path, found: &mut [(Entry, u64)], stated: Option<String>) -> Result<()> {
    let Some(stated) = stated else {
        found.sort_by(|(a, _), (b, _)| order::by_name(a, b));
        return Ok(());
    };
    let names: Vec<String> = serde_json::from_str(&stated).map_err(|e| {
        Error::weights(
            path,
            format!("metadata '{ORDER_KEY}' is no list of names ({e}); remove it or write the file again"),
        )
    })?;
    let place: BTreeMap<&str, usize> = names.iter().enumerate().map(|(i, n)| (n.as_str(), i)).collect();
    found.sort_by_key(|(entry, offset)| {
        (place.get(entry.name.as_str()).copied().unwrap_or(usize::MAX), *offset)
    });
    Ok(())
}
