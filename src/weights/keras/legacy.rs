//! The legacy layout: groups named after layers, in the order of the attribute `layer_names`.
//!
//! Written by Keras 1 and 2 always, and by Keras 3 for `.h5`. Source: keras/src/legacy/saving/legacy_h5_format.py.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::names;
use crate::error::{Error, Result};
use crate::weights::hdf5::{Node, Tensor};
use crate::weights::order;

/// A tensor under its canonical layer and parameter.
pub(super) struct Found {
    pub layer: String,
    pub parameter: String,
    pub tensor: Tensor,
}

/// All weights below `root`, in topological order. `positions` says where the model's configuration has each layer.
///
/// # Errors
/// A name that the lists promise is missing, or something is corrupt.
pub(super) fn read(path: &Path, root: &Node<'_>, positions: &HashMap<String, usize>) -> Result<Vec<Found>> {
    let layers = root.list("layer_names")?.ok_or_else(|| {
        let place = root.name();
        Error::weights(path, format!("{place} has no 'layer_names': this HDF5 file holds no Keras weights; give one written by save or save_weights"))
    })?;
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for layer in layers {
        let group = root.group(&layer)?;
        // Layers that share one group (which Keras never makes) would be read over and over.
        if !seen.insert(group.address()) {
            continue;
        }
        found.extend(read_group(&group, &layer, positions)?);
    }
    Ok(found)
}

fn read_group(group: &Node<'_>, layer: &str, positions: &HashMap<String, usize>) -> Result<Vec<Found>> {
    let weights = group.list("weight_names")?.unwrap_or_default();
    let nested = is_nested(&weights);
    let by_position = names::by_position(layer, weights.len());
    let mut found = Vec::new();
    for (weight, fallback) in weights.iter().zip(by_position) {
        let parameter = names::parameter(weight).map_or(fallback, str::to_string);
        let layer = if nested { scope(weight) } else { layer };
        found.push(Found { layer: layer.to_string(), parameter, tensor: group.tensor(weight)? });
    }
    if nested {
        sort_nested(&mut found, positions);
    }
    Ok(found)
}

/// A group whose weights stand under several names is a whole model used as one layer.
fn is_nested(weights: &[String]) -> bool {
    let mut scopes = weights.iter().map(|w| scope(w));
    let first = scopes.next();
    scopes.any(|s| Some(s) != first) && weights.iter().all(|w| w.contains('/'))
}

/// `block1_conv1` of `vgg19/block1_conv1/kernel:0`.
fn scope(weight: &str) -> &str {
    let front = weight.rsplit_once('/').map_or("", |(front, _)| front);
    front.rsplit('/').next().unwrap_or(front)
}

/// Keras lists a nested model's trainable weights before its frozen ones, so with `layers[:5]` frozen the first
/// convolutions stand last. The configuration knows the true order; without one, names are the best guide.
fn sort_nested(found: &mut [Found], positions: &HashMap<String, usize>) {
    let known = found.iter().all(|f| positions.contains_key(&f.layer));
    found.sort_by(|a, b| {
        let by_layer = match known {
            true => positions[&a.layer].cmp(&positions[&b.layer]),
            false => order::natural(&a.layer, &b.layer),
        };
        by_layer.then_with(|| order::rank(&a.parameter).cmp(&order::rank(&b.parameter)))
    });
}
