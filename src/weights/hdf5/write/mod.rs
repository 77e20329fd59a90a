//! A small HDF5 writer: superblock 0, symbol-table groups, contiguous data, text attributes. What every HDF5
//! library of the last twenty years reads, and all that Keras' files need.
//!
//! All metadata are laid out first (sizes are known beforehand), then the values follow in order, so that a file
//! is written front to back without holding more than one tensor.
//! Source: HDF5 File Format Specification, version 1.1 (superblock 0).

mod group;
mod message;
mod text;

use std::io::{self, Write};

use self::group::place;
use self::text::Texts;

/// Sorted children per symbol node, and symbol nodes per group, are limited by these constants of the superblock.
const INTERNAL_K: usize = 16;

const UNDEFINED: u64 = u64::MAX;
const SUPERBLOCK_BYTES: u64 = 96;

/// Where a group was put.
struct Placed {
    header: u64,
    tree: u64,
    heap: u64,
}

/// A group to write.
#[derive(Default)]
pub(in crate::weights) struct Group {
    pub(in crate::weights) attributes: Vec<(String, Attribute)>,
    children: Vec<(String, Child)>,
}

enum Child {
    Group(Group),
    Data(Data),
}

/// An attribute: text is all that Keras keeps there.
pub(in crate::weights) enum Attribute {
    Text(String),
    /// An empty list becomes zero numbers of type f64, which is what h5py makes of it.
    List(Vec<String>),
}

/// A dataset to write.
pub(in crate::weights) struct Data {
    pub(in crate::weights) shape: Vec<usize>,
    pub(in crate::weights) kind: Kind,
}

/// Where a dataset's values come from and their type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::weights) enum Kind {
    /// f32 values of this outgoing tensor.
    F32(usize),
    /// The same rounded to f16.
    F16(usize),
    /// Whole numbers, signed 64 bits, of this outgoing tensor.
    I64s(usize),
    /// A whole number, signed 64 bits.
    I64(u64),
    /// The bits of one f32.
    Scalar(u32),
}

impl Kind {
    fn size(self) -> u64 {
        match self {
            Kind::F16(_) => 2,
            Kind::F32(_) | Kind::Scalar(_) => 4,
            Kind::I64(_) | Kind::I64s(_) => 8,
        }
    }
}

impl Group {
    /// The group at `path` below this one, made where it is missing.
    pub(in crate::weights) fn at(&mut self, path: &str) -> &mut Group {
        let mut group = self;
        for name in path.split('/').filter(|n| !n.is_empty()) {
            group = group.entry(name);
        }
        group
    }

    fn entry(&mut self, name: &str) -> &mut Group {
        let found = self.children.iter().position(|(n, child)| n == name && matches!(child, Child::Group(_)));
        let index = found.unwrap_or_else(|| {
            self.children.push((name.to_string(), Child::Group(Group::default())));
            self.children.len() - 1
        });
        match &mut self.children[index].1 {
            Child::Group(group) => group,
            // `position` and `push` above only give groups.
            Child::Data(_) => unreachable!("a dataset stands where a group was just found"),
        }
    }

    /// Adds a dataset; groups in `path` are made where they are missing. `false` if the name is taken.
    pub(in crate::weights) fn add(&mut self, path: &str, data: Data) -> bool {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let group = self.at(folder);
        let free = group.children.iter().all(|(n, _)| n != name);
        if free {
            group.children.push((name.to_string(), Child::Data(data)));
        }
        free
    }
}

/// A file laid out: its metadata, and the order in which values must follow.
pub(in crate::weights) struct Plan {
    metadata: Vec<u8>,
    values: Vec<(Kind, u64)>,
    end: u64,
}

/// Lays the file out.
///
/// # Errors
/// `InvalidInput` when an attribute or a group exceeds what the format holds.
pub(in crate::weights) fn plan(mut root: Group) -> io::Result<Plan> {
    let leaf_k = group::sort(&mut root)?;
    let mut texts = Texts::default();
    texts.collect(&root)?;
    let heap = texts.bytes();
    let mut out = Layout::new(leaf_k, SUPERBLOCK_BYTES + heap.len() as u64);
    let placed = place(&root, &texts, &mut out)?;
    let metadata_end = out.position();
    let mut end = metadata_end;
    let mut values = Vec::new();
    let mut data = std::mem::take(&mut out.data);
    // Groups were walked by name; values follow in the order of the tensors, which is how readers tell it.
    data.sort_by_key(|(kind, ..)| match kind {
        Kind::I64(_) | Kind::Scalar(_) => None,
        Kind::F32(index) | Kind::F16(index) | Kind::I64s(index) => Some(*index),
    });
    for (kind, count, patch) in data {
        end = end.next_multiple_of(8);
        out.patch(patch, end);
        values.push((kind, end));
        end += count * kind.size();
    }
    let mut metadata = message::superblock(leaf_k, INTERNAL_K, end, &placed);
    metadata.extend(heap);
    metadata.extend(out.bytes);
    Ok(Plan { metadata, values, end })
}

impl Plan {
    /// Writes the whole file to `out`. `write_values` writes those of a tensor in the type that was laid out,
    /// gives the number of bytes, and is called in order.
    pub(in crate::weights) fn write<W: Write, E>(
        &self,
        out: &mut W,
        io_error: impl Fn(io::Error) -> E,
        mut write_values: impl FnMut(&mut W, usize) -> Result<u64, E>,
    ) -> Result<(), E> {
        out.write_all(&self.metadata).map_err(&io_error)?;
        let mut position = self.metadata.len() as u64;
        for &(kind, start) in &self.values {
            out.write_all(&[0; 8][..(start - position) as usize]).map_err(&io_error)?;
            position = start
                + match kind {
                    Kind::F32(index) | Kind::F16(index) | Kind::I64s(index) => write_values(out, index)?,
                    Kind::I64(count) => out.write_all(&count.to_le_bytes()).map(|()| 8).map_err(&io_error)?,
                    Kind::Scalar(bits) => {
                        out.write_all(&bits.to_le_bytes()).map(|()| 4).map_err(&io_error)?
                    }
                };
        }
        debug_assert_eq!(position, self.end);
        Ok(())
    }
}

/// Metadata growing from `start`, and the datasets whose addresses are still to be filled in.
struct Layout {
    bytes: Vec<u8>,
    start: u64,
    leaf_k: usize,
    /// Kind, number of values, and where in `bytes` the address goes.
    data: Vec<(Kind, u64, usize)>,
}

impl Layout {
    fn new(leaf_k: usize, start: u64) -> Layout {
        Layout { bytes: Vec::new(), start, leaf_k, data: Vec::new() }
    }

    fn position(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Appends `block` (a multiple of eight long) and gives its address.
    fn append(&mut self, block: &[u8]) -> u64 {
        let address = self.position();
        self.bytes.extend_from_slice(block);
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        address
    }

    fn patch(&mut self, at: usize, address: u64) {
        self.bytes[at..at + 8].copy_from_slice(&address.to_le_bytes());
    }
}

fn too_large(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
