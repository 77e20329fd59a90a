//! Object headers and the messages in them, byte by byte.

use std::io;

use super::text::Texts;
use super::{Attribute, Kind, Placed, UNDEFINED, too_large};

pub(super) const DATASPACE: u16 = 0x01;
pub(super) const DATATYPE: u16 = 0x03;
pub(super) const FILL_VALUE: u16 = 0x05;
pub(super) const LAYOUT: u16 = 0x08;
pub(super) const ATTRIBUTE: u16 = 0x0c;
pub(super) const SYMBOL_TABLE: u16 = 0x11;

/// Bytes of an object header before its first message, and of a message before its body.
pub(super) const HEADER_BYTES: usize = 16;
pub(super) const MESSAGE_BYTES: usize = 8;

/// Specification II.A, version 0.
pub(super) fn superblock(leaf_k: usize, internal_k: usize, end: u64, root: &Placed) -> Vec<u8> {
    let mut out = b"\x89HDF\r\n\x1a\n".to_vec();
    // Versions of superblock, free space, root group, reserved, shared messages; sizes of offsets and lengths.
    out.extend([0, 0, 0, 0, 0, 8, 8, 0]);
    out.extend((leaf_k as u16).to_le_bytes());
    out.extend((internal_k as u16).to_le_bytes());
    out.extend(0u32.to_le_bytes());
    for address in [0, UNDEFINED, end, UNDEFINED] {
        out.extend(address.to_le_bytes());
    }
    // The root's symbol-table entry, with B-tree and heap cached in it.
    out.extend(0u64.to_le_bytes());
    out.extend(root.header.to_le_bytes());
    out.extend(1u32.to_le_bytes());
    out.extend(0u32.to_le_bytes());
    out.extend(root.tree.to_le_bytes());
    out.extend(root.heap.to_le_bytes());
    out
}

/// An object header, version 1 (IV.A.1.a).
pub(super) fn object_header(messages: &[(u16, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    for (kind, content) in messages {
        let size = content.len().next_multiple_of(8);
        let size = u16::try_from(size)
            .map_err(|_| too_large(format!("{size} bytes of one attribute (64 KiB is the most)")))?;
        body.extend(kind.to_le_bytes());
        body.extend(size.to_le_bytes());
        body.extend([0; 4]);
        body.extend_from_slice(content);
        body.resize(body.len().next_multiple_of(8), 0);
    }
    let count =
        u16::try_from(messages.len()).map_err(|_| too_large(format!("{} attributes", messages.len())))?;
    let mut out = vec![1, 0];
    out.extend(count.to_le_bytes());
    out.extend(1u32.to_le_bytes());
    out.extend((body.len() as u32).to_le_bytes());
    out.extend([0; 4]);
    out.extend(body);
    Ok(out)
}

/// Dataspace, version 1 (IV.A.2.b). No dimension is a scalar.
pub(super) fn dataspace(shape: &[usize]) -> Vec<u8> {
    let mut out = vec![1, shape.len() as u8, 0, 0, 0, 0, 0, 0];
    out.extend(shape.iter().flat_map(|&d| (d as u64).to_le_bytes()));
    out
}

/// Datatype, version 1 (IV.A.2.d).
pub(super) fn datatype(kind: Kind) -> Vec<u8> {
    match kind {
        Kind::F32(_) | Kind::Scalar(_) => float(4, 31, [23, 8, 0, 23], 127),
        Kind::F16(_) => float(2, 15, [10, 5, 0, 10], 15),
        Kind::I64(_) | Kind::I64s(_) => {
            let mut out = vec![0x10, 0x08, 0, 0];
            out.extend(8u32.to_le_bytes());
            out.extend(0u16.to_le_bytes());
            out.extend(64u16.to_le_bytes());
            out
        }
    }
}

/// Little-endian IEEE number; `places` are exponent location and size, mantissa location and size.
fn float(size: u32, sign: u8, places: [u8; 4], bias: u32) -> Vec<u8> {
    let mut out = vec![0x11, 0x20, sign, 0];
    out.extend(size.to_le_bytes());
    out.extend(0u16.to_le_bytes());
    out.extend((size as u16 * 8).to_le_bytes());
    out.extend(places);
    out.extend(bias.to_le_bytes());
    out
}

/// UTF-8 text of any length, kept in the global heap (IV.A.2.d, class 9; base type one byte).
fn text_type() -> Vec<u8> {
    let mut out = vec![0x19, 0x01, 0x01, 0];
    out.extend(16u32.to_le_bytes());
    out.extend([0x10, 0, 0, 0]);
    out.extend(1u32.to_le_bytes());
    out.extend(0u16.to_le_bytes());
    out.extend(8u16.to_le_bytes());
    out
}

/// No fill value, space allocated late (IV.A.2.f, version 2).
pub(super) fn fill_value() -> Vec<u8> {
    vec![2, 2, 2, 0]
}

/// Contiguous data (IV.A.2.i, version 3); the address stands at byte 2 and is filled in later.
pub(super) fn contiguous(bytes: u64) -> Vec<u8> {
    let mut out = vec![3, 1];
    out.extend(UNDEFINED.to_le_bytes());
    out.extend(bytes.to_le_bytes());
    out
}

/// An attribute, version 1 (IV.A.2.m).
pub(super) fn attribute(name: &str, value: &Attribute, texts: &Texts) -> Vec<u8> {
    let (kind, space, data) = match value {
        Attribute::Text(text) => (text_type(), dataspace(&[]), texts.reference(text)),
        Attribute::List(list) if list.is_empty() => {
            (float(8, 63, [52, 11, 0, 52], 1023), dataspace(&[0]), Vec::new())
        }
        Attribute::List(list) => {
            let data = list.iter().flat_map(|text| texts.reference(text)).collect();
            (text_type(), dataspace(&[list.len()]), data)
        }
    };
    let mut out = vec![1, 0];
    for length in [name.len() + 1, kind.len(), space.len()] {
        out.extend((length as u16).to_le_bytes());
    }
    for part in [[name.as_bytes(), b"\0"].concat(), kind, space] {
        out.extend(part);
        out.resize(out.len().next_multiple_of(8), 0);
    }
    out.extend(data);
    out
}
