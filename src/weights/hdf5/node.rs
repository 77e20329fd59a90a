//! A group: its children by path, and its attributes as text.

use std::collections::HashMap;

use hdf5_reader::{RawAttribute, group::Group};

use super::{Hdf5, Tensor, corrupt, text};
use crate::error::{Error, Result};

/// A group and where it stands.
pub(in crate::weights) struct Node<'f> {
    hdf5: &'f Hdf5,
    group: Group,
    place: String,
}

impl<'f> Node<'f> {
    pub(super) fn new(hdf5: &'f Hdf5, group: Group, place: String) -> Node<'f> {
        Node { hdf5, group, place }
    }

    /// The same for two paths to one group.
    pub(in crate::weights) fn address(&self) -> u64 {
        self.group.address()
    }

    /// Names of child groups and of child datasets.
    ///
    /// # Errors
    /// The group's table is corrupt.
    pub(in crate::weights) fn children(&self) -> Result<(Vec<String>, Vec<String>)> {
        self.group.member_names().map_err(|e| self.corrupt(&self.place, &e))
    }

    /// The child group `name`, or `None`.
    ///
    /// # Errors
    /// This group or the child is corrupt.
    pub(in crate::weights) fn child(&self, name: &str) -> Result<Option<Node<'f>>> {
        if !self.children()?.0.iter().any(|n| n == name) {
            return Ok(None);
        }
        self.group(name).map(Some)
    }

    /// The group at `path`, relative to this one.
    ///
    /// # Errors
    /// It is not there, or corrupt.
    pub(in crate::weights) fn group(&self, path: &str) -> Result<Node<'f>> {
        let mut node = Node { hdf5: self.hdf5, group: self.group.clone(), place: self.place.clone() };
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let place = node.below(name);
            let group = node.group.group(name).map_err(|e| self.corrupt(&place, &e))?;
            node = Node { hdf5: self.hdf5, group, place };
        }
        Ok(node)
    }

    /// The dataset at `path`, relative to this group.
    ///
    /// # Errors
    /// It is not there, corrupt, not numeric, or reaches beyond the end of the file.
    pub(in crate::weights) fn tensor(&self, path: &str) -> Result<Tensor> {
        let (folder, name) = path.trim_matches('/').rsplit_once('/').unwrap_or(("", path));
        let parent = self.group(folder)?;
        let place = parent.below(name);
        let dataset = parent.group.dataset(name).map_err(|e| self.corrupt(&place, &e))?;
        // Links cost few bytes and tensors many: each is taken once, or a small file could name one a million times.
        if !self.hdf5.given.borrow_mut().insert(dataset.address()) {
            return Err(self.corrupt(&place, &"it is listed twice"));
        }
        Tensor::new(self.hdf5, dataset, place)
    }

    /// All attributes that hold one text, by name: `keras_version`, `backend`.
    ///
    /// # Errors
    /// The attributes are corrupt.
    pub(in crate::weights) fn texts(&self) -> Result<Vec<(String, String)>> {
        let all = self.attributes()?;
        let mut budget = self.budget();
        let single = all.iter().filter(|a| text::count(a.message()) == Some(1));
        Ok(single
            .filter_map(|a| Some((a.name().to_string(), one(&self.strings(a, &mut budget)?)?)))
            .collect())
    }

    /// The attribute `name` as one text.
    ///
    /// # Errors
    /// The attributes are corrupt.
    pub(in crate::weights) fn text(&self, name: &str) -> Result<Option<String>> {
        let all = self.attributes()?;
        let found = all.iter().find(|a| a.name() == name);
        Ok(found.and_then(|a| one(&self.strings(a, &mut self.budget())?)))
    }

    /// The attribute `name` as a list, joined from `name0`, `name1`, ... where Keras had to split it (an HDF5
    /// attribute holds at most 64 KiB).
    ///
    /// # Errors
    /// The attributes are corrupt, or `name` holds something other than text.
    pub(in crate::weights) fn list(&self, name: &str) -> Result<Option<Vec<String>>> {
        let all: HashMap<String, RawAttribute> =
            self.attributes()?.into_iter().map(|a| (a.name().to_string(), a)).collect();
        let mut budget = self.budget();
        if let Some(whole) = all.get(name) {
            return self.strings_of(whole, &mut budget).map(Some);
        }
        let mut joined = None;
        for part in 0.. {
            let Some(attribute) = all.get(&format!("{name}{part}")) else {
                break;
            };
            joined.get_or_insert_with(Vec::new).extend(self.strings_of(attribute, &mut budget)?);
        }
        Ok(joined)
    }

    fn strings_of(&self, attribute: &RawAttribute, budget: &mut usize) -> Result<Vec<String>> {
        // h5py writes an empty list as zero numbers of type f64.
        if text::count(attribute.message()) == Some(0) {
            return Ok(Vec::new());
        }
        self.strings(attribute, budget).ok_or_else(|| {
            let (path, name, place) = (&self.hdf5.path, attribute.name(), self.name());
            Error::weights(
                path,
                format!(
                    "attribute '{name}' of {place} is no list of names; the file is damaged, get it again"
                ),
            )
        })
    }

    fn strings(&self, attribute: &RawAttribute, budget: &mut usize) -> Option<Vec<String>> {
        let resolve = |reference: &[u8]| self.group.resolve_vlen_reference_bytes(reference, 1).ok();
        text::strings(attribute.message(), self.group.offset_size(), &resolve, budget)
    }

    /// All texts of a list together are no longer than the file.
    fn budget(&self) -> usize {
        usize::try_from(self.hdf5.window.len()).unwrap_or(usize::MAX)
    }

    fn attributes(&self) -> Result<Vec<RawAttribute>> {
        self.group
            .raw_attributes()
            .map_err(|e| self.corrupt(&format!("the attributes of {}", self.name()), &e))
    }

    /// For messages.
    pub(in crate::weights) fn name(&self) -> &str {
        if self.place.is_empty() { "the root group" } else { &self.place }
    }

    fn below(&self, name: &str) -> String {
        if self.place.is_empty() { name.to_string() } else { format!("{}/{name}", self.place) }
    }

    fn corrupt(&self, place: &str, problem: &dyn std::fmt::Display) -> Error {
        let place = if place.is_empty() { "the root group" } else { place };
        corrupt(&self.hdf5.path, place, problem)
    }
}

fn one(texts: &[String]) -> Option<String> {
    match texts {
        [text] => Some(text.clone()),
        _ => None,
    }
}
