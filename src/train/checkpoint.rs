//! One safetensors file that knows its architecture, classes, input size and preprocessing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::resize::Filter;
use crate::error::{Error, Result};
use crate::graph::store::{LOSS_SCALE, state_name};
use crate::graph::{Param, Store};
use crate::nn::{Architecture, Freeze, LayerKind, Network};
use crate::optim::scaling;
use crate::train::keras;
use crate::train::keras::trained::{self, Trained};
use crate::train::progress::Progress;
use crate::weights::import::import;
use crate::weights::map::{By, Wanted};
use crate::weights::{self, Outgoing, Source, safetensors};

/// The key of the description in the file's metadata.
pub const KEY: &str = "frostline";
/// The key of how far the run is.
const PROGRESS: &str = "frostline.progress";

/// What a checkpoint says besides its tensors.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use frostline::gpu::{Device, adapter::Choice};
/// use frostline::graph::Store;
/// use frostline::train::Checkpoint;
///
/// let (checkpoint, mut source) = Checkpoint::open("runs/mine/best.safetensors".as_ref())?;
/// let network = checkpoint.network()?;
/// println!("{} at {:?}: {:?}", checkpoint.architecture.model, checkpoint.architecture.input, checkpoint.class_names());
/// let mut store = Store::new(Arc::new(Device::open(&Choice::Best)?));
/// checkpoint.load(&mut *source, &mut store)?;
/// assert_eq!(store.read(&network.graph.params[0].name)?.len(), 3 * 3 * 3 * 64);
/// # Ok::<(), frostline::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub architecture: Architecture,
    /// Names in the order of the logits; empty where the file does not say.
    pub classes: Vec<String>,
    /// How its images came to the input's size.
    #[serde(default)]
    pub resize: Filter,
    /// Epochs trained, and the metrics of the epoch that this is.
    pub epoch: usize,
    pub val_acc: Option<f64>,
    /// The version of the program that wrote it.
    pub version: String,
}

