//! The options that say which network is looked at: a checkpoint, or a pretrained base under a fresh head.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::weights::{preprocessing, pretrained};
use crate::cli::shared::Shared;
use crate::data::batches::{Loader, Options};
use crate::data::decode::{self, Decoder};
use crate::data::split::Split;
use crate::error::{Error, Result};
use crate::graph::Store;
use crate::nn::init::Random;
use crate::nn::{Freeze, Head, Network, Pool, vgg};
use crate::train::pretrained::initialise;
use crate::train::{Checkpoint, ImageSamples};

/// A network to look at.
#[derive(Clone, Debug, clap::Args)]
pub struct SubjectArgs {
    /// A checkpoint written by 'frostline train' [default: a pretrained base]
    #[arg(long, value_name = "CHECKPOINT", conflicts_with_all = ["model", "weights", "input"])]
    pub from: Option<PathBuf>,
    /// Without --from: vgg11, vgg13, vgg16 or vgg19
    #[arg(long, default_value = "vgg16")]
    pub model: String,
    /// Without --from: weights of the base, a .safetensors or Keras file, or 'none' for random values
    #[arg(long, default_value = "weights/vgg16_imagenet_notop.f16.safetensors")]
    pub weights: String,
    /// Without --from: side of the square input in pixels
    #[arg(long, default_value_t = 128)]
    pub input: usize,
}

/// The network with its weights on the device.
pub struct Subject {
    pub network: Network,
    pub store: Store,
    /// Names of the classes; empty for a base without a trained head.
    pub classes: Vec<String>,
}

impl SubjectArgs {
    /// The options that `--from path` is.
    pub fn checkpoint(path: &Path) -> SubjectArgs {
        let (model, weights) = ("vgg16".to_owned(), "none".to_owned());
        SubjectArgs { from: Some(path.to_path_buf()), model, weights, input: 128 }
    }

    /// Opens it; `classes` are those of a fresh head.
    ///
    /// # Errors
    /// A damaged file, an unknown model, or no adapter.
    pub fn open(&self, shared: &Shared, freeze: &Freeze, classes: usize) -> Result<Subject> {
        match &self.from {
            Some(path) => {
                let (checkpoint, mut source) = Checkpoint::open(path)?;
                let network = Network::new(checkpoint.architecture.clone(), freeze, 0.0)?;
                let mut store = Store::new(shared.open()?);
                checkpoint.load(&mut *source, &mut store)?;
                Ok(Subject { network, store, classes: checkpoint.classes })
            }
            None => {
                let weights = pretrained(&self.weights, &self.model)?;
                let head = Head { pool: Pool::Avg, classes, ..Head::default() };
                let pixels = preprocessing(weights.as_ref(), &self.model)?;
                let architecture = vgg::with_head(&self.model, self.input, pixels, &head)?;
                let network = Network::new(architecture, freeze, 0.0)?;
                let mut store = Store::new(shared.open()?);
                initialise(&network, weights.as_ref(), &mut store, Random::new(0))?;
                Ok(Subject { network, store, classes: Vec::new() })
            }
        }
    }
}

impl Subject {
    /// The image at `path` at the network's input size, (h, w, 3) RGB.
    ///
    /// # Errors
    /// It cannot be read as an image.
    pub fn image(&self, path: &Path) -> Result<Vec<u8>> {
        Decoder::new(decode::Options::square(self.network.architecture.input[0] as u32))?.decode(path)
    }

    /// Images of files and folders, at most `most`, spread evenly over all of them.
    ///
    /// # Errors
    /// No image.
    pub fn samples(&self, paths: &[PathBuf], most: usize, batch: usize) -> Result<ImageSamples> {
        let all = Split::open_flat(paths)?;
        let count = most.clamp(1, all.len());
        let split = Split::from_samples((0..count).map(|i| (all.path(i * all.len() / count), 0)));
        let options = Options::square(self.network.architecture.input[0] as u32, batch);
        Ok(ImageSamples(Arc::new(Loader::new(split, options)?)))
    }

    /// The number of the class that is called `name` or has this number.
    ///
    /// # Errors
    /// There is none, or the network was never trained to tell classes apart.
    pub fn class(&self, name: Option<&str>) -> Result<Option<usize>> {
        if self.classes.is_empty() {
            return Err(Error::Usage(
                "a pretrained base has no classes yet; give a checkpoint with --from".into(),
            ));
        }
        let Some(name) = name else { return Ok(None) };
        let found = self.classes.iter().position(|class| class == name).or_else(|| name.parse().ok());
        found.map(Some).ok_or_else(|| crate::error::unknown("class", name, &self.classes))
    }
}
