//! The images of a split that could not be read.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;

/// Images that could not be read so far. An image that fails in every epoch counts once.
#[derive(Clone, Debug, Default)]
pub struct Unreadable {
    /// Index in the split and what is wrong, the file named; the first [`Unreadable::NAMED`] of them.
    pub named: BTreeMap<u32, String>,
    /// Those beyond the ones named.
    others: BTreeSet<u32>,
}

impl Unreadable {
    /// How many are kept with their message: enough to mend, too few to fill the memory.
    pub const NAMED: usize = 100;

    pub fn count(&self) -> usize {
        self.named.len() + self.others.len()
    }

    pub(super) fn add(&mut self, index: u32, error: &Error) {
        if self.named.contains_key(&index) {
            return;
        }
        if self.named.len() < Self::NAMED {
            self.named.insert(index, error.to_string());
        } else {
            self.others.insert(index);
        }
    }
}
