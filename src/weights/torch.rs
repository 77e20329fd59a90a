//! torchvision's VGG in safetensors: `features.0.weight` (co, ci, kh, kw), `classifier.0.weight` (out, in).
//!
//! Presented as Keras has it: `block1_conv1/kernel` (kh, kw, ci, co). The first dense layer reads a flattened map,
//! (c, h, w) there and (h, w, c) here, so its rows are permuted too. Source: torchvision/models/vgg.py.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::safetensors::Safetensors;
use super::{Entry, Format, Layout, Source, order};
use crate::error::{Error, Result};

/// Values transposed at a time (16 MiB of f32): rows are gathered in blocks so that writes stay local.
const BLOCK: usize = 4 << 20;

/// A torchvision VGG, seen as a Keras one.
pub struct Torch {
    inner: Safetensors,
    entries: Vec<Entry>,
    /// The tensor of `inner` behind each entry.
    places: Vec<usize>,
    metadata: BTreeMap<String, String>,
}

impl Torch {
    /// Do the names look like torchvision's?
    pub(super) fn recognises(source: &Safetensors) -> bool {
        source.entries().iter().any(|e| e.name == "features.0.weight" && e.shape.len() == 4)
    }

    /// # Errors
    /// The layers do not form a VGG.
    pub(super) fn new(inner: Safetensors) -> Result<Torch> {
        let names = Names::of(&inner);
        let mut found: Vec<(Entry, usize)> = Vec::new();
        for (place, stored) in inner.entries().iter().enumerate() {
            if let Some(name) = names.canonical(stored)? {
                found.push((names.entry(inner.path(), stored, name)?, place));
            }
        }
        found.sort_by(|(a, _), (b, _)| order::by_name(a, b));
        let mut metadata = inner.metadata().clone();
        metadata.entry("preprocessing".to_string()).or_insert_with(|| "torch".to_string());
        let (entries, places) = found.into_iter().unzip();
        Ok(Torch { inner, entries, places, metadata })
    }
}

impl Source for Torch {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn format(&self) -> Format {
        Format::Torchvision
    }

    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn read(&mut self, index: usize) -> Result<Vec<f32>> {
        let (Some(entry), Some(&place)) = (self.entries.get(index), self.places.get(index)) else {
            return Err(super::out_of_range(self.inner.path(), self.entries.len(), index));
        };
        let inner = &mut self.inner;
        match entry.layout {
            Layout::Keras => inner.read(place),
            layout => transposed(entry, layout, |start, values| inner.read_part(place, start, values)),
        }
    }

    fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }
}

/// (out, k) in the file -> (permuted k, out). Rows of k are (c, h, w) there and (h, w, c) here.
fn transposed(
    entry: &Entry,
    layout: Layout,
    mut read: impl FnMut(usize, &mut [f32]) -> Result<()>,
) -> Result<Vec<f32>> {
    let out = entry.shape.last().copied().unwrap_or(1);
    let mut result = vec![0.0; entry.numel()];
    let k = result.len().checked_div(out).unwrap_or(0);
    let (c, hw) = match (layout, entry.shape.as_slice()) {
        (Layout::ConvOihw, [h, w, c, _]) => (*c, h * w),
        (Layout::FlattenChw { c, h, w }, _) => (c, h * w),
        _ => (k, 1),
    };
    let rows = (BLOCK / k.max(1)).clamp(1, 64);
    let mut block = vec![0.0; rows.min(out) * k];
    for first in (0..out).step_by(rows) {
        let count = rows.min(out - first);
        let block = &mut block[..count * k];
        read(first * k, block)?;
        for from in 0..k {
            let to = (from % hw) * c + from / hw;
            let target = &mut result[to * out + first..][..count];
            for (value, row) in target.iter_mut().zip(block.chunks_exact(k)) {
                *value = row[from];
            }
        }
    }
    Ok(result)
}

/// The canonical layer of each `features.N` and `classifier.N`.
struct Names {
    layers: BTreeMap<String, String>,
    /// The first dense layer and the channels of the map that it flattens.
    flatten: Option<(String, usize)>,
}

impl Names {
    fn of(source: &Safetensors) -> Names {
        let ranked = |prefix: &str, rank: usize| -> BTreeMap<usize, &Entry> {
            let weights = source.entries().iter().filter(|e| e.shape.len() == rank);
            weights
                .filter_map(|e| {
                    Some((e.name.strip_prefix(prefix)?.strip_suffix(".weight")?.parse().ok()?, e))
                })
                .collect()
        };
        let (convolutions, dense) = (ranked("features.", 4), ranked("classifier.", 2));
        let norms: BTreeSet<usize> = ranked("features.", 1).into_keys().collect();
        let mut layers = convolution_layers(&convolutions.keys().copied().collect::<Vec<_>>(), &norms);
        for (position, index) in dense.keys().enumerate() {
            layers.insert(format!("classifier.{index}"), dense_name(position, dense.len()));
        }
        let channels = convolutions.values().next_back().map(|e| e.shape[0]);
        let flatten = dense.keys().next().zip(channels).map(|(index, c)| (format!("classifier.{index}"), c));
        Names { layers, flatten }
    }

