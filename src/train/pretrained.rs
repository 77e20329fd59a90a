//! Where the first weights come from; those of a pretrained base from any file that `weights` reads.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::graph::{Param, Store};
use crate::nn::{Network, Preprocessing, init};
use crate::train::checkpoint::{Checkpoint, KEY};
use crate::weights::import::{Report, import};
use crate::weights::map::{By, Wanted};
use crate::weights::{self, Source};

/// A weight file, and how its layers find the model's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pretrained {
    pub path: PathBuf,
    /// `None`: by name where the file has names in common with the model, and then all of them; else by order.
    pub by: Option<By>,
    /// Layers whose shapes differ stay random.
    pub skip_mismatch: bool,
}

impl Pretrained {
    /// All layers of the base, without exception.
    pub fn new(path: &Path) -> Pretrained {
        Pretrained { path: path.to_path_buf(), by: None, skip_mismatch: false }
    }
}

/// Where the first weights come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    Random,
    /// Pretrained weights of the base.
    Weights(Pretrained),
    /// A checkpoint of this architecture, or a whole Keras model, whose optimizer's state comes along if it is of the
    /// same kind.
    Checkpoint(PathBuf),
}

/// The key in a file's metadata for what pixels go through, where nothing else says so.
pub const PREPROCESSING: &str = "preprocessing";

/// What pixels went through where these weights were trained, if the file says so: Frostline's own, torchvision's, and
/// what was made of either.
pub fn stated_preprocessing(source: &dyn Source) -> Option<Preprocessing> {
    match source.metadata().contains_key(KEY) {
        true => Checkpoint::of(source).ok().map(|checkpoint| checkpoint.architecture.preprocessing),
        false => source.metadata().get(PREPROCESSING)?.parse().ok(),
    }
}

/// Puts initial values of all parameters into the store: the base's from `weights` where a file is given, everything
/// else `random`. Gives the import report.
///
/// # Errors
/// A file that cannot be read or that is for another model; nothing is half loaded then.
pub fn initialise(
    network: &Network,
    weights: Option<&Pretrained>,
    store: &mut Store,
    random: init::Random,
) -> Result<Option<Report>> {
    let Some(pretrained) = weights else {
        random.fill(&network.graph, store, |_| true)?;
        return Ok(None);
    };
    let architecture = &network.architecture;
    let base: Vec<&str> = architecture.layers[..architecture.base].iter().map(|l| l.name.as_str()).collect();
    let in_base =
        |param: &&Param| param.name.rsplit_once('/').is_some_and(|(layer, _)| base.contains(&layer));
    let wanted = network.graph.params.iter().filter(in_base);
    let wanted: Vec<Wanted> =
        wanted.map(|p| Wanted { name: p.name.clone(), shape: p.spec.shape.dims().to_vec() }).collect();
    let report = load(pretrained, &wanted, &architecture.model, store)?;
    let loaded: HashSet<&str> = report.rows.iter().map(|row| row.parameter.as_str()).collect();
    random.fill(&network.graph, store, |param| !loaded.contains(param.name.as_str()))?;
    Ok(Some(report))
}

fn load(pretrained: &Pretrained, wanted: &[Wanted], model: &str, store: &mut Store) -> Result<Report> {
    let mut source = weights::open(&pretrained.path)?;
    let named = source.entries().iter().any(|entry| wanted.iter().any(|w| w.name == entry.name));
    let by = match (pretrained.by, named) {
        (Some(by), _) => by,
        (None, false) => By::Order,
        (None, true) => {
            check_depth(source.as_ref(), wanted, model)?;
            By::Name
        }
    };
    let take = |index: usize, values: Vec<f32>| store.write(&wanted[index].name, &values);
    import(source.as_mut(), wanted, by, pretrained.skip_mismatch, take)
}

/// By name alone a shallower VGG would load from a deeper one's file, and the other way round: the layers between the
/// first and the last that the model takes must be the same on both sides.
fn check_depth(source: &dyn Source, wanted: &[Wanted], model: &str) -> Result<()> {
    let names: Vec<&str> = source.entries().iter().map(|entry| entry.name.as_str()).collect();
    let refuse = |what: String| {
        let advice = "is it for another --model? --by-name takes the layers in common";
        Err(Error::weights(source.path(), format!("{what}; {advice}")))
    };
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
