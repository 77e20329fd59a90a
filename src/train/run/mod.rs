//! A run as data: everything that it needs to go on, and nothing that changes while it does. `run.json` holds it.
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use frostline::data::folder;
//! use frostline::gpu::{Device, adapter::Choice};
//! use frostline::graph::Store;
//! use frostline::nn::{Freeze, Head, Pool, Preprocessing, vgg};
//! use frostline::train::pretrained::{Pretrained, Start};
//! use frostline::train::run::DataSettings;
//! use frostline::train::{EarlyStopping, Monitor, Run, Session, Stage};
//!
//! let (data, images) = DataSettings::open("examples/clipart8".as_ref(), &folder::Options::default(), None)?;
//! let head = Head { pool: Pool::Avg, classes: data.classes.len(), ..Head::default() };
//! let architecture = vgg::with_head("vgg16", 96, Preprocessing::Caffe, &head)?;
//! let run = Run {
//!     start: Start::Weights(Pretrained::new("weights/vgg16_imagenet_notop.f16.safetensors".as_ref())),
//!     stages: vec![Stage { freeze: Freeze::All, epochs: 100, rate: 0.003 }],
//!     stopping: Some(EarlyStopping::new(Monitor::ValLoss, 10)),
//!     ..Run::new(data, architecture)
//! };
//! let device = Arc::new(Device::open(&Choice::Best)?);
//! let (memory, folder) = (device.budget(None), Path::new("runs/mine"));
//! let mut store = Store::new(device);
//! std::fs::create_dir_all(folder).expect("a place to write");
//! let mut session = Session::begin(run, images, &mut store, memory, folder)?;
//! let history = session.go(&mut store, &mut ())?;
//! println!("{:?}", history.best());
//! // After whatever stopped it, the run goes on with its own bits:
//! Session::resume(folder, &mut store)?.go(&mut store, &mut ())?;
//! # Ok::<(), frostline::error::Error>(())
//! ```

pub mod data;
pub mod keeper;
pub mod session;
pub mod setup;
pub mod size;
pub mod watcher;

pub use data::{Data, DataSettings};
pub use session::Session;
pub use size::Size;
pub use watcher::Watcher;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::augmentation::Augmentation;
use crate::error::{Error, Result};
use crate::graph::{Choices, Store};
use crate::nn::{Architecture, Freeze, init};
use crate::ops::Precision;
use crate::optim::{Optimizer, Sgd};
use crate::train::callbacks::early_stopping::EarlyStopping;
use crate::train::callbacks::monitor::Monitor;
use crate::train::callbacks::plateau::Plateau;
use crate::train::pretrained::Start;
use crate::train::schedule::Schedule;
use crate::train::schedule::stages::Stage;
use crate::train::weighting::Weighting;
use crate::weights::file;

/// The settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The version of the program that began it.
    pub version: String,
    pub data: DataSettings,
    pub architecture: Architecture,
    pub start: Start,
    /// How kernels without pretrained weights start.
    pub initial: init::Kind,
    pub label_smoothing: f32,
    pub weighting: Weighting,
    pub augmentation: Augmentation,
    /// Whether images that validate are augmented too, as the published recipe has it.
    pub augment_validation: bool,
    /// How many fixed variants of each image stand for the augmentation, so that frozen layers can run ahead.
    pub cache_augment: Option<usize>,
    pub optimizer: Optimizer,
    pub stages: Vec<Stage>,
    /// Applies to each stage by itself.
    pub schedule: Schedule,
    /// What each block of the base takes of the rate of the block above it; see [`crate::train::schedule::stages::rates`].
    pub block_factor: f32,
    pub plateau: Option<Plateau>,
    pub stopping: Option<EarlyStopping>,
    /// Says which epoch is the best.
    pub monitor: Monitor,
    /// Whether the weights of the best epoch are what the run ends with.
    pub restore_best: bool,
    pub batch: usize,
    /// How activations and their gradients are stored.
    #[serde(default)]
    pub precision: Precision,
    /// Of initial values, order, dropout and split.
    pub seed: u64,
    /// Seconds between two saves.
    pub save_every: u64,
    /// Whether event files for TensorBoard are written.
    pub tensorboard: bool,
    /// Where it began; `None` before.
    pub place: Option<Place>,
}

/// What the bits of a result depend on besides the settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    pub adapter: String,
    pub driver: String,
    /// Bytes that plans may take: they decide on micro-batches, whose sums are rounded differently.
    pub memory: u64,
    /// Kernels that tuning chose; empty where the ops' own order serves.
    #[serde(default, skip_serializing_if = "Choices::is_empty")]
    pub choices: Choices,
}

impl Place {
    pub fn of(store: &Store, memory: u64) -> Place {
        let info = store.device().info();
        let choices = store.choices.clone();
        Place { adapter: info.name.clone(), driver: info.driver.clone(), memory, choices }
    }
}

/// The file of a run's folder that holds it.
const FILE: &str = "run.json";

impl Run {
    /// Ten epochs of SGD with momentum on the head, batches of 16, from random values.
    pub fn new(data: DataSettings, architecture: Architecture) -> Run {
        Run {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            data,
            architecture,
            start: Start::Random,
            initial: init::Kind::default(),
            label_smoothing: 0.0,
            weighting: Weighting::default(),
            augmentation: Augmentation::default(),
            augment_validation: false,
            cache_augment: None,
            optimizer: Optimizer::Sgd(Sgd { momentum: 0.9, ..Sgd::default() }),
            stages: vec![Stage { freeze: Freeze::All, epochs: 10, rate: 1e-3 }],
            schedule: Schedule::default(),
            block_factor: 1.0,
            plateau: None,
            stopping: None,
            monitor: Monitor::default(),
            restore_best: false,
            batch: 16,
            precision: Precision::default(),
            seed: 0,
            save_every: 60,
            tensorboard: false,
            place: None,
        }
    }

    /// Bytes that plans may take.
    pub fn memory(&self) -> u64 {
        self.place.as_ref().map_or(u64::MAX, |place| place.memory)
    }

    /// Epochs of all stages.
    pub fn epochs(&self) -> usize {
        self.stages.iter().map(|stage| stage.epochs).sum()
    }

    /// # Errors
    /// The file cannot be written, or a path has characters that JSON cannot hold.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| Error::Usage(format!("the settings of this run cannot be written down: {e}")))?;
        file::replace_by(&path, text.as_bytes())
    }

    /// # Errors
    /// The folder holds no run, or one of a newer version.
    pub fn read(folder: &Path) -> Result<Run> {
        let path = folder.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Error::Usage(format!(
                "{} is no run that can go on: it has no {FILE}; give the folder that 'frostline train' wrote into",
                folder.display()
            )),
            _ => Error::io("read", &path)(e),
        })?;
        serde_json::from_str(&text).map_err(|e| {
            Error::weights(&path, format!("cannot be read ({e}); was it written by a newer version?"))
        })
    }
}