    /// `block1_conv1/kernel` for `features.0.weight`; `None` for what Keras does not keep.
    fn canonical(&self, stored: &Entry) -> Result<Option<String>> {
        let Some((layer, parameter)) = stored.name.rsplit_once('.') else {
            return Ok(None);
        };
        let parameter =
            match (parameter, layer.starts_with("features.") && stored.shape.len() == 1, self.is_norm(layer))
            {
                ("weight", true, _) => "gamma",
                ("bias", true, true) => "beta",
                ("weight", ..) => "kernel",
                ("bias", ..) => "bias",
                ("running_mean", ..) => "moving_mean",
                ("running_var", ..) => "moving_variance",
                _ => return Ok(None),
            };
        Ok(Some(match self.layers.get(layer) {
            Some(name) => format!("{name}/{parameter}"),
            None => format!("{layer}/{parameter}"),
        }))
    }

    fn is_norm(&self, layer: &str) -> bool {
        self.layers.get(layer).is_some_and(|name| name.contains("_bn"))
    }

    fn entry(&self, path: &Path, stored: &Entry, name: String) -> Result<Entry> {
        let layer = stored.name.rsplit_once('.').map_or("", |(layer, _)| layer);
        let (shape, layout) = match (stored.shape.as_slice(), &self.flatten) {
            ([o, i, h, w], _) => (vec![*h, *w, *i, *o], Layout::ConvOihw),
            ([o, i], Some((first, c))) if layer == first && i > c => {
                (vec![*i, *o], flatten(path, &stored.name, *i, *c)?)
            }
            ([o, i], _) => (vec![*i, *o], Layout::DenseOutIn),
            (shape, _) => (shape.to_vec(), Layout::Keras),
        };
        Ok(Entry { name, stored_as: stored.name.clone(), shape, dtype: stored.dtype, layout })
    }
}

fn flatten(path: &Path, name: &str, inputs: usize, c: usize) -> Result<Layout> {
    let pixels = inputs.checked_div(c).unwrap_or(0);
    let side = pixels.isqrt();
    if side * side * c != inputs || inputs == 0 {
        return Err(Error::weights(
            path,
            format!(
                "'{name}' has {inputs} inputs, which are no square map of {c} channels; export a torchvision VGG"
            ),
        ));
    }
    Ok(Layout::FlattenChw { c, h: side, w: side })
}

fn dense_name(position: usize, count: usize) -> String {
    match (count, position) {
        (3, 0) => "fc1".to_string(),
        (3, 1) => "fc2".to_string(),
        (3, _) | (1, _) => "predictions".to_string(),
        (_, 0) => "dense".to_string(),
        _ => format!("dense_{position}"),
    }
}

/// `features` is a flat list conv, (norm,) relu, conv, ..., pool: a wider step than usual means a pool between.
fn convolution_layers(indices: &[usize], norms: &BTreeSet<usize>) -> BTreeMap<String, String> {
    let step = if norms.is_empty() { 2 } else { 3 };
    let (mut block, mut number) = (1, 0);
    let mut layers = BTreeMap::new();
    for (position, &index) in indices.iter().enumerate() {
        let pooled = position > 0 && index - indices[position - 1] > step;
        (block, number) = if pooled { (block + 1, 1) } else { (block, number + 1) };
        layers.insert(format!("features.{index}"), format!("block{block}_conv{number}"));
        if norms.contains(&(index + 1)) {
            layers.insert(format!("features.{}", index + 1), format!("block{block}_bn{number}"));
        }
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vgg16_and_its_batch_normalised_brother() {
        let plain = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28];
        let layers = convolution_layers(&plain, &BTreeSet::new());
        assert_eq!(layers["features.0"], "block1_conv1");
        assert_eq!(layers["features.7"], "block2_conv2");
        assert_eq!(layers["features.28"], "block5_conv3");
        let with_norms = [0, 3, 7, 10, 14, 17, 20];
        let layers = convolution_layers(&with_norms, &with_norms.iter().map(|i| i + 1).collect());
        assert_eq!(layers["features.10"], "block2_conv2");
        assert_eq!(layers["features.11"], "block2_bn2");
        assert_eq!(layers["features.20"], "block3_conv3");
    }

    #[test]
    fn flatten_must_be_square() {
        let path = Path::new("a.safetensors");
        assert_eq!(flatten(path, "w", 25088, 512).unwrap(), Layout::FlattenChw { c: 512, h: 7, w: 7 });
        assert!(flatten(path, "w", 512 * 6, 512).is_err());
        assert!(flatten(path, "w", 10, 0).is_err());
    }
}
