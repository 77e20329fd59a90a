//! The options that say where pretrained weights come from, and how they are matched.

use std::path::{Path, PathBuf};

use crate::cli::shared::Shared;
use crate::error::{Error, Result};
use crate::nn::{Preprocessing, init, vgg};
use crate::train::pretrained::{Pretrained, stated_preprocessing};
use crate::weights;
use crate::weights::fetch::cached;
use crate::weights::import::Report;
use crate::weights::known::official;
use crate::weights::map::By;

/// What comes with the project.
const SHIPPED: &str = "weights/vgg16_imagenet_notop.f16.safetensors";

/// Which file, and how its layers find the model's.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Weights")]
pub struct WeightsArgs {
    /// Pretrained weights of the base: a .safetensors or Keras file, 'imagenet' for what 'frostline fetch' brought,
    /// or 'none' for random values [default: weights/vgg16_imagenet_notop.f16.safetensors]
    #[arg(long)]
    pub weights: Option<String>,
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
        let found = pretrained(self.weights.as_deref().unwrap_or(SHIPPED), model)?;
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

/// What pixels go through where nothing else is asked for: as the file says, else as `model`'s public weights have it.
///
/// # Errors
/// The file cannot be read.
pub fn preprocessing(weights: Option<&Pretrained>, model: &str) -> Result<Preprocessing> {
    let stated = match weights {
        Some(weights) => stated_preprocessing(weights::open(&weights.path)?.as_ref()),
        None => None,
    };
    Ok(stated.unwrap_or(vgg::preprocessing(model)))
}

/// Says what was loaded, and warns where the pixels are not prepared as the weights expect.
///
/// # Errors
/// The file cannot be read again.
pub fn describe(shared: &Shared, report: &Report, chosen: Preprocessing) -> Result<()> {
    let known = official(&report.path, report.format)?;
    let name = known.map_or(String::new(), |known| format!(", the official {} file", known.model));
    shared.say(format_args!(
        "weights   {} ({}{name}): {} tensors, {} values",
        report.path.display(),
        report.format,
        report.rows.len(),
        crate::study::explain::thousands(report.values() as u64)
    ));
    for (name, reason) in &report.skipped {
        shared.say(format_args!("random    {name}: {reason}"));
    }
    let source = weights::open(&report.path)?;
    let named = source.entries().iter().any(|entry| entry.name.starts_with(vgg::FIRST_LAYER));
    match (known, stated_preprocessing(source.as_ref())) {
        (Some(known), _) => compare(shared, "these weights expect", known.preprocessing.parse()?, chosen),
        (None, Some(stated)) => compare(shared, "these weights expect", stated, chosen),
        (None, None) if named => {
            compare(shared, "weights of Keras' VGG expect", Preprocessing::Caffe, chosen);
        }
        (None, None) => {}
    }
    Ok(())
}

/// Warns where pixels are prepared otherwise than the weights `expect`.
pub fn compare(shared: &Shared, expect: &str, expected: Preprocessing, chosen: Preprocessing) {
    if expected != chosen {
        shared.say(format_args!(
            "warning   {expect} --preprocessing {expected} ({}), not {chosen} ({}); accuracy will suffer",
            expected.describe(),
            chosen.describe()
        ));
    }
}
