//! Transfer learning's first saving: what lies below the cut runs once per image, not once per epoch.

use crate::error::Result;
use crate::gpu::Caps;
use crate::graph::cut::{Cut, cut};
use crate::graph::{Graph, Store};
use crate::train::features::Extractor;
use crate::train::samples::Samples;

/// Features of more bytes than this stay uncached: the host's memory is for other things too.
const MOST_FEATURES: u64 = 4 << 30;

/// How a graph trains over many samples: in two parts, where the results of its frozen one are worth keeping.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The frozen part and the rest, where the former is to run ahead.
    pub cut: Option<Cut>,
    /// Bytes that the frozen part's results take in the machine's memory.
    pub feature_bytes: u64,
    /// Bytes that are left for the device.
    pub memory: u64,
}

impl Parts {
    /// Cuts `graph` at the first trainable or stochastic layer, if that leaves a frozen layer with parameters whose
    /// results over all `samples` take less than 4 GiB, and less than half of `memory` where the device shares it.
    pub fn of(graph: &Graph, samples: usize, caps: &Caps, memory: u64) -> Parts {
        let most = if caps.shares_memory() { MOST_FEATURES.min(memory / 2) } else { MOST_FEATURES };
        let worth = |cut: &Cut| cut.crossing.len() == 1 && !cut.prefix.params.is_empty();
        let with_bytes = |cut: Cut| {
            let width = cut.prefix.find(&cut.crossing[0]).map_or(0, |v| cut.prefix.values[v.0].shape.numel());
            (width.saturating_mul(4).saturating_mul(samples as u64), cut)
        };
        match cut(graph).filter(worth).map(with_bytes).filter(|(bytes, _)| *bytes <= most) {
            None => Parts { cut: None, feature_bytes: 0, memory },
            Some((bytes, cut)) => {
                let memory = if caps.shares_memory() { memory - bytes } else { memory };
                Parts { cut: Some(cut), feature_bytes: bytes, memory }
            }
        }
    }
}

/// What remains to be trained, and the samples that it takes.
pub struct Staged<'a> {
    pub graph: Graph,
    pub train: Box<dyn Samples + 'a>,
    pub val: Option<Box<dyn Samples + 'a>>,
    /// The layer whose results are kept, where the prefix ran ahead.
    pub cached: Option<String>,
    /// Bytes that are left for the device: the results may lie in the same memory.
    pub memory: u64,
}

/// Runs the frozen part of `graph` over all samples, where [`Parts::of`] finds one worth it; else the graph and the
/// samples come back whole.
///
/// # Errors
/// Not even one sample fits, none is readable, the device is lost, or Ctrl-C.
pub fn stage<'a>(
    graph: &Graph,
    store: &mut Store,
    train: impl Samples + 'a,
    val: Option<impl Samples + 'a>,
    batch: usize,
    memory: u64,
    mut progress: impl FnMut(usize),
) -> Result<Staged<'a>> {
    let samples = train.len() + val.as_ref().map_or(0, |val| val.len());
    let Parts { cut, memory, .. } = Parts::of(graph, samples, store.device().caps(), memory);
    let Some(cut) = cut else {
        let val = val.map(|val| Box::new(val) as Box<dyn Samples>);
        return Ok(Staged { graph: graph.clone(), train: Box::new(train), val, cached: None, memory });
    };
    let name = cut.crossing[0].clone();
    let mut extractor = Extractor::new(&cut.prefix, &name, store, batch, memory)?;
    let features = extractor.collect(&train, batch, &mut progress)?;
    let done = features.labels.len();
    let val = match val {
        Some(val) => Some(extractor.collect(&val, batch, |n| progress(done + n))?),
        None => None,
    };
    Ok(Staged {
        graph: cut.rest,
        train: Box::new(features),
        val: val.map(|val| Box::new(val) as Box<dyn Samples>),
        cached: Some(name),
        memory,
    })
}
