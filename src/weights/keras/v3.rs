//! The Keras 3 layout: `layers/conv2d_3/vars/0`, nested models as `layers/functional/layers/...`.
//!
//! Source: keras/src/saving/saving_lib.py. HDF5 lists groups alphabetically (`conv2d_10` before `conv2d_2`), so
//! the order comes from the configuration, else from where the values lie, which grows as they are written.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::config::{Layer, group_below};
use super::legacy::Found;
use super::names;
use crate::error::Result;
use crate::weights::hdf5::{Node, Tensor};
use crate::weights::order;

/// What holds the layers: today's name, and that of Keras 2.12 to 2.15.
const CONTAINERS: [&str; 2] = ["layers", "_layer_checkpoint_dependencies"];

/// Deeper nesting than any model has.
const MAX_DEPTH: usize = 16;

/// Does this file have the layout?
///
/// # Errors
/// The root group is corrupt.
pub(super) fn is_v3(root: &Node<'_>) -> Result<bool> {
    let (groups, _) = root.children()?;
    Ok(groups.iter().any(|g| CONTAINERS.contains(&g.as_str())))
}

/// All weights, in topological order.
///
/// # Errors
/// Something is corrupt.
pub(super) fn read(root: &Node<'_>, config: &[Layer]) -> Result<Vec<Found>> {
    let mut groups = Vec::new();
    collect(root, "", &mut HashSet::new(), 0, &mut groups)?;
    sort(&mut groups, config);
    let by_group: HashMap<&str, &Layer> = config.iter().map(|layer| (layer.group.as_str(), layer)).collect();
    let mut found = Vec::new();
    for group in groups {
        let layer = by_group.get(group.canonical.as_str()).map(|l| l.name.clone()).unwrap_or(group.name);
        let mut parameters: Vec<(String, Tensor)> =
            names::by_position(&group.class, group.tensors.len()).into_iter().zip(group.tensors).collect();
        names::sort_parameters(&mut parameters);
        found.extend(parameters.into_iter().map(|(parameter, tensor)| Found {
            layer: layer.clone(),
            parameter,
            tensor,
        }));
    }
    Ok(found)
}

/// One layer's group.
struct Group {
    /// Its place with today's container names, as the configuration counts it.
    canonical: String,
    /// From the attribute `name`, else the group's own.
    name: String,
    /// `conv2d_3`.
    class: String,
    /// Where its largest tensor lies. (Small things may fill holes left earlier, so groups' own addresses mislead.)
    position: u64,
    tensors: Vec<Tensor>,
}

impl Group {
    /// `None` for a layer without tensors of its own, such as a model around others.
    fn read(layer: &Node<'_>, canonical: &str, class: &str) -> Result<Option<Group>> {
        let Some(vars) = layer.child("vars")? else { return Ok(None) };
        let tensors = numbered(&vars)?;
        let Some(largest) = tensors.iter().max_by_key(|tensor| tensor.numel()) else { return Ok(None) };
        let position = largest.position();
        let name = vars.text("name")?.unwrap_or_else(|| class.to_string());
        Ok(Some(Group {
            canonical: canonical.to_string(),
            name,
            class: class.to_string(),
            position,
            tensors,
        }))
    }
}

/// Adds the groups of all layers below `node`, which stands at `canonical`.
fn collect(
    node: &Node<'_>,
    canonical: &str,
    seen: &mut HashSet<u64>,
    depth: usize,
    groups: &mut Vec<Group>,
) -> Result<()> {
    // A corrupt file may link a group into itself.
    if depth > MAX_DEPTH || !seen.insert(node.address()) {
        return Ok(());
    }
    let (children, _) = node.children()?;
    for container in CONTAINERS.iter().filter(|c| children.iter().any(|child| child == **c)) {
        let container = node.group(container)?;
        for class in container.children()?.0 {
            let layer = container.group(&class)?;
            if seen.contains(&layer.address()) {
                continue;
            }
            let canonical = group_below(canonical, &class);
            groups.extend(Group::read(&layer, &canonical, &class)?);
            collect(&layer, &canonical, seen, depth + 1, groups)?;
        }
    }
    Ok(())
}

/// The datasets `0`, `1`, ... of a `vars` group, in that order.
///
/// # Errors
/// Something is corrupt.
pub(super) fn numbered(vars: &Node<'_>) -> Result<Vec<Tensor>> {
    let (_, mut keys) = vars.children()?;
    keys.sort_by(|a, b| order::natural(a, b));
    keys.iter().map(|key| vars.tensor(key)).collect()
}

/// By the configuration where it knows every group; else by position in the file, provided that
/// agrees with the counters (`conv2d` before `conv2d_1`); else by name.
fn sort(groups: &mut [Group], config: &[Layer]) {
    let place: HashMap<&str, usize> =
        config.iter().enumerate().map(|(i, layer)| (layer.group.as_str(), i)).collect();
    if groups.iter().all(|g| place.contains_key(g.canonical.as_str())) {
        groups.sort_by_key(|g| place[g.canonical.as_str()]);
        return;
    }
    groups.sort_by_key(|g| g.position);
    if !counters_ascend(groups) {
        groups.sort_by(|a, b| order::natural(&a.name, &b.name));
    }
}

fn counters_ascend(groups: &[Group]) -> bool {
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    groups.iter().all(|group| {
        let stem = group.canonical.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_');
        let before = last.insert(stem, &group.canonical);
        before.is_none_or(|before| order::natural(before, &group.canonical).is_lt())
    })
}
