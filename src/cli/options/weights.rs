//! The options that say where pretrained weights come from, and how they are matched.

use std::path::{Path, PathBuf};

use crate::cli::Shared;
use crate::error::{Error, Result};
use crate::nn::{Preprocessing, init};
use crate::train::pretrained::Pretrained;
use crate::weights::Format;
use crate::weights::fetch::cached;
use crate::weights::import::Report;
use crate::weights::known::{by_md5, md5_of};
use crate::weights::map::By;

/// Which file, and how its layers find the model's.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Weights")]
pub struct WeightsArgs {
    /// Pretrained weights of the base: a .safetensors or Keras file, 'imagenet' for what 'frostline fetch' brought,
    /// or 'none' for random values
    #[arg(long, default_value = "weights/vgg16_imagenet_notop.f16.safetensors")]
    pub weights: String,
    /// Layers take weights of their own name, and those that the file lacks stay random
    #[arg(long)]
    pub by_name: bool,
    /// Layers whose shapes differ from the file's stay random
    #[arg(long)]
    pub skip_mismatch: bool,
    /// How kernels without pretrained weights start: glorot_uniform (Keras' default) or he_normal
    #[arg(long, default_value = "glorot_uniform")]
    pub init: init::Kind,
}

impl WeightsArgs {
    /// The pretrained weights for `model`; `None` for random values.
    ///
    /// # Errors
    /// A file that is not there, or that was never fetched.
    pub fn resolve(&self, model: &str) -> Result<Option<Pretrained>> {
        let by = self.by_name.then_some(By::Name);
        let found = pretrained(&self.weights, model)?;
        Ok(found.map(|found| Pretrained { by, skip_mismatch: self.skip_mismatch, ..found }))
    }
}

/// The weights that `text` names for `model`: a file, `imagenet`, or `none` for random values.
///
/// # Errors
/// A file that is not there, or that was never fetched.
pub fn pretrained(text: &str, model: &str) -> Result<Option<Pretrained>> {
    match text {
        "none" => Ok(None),
        "imagenet" => Ok(Some(Pretrained::new(&imagenet(model)?))),
        _ if Path::new(text).is_file() => Ok(Some(Pretrained::new(Path::new(text)))),
        _ => Err(Error::Usage(format!(
            "no weight file {text}; give a .safetensors or Keras file, --weights imagenet for what 'frostline fetch' \
             brought, or --weights none to start from random values"
        ))),
    }
}

/// The fetched file of `model`, without its top if both are there.
fn imagenet(model: &str) -> Result<PathBuf> {
    let found = cached(model, false)?.map_or_else(|| cached(model, true), |path| Ok(Some(path)))?;
    found.ok_or_else(|| {
        Error::Usage(format!(
            "the ImageNet weights of {model} are not in the cache yet; run 'frostline fetch {model}'"
        ))
    })
}

/// Says what was loaded, and warns where the pixels are not prepared as the weights expect.
///
/// # Errors
/// The file cannot be read again.
pub fn describe(shared: &Shared, report: &Report, chosen: Preprocessing) -> Result<()> {
    // The official files are all of this kind; others need not be read once more.
    let official = report.format == Format::KerasLegacyWeights;
    let known = if official { by_md5(&md5_of(&report.path)?) } else { None };
    let official = known.map_or(String::new(), |known| format!(", the official {} file", known.model));
    shared.say(format_args!(
        "weights   {} ({}{official}): {} tensors, {} values",
        report.path.display(),
        report.format,
        report.rows.len(),
        crate::study::explain::thousands(report.values() as u64)
    ));
    for (name, reason) in &report.skipped {
        shared.say(format_args!("random    {name}: {reason}"));
    }
    let expected = match (known, report.format) {
        (Some(known), _) => known.preprocessing.parse()?,
        (None, Format::Torchvision) => Preprocessing::Torch,
        (None, _) => return Ok(()),
    };
    if expected != chosen {
        shared.say(format_args!(
            "warning   these weights expect --preprocessing {expected} ({}), not {chosen} ({}); accuracy will suffer",
            expected.describe(),
            chosen.describe()
        ));
    }
    Ok(())
}
