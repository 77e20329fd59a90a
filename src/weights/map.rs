//! Which tensor of a file goes into which parameter: by layer order or by layer name, as Keras does.
//!
//! Source: `load_weights_from_hdf5_group` and `..._by_name` in keras/src/legacy/saving/legacy_h5_format.py.

use std::collections::HashMap;
use std::path::Path;

use super::entry::layer_of;
use super::{Entry, Layout, Source};
use crate::error::{Error, Result};

/// A parameter that a model has, in topological order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// `block1_conv1/kernel`.
    pub name: String,
    /// Keras' layout: (kh, kw, ci, co), (in, out).
    pub shape: Vec<usize>,
}

/// How layers of the model and of the file find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The first layer with weights takes the first of the file, and so on; the counts must agree.
    Order,
    /// Layers of the same name; those that the file lacks keep what they have.
    Name,
}

/// `wanted[self.wanted]` takes `entries[self.entry]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment {
    pub wanted: usize,
    pub entry: usize,
    /// What reading the entry does to its layout.
    pub layout: Layout,
}

/// The outcome of [`assign`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    /// In the model's order.
    pub pairs: Vec<Assignment>,
    /// Parameters that keep what they have, and why.
    pub skipped: Vec<Skipped>,
    /// Tensors of the file that no parameter takes.
    pub unused: Vec<usize>,
}

/// A parameter that the file does not fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub wanted: usize,
    pub reason: String,
}

/// Finds a tensor of `source` for each of `wanted`. Layers are runs of names with the same part before the last `/`.
///
/// With `skip_mismatch`, a layer whose shapes differ keeps what it has; otherwise that is an error.
///
/// # Errors
/// By order: another number of layers. Either way: a layer with another number of arrays, or of another shape; by name:
/// no layer in common. Each names both sides.
pub fn assign(source: &dyn Source, wanted: &[Wanted], by: By, skip_mismatch: bool) -> Result<Mapping> {
    let model = layers(wanted.iter().map(|w| layer_of(&w.name)));
    let file = layers(source.entries().iter().map(Entry::layer));
    let pairs = match by {
        By::Order => in_order(source.path(), &model, &file)?,
        By::Name => by_name(source.path(), &model, &file)?,
    };
    let mut mapping = Mapping::default();
    let context = Context { path: source.path(), wanted, entries: source.entries(), skip_mismatch };
    for (ours, theirs) in &model.iter().zip(pairs).collect::<Vec<_>>() {
        match theirs {
            Some(theirs) => context.match_layer(ours, theirs, &mut mapping)?,
            None => mapping.skip(ours, "the file has no layer of this name"),
        }
    }
    mapping.unused = unused(&mapping.pairs, source.entries().len());
    Ok(mapping)
}

impl Mapping {
    fn skip(&mut self, layer: &Run<'_>, reason: &str) {
        self.skipped.extend(layer.indices().map(|wanted| Skipped { wanted, reason: reason.to_string() }));
    }
}

fn unused(pairs: &[Assignment], count: usize) -> Vec<usize> {
    let mut used = vec![false; count];
    for pair in pairs {
        used[pair.entry] = true;
    }
    (0..count).filter(|&i| !used[i]).collect()
}

/// The parameters of one layer: `first..first + count`.
#[derive(Debug, Clone, Copy)]
struct Run<'n> {
    name: &'n str,
    first: usize,
    count: usize,
}

impl Run<'_> {
    fn indices(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.count
    }
}

fn layers<'n>(names: impl Iterator<Item = &'n str>) -> Vec<Run<'n>> {
    let mut runs: Vec<Run<'n>> = Vec::new();
    for (index, name) in names.enumerate() {
        match runs.last_mut() {
            Some(run) if run.name == name => run.count += 1,
            _ => runs.push(Run { name, first: index, count: 1 }),
        }
    }
    runs
}

fn in_order<'f>(path: &Path, model: &[Run<'_>], file: &'f [Run<'f>]) -> Result<Vec<Option<&'f Run<'f>>>> {
    if model.len() == file.len() {
        return Ok(file.iter().map(Some).collect());
    }
    let differ = model.iter().zip(file).position(|(ours, theirs)| ours.name != theirs.name);
    let first = differ.unwrap_or(model.len().min(file.len()));
    let name = |runs: &[Run<'_>]| {
        runs.get(first).map_or("nothing more".to_string(), |run| format!("'{}'", run.name))
    };
    Err(Error::weights(
        path,
        format!(
            "has {} layers with weights, the model has {}; they part at layer {}: {} in the file, {} in the model. \
             Load by name to take the layers in common",
            file.len(),
            model.len(),
            first + 1,
            name(file),
            name(model),
        ),
    ))
}

fn by_name<'f>(path: &Path, model: &[Run<'_>], file: &'f [Run<'f>]) -> Result<Vec<Option<&'f Run<'f>>>> {
    let index: HashMap<&str, &Run<'_>> = file.iter().rev().map(|run| (run.name, run)).collect();
    let found: Vec<Option<&Run<'_>>> = model.iter().map(|ours| index.get(ours.name).copied()).collect();
    if found.iter().all(Option::is_none) && !model.is_empty() {
        let names = |runs: &[Run<'_>]| runs.iter().take(3).map(|run| run.name).collect::<Vec<_>>().join(", ");
        let (theirs, ours) = (names(file), names(model));
        return Err(Error::weights(
            path,
            format!(
                "has no layer of the model's names (file: {theirs}, ...; model: {ours}, ...); load by order instead"
            ),
        ));
    }
    Ok(found)
}

struct Context<'c> {
    path: &'c Path,
    wanted: &'c [Wanted],
    entries: &'c [Entry],
    skip_mismatch: bool,
}

impl Context<'_> {
    fn match_layer(&self, ours: &Run<'_>, theirs: &Run<'_>, mapping: &mut Mapping) -> Result<()> {
        if let Some(reason) = self.mismatch(ours, theirs) {
            if !self.skip_mismatch {
                return Err(Error::weights(
                    self.path,
                    format!("{reason}; give weights of this model, or skip mismatches"),
                ));
            }
            mapping.skip(ours, &reason);
            return Ok(());
        }
        let pairs = ours.indices().zip(theirs.indices());
        mapping.pairs.extend(pairs.map(|(wanted, entry)| Assignment {
            wanted,
            entry,
            layout: self.entries[entry].layout,
        }));
        Ok(())
    }

    /// Why the two layers do not fit, in a sentence that names both.
    fn mismatch(&self, ours: &Run<'_>, theirs: &Run<'_>) -> Option<String> {
        if ours.count != theirs.count {
            let (a, b) = (theirs.name, ours.name);
            return Some(format!(
                "layer '{a}' of the file has {} arrays, '{b}' of the model has {}",
                theirs.count, ours.count
            ));
        }
        let mut pairs = ours.indices().zip(theirs.indices());
        let (wanted, entry) = pairs.find(|&(w, e)| self.wanted[w].shape != self.entries[e].shape)?;
        let (wanted, entry) = (&self.wanted[wanted], &self.entries[entry]);
        Some(format!(
            "'{}' of the file is {}, '{}' of the model is {}",
            entry.name,
            dims(&entry.shape),
            wanted.name,
            dims(&wanted.shape)
        ))
    }
}

/// `3x3x64x128`; `scalar` for no dimension.
pub(super) fn dims(shape: &[usize]) -> String {
    match shape {
        [] => "scalar".to_string(),
        _ => shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x"),
    }
}
