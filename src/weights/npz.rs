//! NumPy archives: a zip of `.npy` arrays, as `numpy.savez` and `savez_compressed` write them.
//!
//! Source of the header's format: numpy/lib/format.py, versions 1 to 3.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::zipped::Zipped;
use super::{Dtype, Entry, Format, Layout, Source, decode, order};
use crate::error::{Error, Result};

/// A header is a line of text; NumPy itself refuses longer ones.
const LARGEST_HEADER: usize = 64 << 10;

/// An open `.npz` file.
pub struct Npz {
    path: PathBuf,
    zip: Zipped,
    entries: Vec<Entry>,
    arrays: Vec<Array>,
    metadata: BTreeMap<String, String>,
}

/// Where and how one array is stored.
struct Array {
    member: usize,
    header_bytes: u64,
    big_endian: bool,
    fortran: bool,
}

impl Npz {
    /// # Errors
    /// No member is an array, or one is corrupt, truncated, or of a type that is not numeric.
    pub(super) fn open(path: &Path, mut zip: Zipped) -> Result<Npz> {
        let mut found = Vec::new();
        for file_name in zip.names() {
            if let (Some(name), Some(member)) = (file_name.strip_suffix(".npy"), zip.find(&file_name)) {
                found.push(describe(path, &mut zip, name, member)?);
            }
        }
        if found.is_empty() {
            return Err(Error::weights(path, refusal(&zip.names())));
        }
        found.sort_by(|(a, _), (b, _)| order::by_name(a, b));
        let (entries, arrays) = found.into_iter().unzip();
        Ok(Npz { path: path.to_path_buf(), zip, entries, arrays, metadata: BTreeMap::new() })
    }
}

/// The byte of the file at which the values of the array `name` begin, and what they are, where they lie there row-major and
/// with the lowest byte of each first.
///
/// # Errors
/// The array is corrupt.
pub(super) fn in_place(path: &Path, zip: &mut Zipped, name: &str) -> Result<Option<(u64, Entry)>> {
    let Some(member) = zip.find(&format!("{name}.npy")) else { return Ok(None) };
    let (entry, array) = describe(path, zip, name, member)?;
    let place = zip.in_place(member)?.filter(|_| !array.big_endian && !array.fortran);
    Ok(place.map(|(start, _)| (start + array.header_bytes, entry)))
}

fn refusal(names: &[String]) -> &'static str {
    if names.iter().any(|n| n.ends_with("data.pkl")) {
        "is a PyTorch archive (a pickle); load it in PyTorch and save it with safetensors.torch.save_file"
    } else {
        "is a zip without model.weights.h5 (.keras) and without .npy arrays (.npz); check what it is"
    }
}

fn describe(path: &Path, zip: &mut Zipped, name: &str, member: usize) -> Result<(Entry, Array)> {
    let broken = |what: String| {
        Error::weights(path, format!("array '{name}': {what}; save it again with numpy.savez"))
    };
    let (text, header_bytes) = zip.with_member(member, read_header)?;
    let header = parse_header(&text).ok_or_else(|| broken(format!("header {text:?} is not understood")))?;
    let (dtype, big_endian) =
        number_type(&header.descr).ok_or_else(|| broken(format!("type '{}' is not read", header.descr)))?;
    let declared = zip.unpacked_length(member)?;
    if dtype.bytes(&header.shape).and_then(|v| v.checked_add(header_bytes)) != Some(declared) {
        return Err(broken(format!("shape {:?} does not fit its {declared} bytes", header.shape)));
    }
    let entry = Entry {
        name: name.to_string(),
        stored_as: format!("{name}.npy"),
        shape: header.shape,
        dtype,
        layout: Layout::Keras,
    };
    Ok((entry, Array { member, header_bytes, big_endian, fortran: header.fortran }))
}

/// The header's text and how many bytes stand before the values.
fn read_header(member: &mut dyn Read) -> io::Result<(String, u64)> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_string());
    let mut start = [0; 8];
    member.read_exact(&mut start)?;
    if !start.starts_with(b"\x93NUMPY") {
        return Err(bad("it is no NumPy array"));
    }
    let size_bytes = if start[6] == 1 { 2 } else { 4 };
    let mut size = [0; 4];
    member.read_exact(&mut size[..size_bytes])?;
    let size = u32::from_le_bytes(size) as usize;
    if size > LARGEST_HEADER {
        return Err(bad("its header is too long"));
    }
    let mut text = vec![0; size];
    member.read_exact(&mut text)?;
    let text = String::from_utf8(text).map_err(|_| bad("its header is no text"))?;
    Ok((text, (8 + size_bytes + size) as u64))
}

struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

/// Out of `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
fn parse_header(text: &str) -> Option<Header> {
    let after = |key: &str| text.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start());
    let descr = after("descr")?.strip_prefix('\'')?.split_once('\'')?.0.to_string();
    let fortran = match after("fortran_order")? {
        rest if rest.starts_with("False") => false,
        rest if rest.starts_with("True") => true,
        _ => return None,
    };
    let tuple = after("shape")?.strip_prefix('(')?.split_once(')')?.0;
    let dims = tuple.split(',').map(str::trim).filter(|d| !d.is_empty());
    let shape = dims.map(|d| d.parse().ok()).collect::<Option<Vec<usize>>>()?;
    Some(Header { descr, fortran, shape })
}

fn number_type(descr: &str) -> Option<(Dtype, bool)> {
    let (byte_order, kind) = descr.split_at_checked(1)?;
    let big_endian = match byte_order {
        "<" | "|" => false,
        ">" => true,
        _ => return None,
    };
    let dtype = match kind {
        "f2" => Dtype::F16,
        "f4" => Dtype::F32,
        "f8" => Dtype::F64,
        "i1" => Dtype::I8,
        "i2" => Dtype::I16,
        "i4" => Dtype::I32,
        "i8" => Dtype::I64,
        "u1" | "b1" => Dtype::U8,
        "u2" => Dtype::U16,
        "u4" => Dtype::U32,
        "u8" => Dtype::U64,
        _ => return None,
    };
    Some((dtype, big_endian))
}

impl Source for Npz {
    fn path(&self) -> &Path {
        &self.path
    }

    fn format(&self) -> Format {
        Format::Npz
    }

    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn read(&mut self, index: usize) -> Result<Vec<f32>> {
        let (Some(entry), Some(array)) = (self.entries.get(index), self.arrays.get(index)) else {
            return Err(super::out_of_range(&self.path, self.entries.len(), index));
        };
        check_plausible(&mut self.zip, array.member)?;
        let mut values = vec![0.0; entry.numel()];
        self.zip.with_member(array.member, |mut member| {
            io::copy(&mut (&mut member).take(array.header_bytes), &mut io::sink())?;
            decode::read_values(&mut member, entry.dtype, array.big_endian, &mut values)
        })?;
        Ok(if array.fortran { row_major(&values, &entry.shape) } else { values })
    }

    fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }
}

fn check_plausible(zip: &mut Zipped, member: usize) -> Result<()> {
    let unpacked = zip.unpacked_length(member)?;
    if decode::is_plausible(unpacked, zip.packed_length(member)?) {
        return Ok(());
    }
    zip.with_member(member, |reader| match io::copy(reader, &mut io::sink())? {
        found if found == unpacked => Ok(()),
        found => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("it declares {unpacked} bytes and has {found}"),
        )),
    })
}

/// Column-major values (first index fastest) in row-major order.
fn row_major(values: &[f32], shape: &[usize]) -> Vec<f32> {
    let mut index = vec![0usize; shape.len()];
    let mut out = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        let place = index.iter().zip(shape).rev().fold(0, |place, (i, extent)| place * extent + i);
        out.push(values[place]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_numpy() {
        let header =
            parse_header("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }   \n").unwrap();
        assert_eq!((header.descr.as_str(), header.fortran, header.shape), ("<f4", false, vec![3, 4]));
        assert_eq!(
            parse_header("{'descr': '|u1', 'fortran_order': True, 'shape': (), }").unwrap().shape,
            Vec::<usize>::new()
        );
        assert_eq!(
            parse_header("{'descr': '|u1', 'fortran_order': True, 'shape': (5,), }").unwrap().shape,
            [5]
        );
        for bad in [
            "",
            "{'descr': '<f4'",
            "{'descr': '<f4', 'fortran_order': 3, 'shape': (1,)}",
            "{'descr': [('a', '<f4')], 'shape': (-1,)}",
        ] {
            assert!(parse_header(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn column_major_becomes_row_major() {
        // [[1, 2, 3], [4, 5, 6]] column by column.
        assert_eq!(row_major(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0], &[2, 3]), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(row_major(&[7.0], &[]), [7.0]);
    }
}
