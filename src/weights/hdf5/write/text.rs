//! The global heap: one collection that holds every text of the file's attributes (specification III.E).

use std::collections::BTreeMap;
use std::io;

use super::{Attribute, Child, Group, SUPERBLOCK_BYTES, too_large};

/// Each distinct text once.
#[derive(Default)]
pub(super) struct Texts {
    numbers: BTreeMap<String, u16>,
    in_order: Vec<String>,
}

impl Texts {
    /// Takes in the texts of `group` and all below it.
    pub(super) fn collect(&mut self, group: &Group) -> io::Result<()> {
        for (_, value) in &group.attributes {
            match value {
                Attribute::Text(text) => self.add(text)?,
                Attribute::List(list) => list.iter().try_for_each(|text| self.add(text))?,
            }
        }
        for (_, child) in &group.children {
            if let Child::Group(group) = child {
                self.collect(group)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() || self.numbers.contains_key(text) {
            return Ok(());
        }
        let number = u16::try_from(self.in_order.len() + 1)
            .map_err(|_| too_large("more than 65,535 names".to_string()))?;
        self.numbers.insert(text.to_string(), number);
        self.in_order.push(text.to_string());
        Ok(())
    }

    /// What an attribute keeps of a text: length, address of the collection, number in it.
    pub(super) fn reference(&self, text: &str) -> Vec<u8> {
        let number = self.numbers.get(text).copied().unwrap_or(0);
        let address = if number == 0 { 0 } else { SUPERBLOCK_BYTES };
        let mut out = (text.len() as u32).to_le_bytes().to_vec();
        out.extend(address.to_le_bytes());
        out.extend(u32::from(number).to_le_bytes());
        out
    }

    /// The collection. It stands right behind the superblock. Libraries expect at least 4096 bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut objects = Vec::new();
        for (text, number) in self.in_order.iter().zip(1u16..) {
            objects.extend(number.to_le_bytes());
            objects.extend(1u16.to_le_bytes());
            objects.extend(0u32.to_le_bytes());
            objects.extend((text.len() as u64).to_le_bytes());
            objects.extend(text.as_bytes());
            objects.resize(objects.len().next_multiple_of(8), 0);
        }
        // The rest is one free object, number 0, whose size counts its own 16 bytes.
        let size = (16 + objects.len() + 16).max(4096);
        let free = size - 16 - objects.len();
        let mut out = b"GCOL\x01\0\0\0".to_vec();
        out.extend((size as u64).to_le_bytes());
        out.extend(objects);
        out.extend(0u64.to_le_bytes());
        out.extend((free as u64).to_le_bytes());
        out.resize(size, 0);
        out
    }
}
