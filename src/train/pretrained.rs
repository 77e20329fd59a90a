//! Pretrained weights of a base, from any file that `weights` reads.

use std::path::Path;

use crate::error::{Error, Result};
use crate::graph::{Param, Store};
use crate::nn::{Network, init};
use crate::weights::import::{Report, import};
use crate::weights::map::{By, Wanted};
use crate::weights::{self, Source};

/// Puts initial values of all parameters into the store: the base's from `weights` where a file is given, everything
/// else random under `seed`. Gives the import report.
///
/// # Errors
/// A file that cannot be read or that is for another model; nothing is half loaded then.
pub fn initialise(
    network: &Network,
    weights: Option<&Path>,
    store: &mut Store,
    seed: u64,
) -> Result<Option<Report>> {
    let architecture = &network.architecture;
    let base: Vec<&str> = architecture.layers[..architecture.base].iter().map(|l| l.name.as_str()).collect();
    let in_base = |param: &Param| param.name.rsplit_once('/').is_some_and(|(layer, _)| base.contains(&layer));
    init::parameters(&network.graph, store, seed, |param| weights.is_none() || !in_base(param))?;
    let Some(path) = weights else { return Ok(None) };
    let mut source = weights::open(path)?;
    let wanted = network.graph.params.iter().filter(|p| in_base(p));
    let wanted: Vec<Wanted> =
        wanted.map(|p| Wanted { name: p.name.clone(), shape: p.spec.shape.dims().to_vec() }).collect();
    load(&mut *source, &wanted, &architecture.model, store).map(Some)
}

fn load(source: &mut dyn Source, wanted: &[Wanted], model: &str, store: &mut Store) -> Result<Report> {
    let named = source.entries().iter().any(|entry| wanted.iter().any(|w| w.name == entry.name));
    if named {
        check_depth(source, wanted, model)?;
    }
    let by = if named { By::Name } else { By::Order };
    import(source, wanted, by, false, |index, values| store.write(&wanted[index].name, &values))
}

/// By name alone a shallower VGG would load from a deeper one's file, and the other way round: the layers between the
/// first and the last that the model takes must be the same on both sides.
fn check_depth(source: &dyn Source, wanted: &[Wanted], model: &str) -> Result<()> {
    let names: Vec<&str> = source.entries().iter().map(|entry| entry.name.as_str()).collect();
    let refuse =
        |what: String| Err(Error::weights(source.path(), format!("{what}; is it for another --model?")));
    if let Some(missing) = wanted.iter().find(|w| !names.contains(&w.name.as_str())) {
        return refuse(format!("has no tensor '{}' that {model} needs", missing.name));
    }
    let ours = |name: &&&str| wanted.iter().any(|w| w.name == **name);
    let last = names.iter().rposition(|name| ours(&name)).unwrap_or(0);
    match names[..last].iter().find(|name| !ours(name)) {
        Some(extra) => refuse(format!("holds '{extra}', which {model} does not have")),
        None => Ok(()),
    }
}