impl Checkpoint {
    pub fn new(architecture: &Architecture, classes: &[String]) -> Checkpoint {
        Checkpoint {
            architecture: architecture.clone(),
            classes: classes.to_vec(),
            resize: Filter::default(),
            epoch: 0,
            val_acc: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Names of the classes, or their numbers where the file does not name them.
    pub fn class_names(&self) -> Vec<String> {
        let units = match self.architecture.layers.last().map(|layer| &layer.kind) {
            Some(LayerKind::Dense { units, .. }) if self.classes.is_empty() => *units,
            _ => return self.classes.clone(),
        };
        (0..units).map(|class| class.to_string()).collect()
    }

    /// The graph of this checkpoint, all of it trainable.
    ///
    /// # Errors
    /// An architecture whose layers do not fit together.
    pub fn network(&self) -> Result<Network> {
        Network::new(self.architecture.clone(), &Freeze::None, 0.0)
    }

    /// Writes all parameters from the store, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written, or a parameter is not a number (an older checkpoint then stays).
    pub fn save(&self, path: &Path, store: &Store) -> Result<()> {
        self.write(path, store, &self.parameters()?, None)
    }

    /// As [`Checkpoint::save`], with the optimizer's state and all that a run needs to go on from here.
    ///
    /// # Errors
    /// As [`Checkpoint::save`].
    pub fn save_run(&self, path: &Path, store: &Store, progress: &Progress, trained: &Trained) -> Result<()> {
        let mut tensors = self.parameters()?;
        let scaling = Wanted { name: LOSS_SCALE.to_owned(), shape: vec![scaling::NUMBERS] };
        let states = tensors.iter().map(|param| &param.in_file).chain([&scaling]);
        let states: Vec<Stored> = states.flat_map(|of| self::states(store, of)).collect();
        tensors.extend(states);
        self.write(path, store, &tensors, Some((progress, trained)))
    }

    fn parameters(&self) -> Result<Vec<Stored>> {
        let stored = |p: &Param| {
            let (name, shape) = (p.name.clone(), p.spec.shape.dims().to_vec());
            Stored { on_device: name.clone(), in_file: Wanted { name, shape } }
        };
        Ok(self.network()?.graph.params.iter().map(stored).collect())
    }

    fn write(
        &self,
        path: &Path,
        store: &Store,
        tensors: &[Stored],
        run: Option<(&Progress, &Trained)>,
    ) -> Result<()> {
        let mut metadata = BTreeMap::from([(KEY.to_owned(), self.about())]);
        if let Some((progress, trained)) = run {
            let progress = serde_json::to_string(progress).expect("plain data serialises");
            metadata.insert(PROGRESS.to_owned(), progress);
            metadata.insert(trained::KEY.to_owned(), trained.about());
        }
        let outgoing: Vec<Outgoing> =
            tensors.iter().map(|t| Outgoing::f32(&t.in_file.name, &t.in_file.shape)).collect();
        safetensors::write(path, &metadata, &outgoing, &mut |index| {
            let name = &tensors[index].on_device;
            let values = store.read(name)?;
            match values.iter().all(|v| v.is_finite()) {
                true => Ok(Cow::Owned(values)),
                false => {
                    Err(Error::Diverged(format!("{name} is no longer a number; lower the learning rate")))
                }
            }
        })
    }

    /// Reads the description of a checkpoint; [`Checkpoint::load`] reads the tensors.
    ///
    /// # Errors
    /// Not a file that Frostline wrote, damaged, or a newer kind.
    pub fn open(path: &Path) -> Result<(Checkpoint, Box<dyn Source>)> {
        let source = weights::open(path)?;
        Ok((Checkpoint::of(source.as_ref())?, source))
    }

    /// The description in an open file: Frostline's own, or a whole model of Keras, whose classes have no names.
    ///
    /// # Errors
    /// The file holds weights alone, a newer kind, or a model that cannot be rebuilt here.
    pub fn of(source: &dyn Source) -> Result<Checkpoint> {
        let refuse = |what: String| Error::weights(source.path(), what);
        if let Some(about) = source.metadata().get(KEY) {
            return serde_json::from_str(about).map_err(|e| {
                refuse(format!("its description cannot be read ({e}); was it written by a newer version?"))
            });
        }
        match keras::model::read(source, None)? {
            Some(model) => Ok(Checkpoint::new(&model.architecture, &[])),
            None => {
                Err(refuse("holds weights but no model; pass it to 'train --weights' instead".to_owned()))
            }
        }
    }

    /// The description as it stands in a file.
    pub fn about(&self) -> String {
        serde_json::to_string(self).expect("plain data serialises")
    }

    /// Puts all parameters into the store.
    ///
    /// # Errors
    /// A tensor is missing or has another shape than the architecture says.
    pub fn load(&self, source: &mut dyn Source, store: &mut Store) -> Result<()> {
        let wanted: Vec<Wanted> = self.parameters()?.into_iter().map(|stored| stored.in_file).collect();
        let report = import(source, &wanted, By::Name, false, |index, values| {
            store.write(&wanted[index].name, &values)
        })?;
        match report.skipped.first() {
            None => Ok(()),
            Some((name, reason)) => Err(Error::weights(source.path(), format!("has no {name}: {reason}"))),
        }
    }

    /// As [`Checkpoint::load`], with the optimizer's state; gives how far the run was.
    ///
    /// # Errors
    /// As [`Checkpoint::load`]; or the file is no saved run.
    pub fn load_run(&self, source: &mut dyn Source, store: &mut Store) -> Result<Progress> {
        let progress = source.metadata().get(PROGRESS).and_then(|text| serde_json::from_str(text).ok());
        let progress = progress.ok_or_else(|| {
            Error::weights(source.path(), "holds weights, but not how far a run was; train on with --from")
        })?;
        self.load(source, store)?;
        if Progress::stage_is_new(&progress) {
            return Ok(progress); // the state is that of an earlier stage
        }
        for index in 0..source.entries().len() {
            if let Some((param, i)) = state_of(&source.entries()[index].name) {
                store.write(&state_name(param, i), &source.read(index)?)?;
            }
        }
        Ok(progress)
    }
}

/// A tensor under both of its names.
struct Stored {
    on_device: String,
    in_file: Wanted,
}

/// What stands before the names of the optimizer's tensors in a file.
pub const OPTIMIZER: &str = "optimizer/";

/// What the optimizer keeps for one parameter, or for loss scaling.
fn states(store: &Store, of: &Wanted) -> Vec<Stored> {
    let stored = |i| Stored {
        on_device: state_name(&of.name, i),
        in_file: Wanted { name: format!("{OPTIMIZER}{}/{i}", of.name), shape: of.shape.clone() },
    };
    (0..).map(stored).take_while(|state| store.contains(&state.on_device)).collect()
}

/// The parameter whose state a tensor in a file is, and which of its states.
pub fn state_of(name: &str) -> Option<(&str, usize)> {
    let (param, i) = name.strip_prefix(OPTIMIZER)?.rsplit_once('/')?;
    Some((param, i.parse().ok()?))
}
