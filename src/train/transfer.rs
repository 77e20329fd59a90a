//! Transfer learning's first saving: what lies below the cut runs once per image, not once per epoch.

use crate::error::Result;
use crate::graph::cut::cut;
use crate::graph::{Graph, Store};
use crate::train::features::Extractor;
use crate::train::samples::Samples;

/// Features of more bytes than this stay uncached: the host's memory is for other things too.
const MOST_FEATURES: u64 = 4 << 30;

/// What remains to be trained, and the samples that it takes.
pub struct Staged<'a> {
    pub graph: Graph,
    pub train: Box<dyn Samples + 'a>,
    pub val: Option<Box<dyn Samples + 'a>>,
    /// The layer whose results are kept, where the prefix ran ahead.
    pub cached: Option<String>,
}

/// Cuts `graph` at the first trainable or stochastic layer and runs the frozen part over all samples. Where there is
/// nothing worth caching (no frozen layer with parameters, or too many bytes) the graph and samples come back whole.
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
    let worth = cut(graph).filter(|cut| {
        let one = cut.crossing.len() == 1;
        let width = |name: &String| cut.prefix.find(name).map_or(0, |v| cut.prefix.values[v.0].shape.numel());
        let bytes = cut.crossing.iter().map(width).sum::<u64>() * 4 * samples as u64;
        one && !cut.prefix.params.is_empty() && bytes <= MOST_FEATURES
    });
    let Some(cut) = worth else {
        let val = val.map(|val| Box::new(val) as Box<dyn Samples>);
        return Ok(Staged { graph: graph.clone(), train: Box::new(train), val, cached: None });
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
    })
}
