//! Groups: names in a local heap, sorted entries in symbol nodes, one B-tree node above them.

use std::io;

use super::message::{self, HEADER_BYTES, MESSAGE_BYTES};
use super::text::Texts;
use super::{Child, Data, Group, INTERNAL_K, Layout, Placed, UNDEFINED, too_large};

/// Bytes of a symbol-table entry.
const ENTRY_BYTES: usize = 40;

/// Sorts every group's children by name, as the format wants them, and chooses the superblock's leaf constant so
/// that each fits under one B-tree node: 2k entries in a symbol node, 2 * INTERNAL_K symbol nodes.
pub(super) fn sort(group: &mut Group) -> io::Result<usize> {
    group.children.sort_by(|(a, _), (b, _)| a.cmp(b));
    if let Some(twins) = group.children.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(too_large(format!("two members of one group are called '{}'", twins[0].0)));
    }
    let needed = group.children.len().div_ceil(4 * INTERNAL_K).max(4);
    if needed > 1 << 12 {
        return Err(too_large(format!("{} members in one group", group.children.len())));
    }
    let mut largest = needed;
    for (_, child) in &mut group.children {
        if let Child::Group(group) = child {
            largest = largest.max(sort(group)?);
        }
    }
    Ok(largest)
}

/// Puts `group` and all below it into `out`, children first.
pub(super) fn place(group: &Group, texts: &Texts, out: &mut Layout) -> io::Result<Placed> {
    let mut entries = Vec::new();
    for (name, child) in &group.children {
        let header = match child {
            Child::Group(group) => place(group, texts, out)?.header,
            Child::Data(data) => place_data(data, out)?,
        };
        entries.push((name.as_str(), header));
    }
    let (heap, offsets) = place_heap(&entries, out);
    let tree = place_tree(&entries, &offsets, out);
    let table = [tree.to_le_bytes(), heap.to_le_bytes()].concat();
    let mut messages = vec![(message::SYMBOL_TABLE, table)];
    for (name, value) in &group.attributes {
        messages.push((message::ATTRIBUTE, message::attribute(name, value, texts)));
    }
    let header = message::object_header(&messages)?;
    Ok(Placed { header: out.append(&header), tree, heap })
}

fn place_data(data: &Data, out: &mut Layout) -> io::Result<u64> {
    let count = data.shape.iter().product::<usize>() as u64;
    // The layout message comes first, so that the place of its address is known.
    let header = message::object_header(&[
        (message::LAYOUT, message::contiguous(count * data.kind.size())),
        (message::DATASPACE, message::dataspace(&data.shape)),
        (message::DATATYPE, message::datatype(data.kind)),
        (message::FILL_VALUE, message::fill_value()),
    ])?;
    let patch = out.bytes.len() + HEADER_BYTES + MESSAGE_BYTES + 2;
    if count > 0 {
        out.data.push((data.kind, count, patch));
    }
    Ok(out.append(&header))
}

/// The names, each ended by a zero and padded to eight; offset 0 is the empty name. Gives address and offsets.
fn place_heap(entries: &[(&str, u64)], out: &mut Layout) -> (u64, Vec<u64>) {
    let mut names = vec![0u8; 8];
    let mut offsets = Vec::new();
    for (name, _) in entries {
        offsets.push(names.len() as u64);
        names.extend(name.as_bytes());
        names.push(0);
        names.resize(names.len().next_multiple_of(8), 0);
    }
    let segment = out.append(&names);
    let mut head = b"HEAP\0\0\0\0".to_vec();
    head.extend((names.len() as u64).to_le_bytes());
    // 1: the list of free blocks is empty.
    head.extend(1u64.to_le_bytes());
    head.extend(segment.to_le_bytes());
    (out.append(&head), offsets)
}

/// Symbol nodes of up to 2k entries under one B-tree node of level 0 (III.A.1, III.B).
fn place_tree(entries: &[(&str, u64)], offsets: &[u64], out: &mut Layout) -> u64 {
    let per_node = 2 * out.leaf_k;
    let mut children = Vec::new();
    for (node, names) in entries.chunks(per_node).zip(offsets.chunks(per_node)) {
        let mut bytes = b"SNOD\x01\0".to_vec();
        bytes.extend((node.len() as u16).to_le_bytes());
        for ((_, header), offset) in node.iter().zip(names) {
            bytes.extend(offset.to_le_bytes());
            bytes.extend(header.to_le_bytes());
            bytes.extend([0; 24]);
        }
        bytes.resize(8 + per_node * ENTRY_BYTES, 0);
        // A key is the largest name below it.
        children.push((out.append(&bytes), names.last().copied().unwrap_or(0)));
    }
    let mut tree = b"TREE\0\0".to_vec();
    tree.extend((children.len() as u16).to_le_bytes());
    tree.extend(UNDEFINED.to_le_bytes());
    tree.extend(UNDEFINED.to_le_bytes());
    tree.extend(0u64.to_le_bytes());
    for (child, key) in children {
        tree.extend(child.to_le_bytes());
        tree.extend(key.to_le_bytes());
    }
    tree.resize(24 + 2 * INTERNAL_K * 8 + (2 * INTERNAL_K + 1) * 8, 0);
    out.append(&tree)
}
