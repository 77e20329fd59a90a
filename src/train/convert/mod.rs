//! From any weight file to any other, tensor by tensor.

mod state;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::nn::keras as nn_keras;
use crate::train::checkpoint::{Checkpoint, KEY, OPTIMIZER};
use crate::train::convert::state::{Found, Place, Slot};
use crate::train::keras::compiled::compiled;
use crate::train::keras::model;
use crate::train::keras::trained::Trained;
use crate::train::pretrained::{PREPROCESSING, stated_preprocessing};
use crate::weights::keras::{Contents, State, slot_names};
use crate::weights::kind::{self, Kind};
use crate::weights::{Entry, Format, Outgoing, Source};

/// What a conversion wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    pub kind: Kind,
    pub tensors: usize,
    pub values: usize,
    /// Tensors of the optimizer's state.
    pub slots: usize,
    /// What the source has and the new file does not, each with the reason.
    pub left_out: Vec<String>,
}

/// Writes everything that `source` holds and the kind of file that `out` names can keep.
///
/// Heap: the largest tensor and 64 MiB.
///
/// # Errors
/// An unknown ending, the source itself, a `.keras` of weights without a model, and those of reading and writing.
pub fn convert(source: &mut dyn Source, out: &Path) -> Result<Converted> {
    let kind = Kind::of(out)?;
    refuse_itself(source.path(), out)?;
    let outline = Outline::of(source, kind, out)?;
    let tensors: Vec<Outgoing> = outline.tensors.iter().map(|&i| outgoing(&source.entries()[i])).collect();
    let (slots, places) = outline.slots();
    let state = outline.state.as_ref().map(|state| State {
        iteration: state.iteration,
        learning_rate: state.learning_rate,
        slots: &slots,
    });
    let contents =
        Contents { tensors: &tensors, config: outline.config.as_ref(), state, metadata: &outline.metadata };
    kind::write(out, kind, &contents, &mut |index| match index.checked_sub(tensors.len()) {
        None => source.read(outline.tensors[index]).map(Cow::Owned),
        Some(slot) => places[slot].read(source).map(Cow::Owned),
    })?;
    Ok(Converted {
        kind,
        tensors: tensors.len(),
        values: tensors.iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum(),
        slots: slots.len(),
        left_out: outline.left_out,
    })
}

fn refuse_itself(source: &Path, out: &Path) -> Result<()> {
    let same = source.canonicalize().is_ok_and(|source| out.canonicalize().is_ok_and(|out| source == out));
    match same {
        true => Err(Error::weights(out, "is the file that is being read; give another name")),
        false => Ok(()),
    }
}

fn outgoing(entry: &Entry) -> Outgoing {
    Outgoing::f32(&entry.name, &entry.shape)
}

/// What goes into the new file.
#[derive(Default)]
struct Outline {
    /// Places in the source's entries: parameters, in order.
    tensors: Vec<usize>,
    config: Option<Value>,
    metadata: BTreeMap<String, String>,
    /// The optimizer's, with its slots in the order of the new file; `None` where it is not kept.
    state: Option<Found>,
    left_out: Vec<String>,
}

impl Outline {
    fn of(source: &dyn Source, kind: Kind, out: &Path) -> Result<Outline> {
        let entries = source.entries();
        let tensors = (0..entries.len()).filter(|&i| !entries[i].name.starts_with(OPTIMIZER)).collect();
        let mut outline = Outline { tensors, ..Outline::default() };
        let trained = Trained::read(source)?;
        let state = Found::of(source, trained.as_ref());
        outline.describe(source, kind);
        if kind.is_keras() {
            outline.config = config(source, trained.as_ref(), kind, out)?;
            outline.state = state.as_ref().and_then(|state| outline.in_order(source, state));
            outline.left_out.extend(outside_of_keras(source, trained.as_ref()));
        }
        if state.is_some() && outline.state.is_none() {
            outline.left_out.push(
                "the optimizer's state: this kind of file keeps it only with the model that it trains".into(),
            );
        }
        if source.model_config().is_some() && outline.config.is_none() && outline.metadata.is_empty() {
            outline.left_out.push("the model: safetensors keep only models that can be rebuilt here".into());
        }
        Ok(outline)
    }

    fn slots(&self) -> (Vec<Outgoing>, Vec<Place>) {
        let slots = self.state.iter().flat_map(|state| &state.slots);
        slots.map(|slot| (Outgoing::f32(&slot.name, &slot.shape), slot.place)).unzip()
    }

    /// Frostline's own description travels along; safetensors get one for a model of Keras too. Where there is none, what
    /// the pixels must go through still does.
    fn describe(&mut self, source: &dyn Source, kind: Kind) {
        let own = source.metadata().get(KEY).cloned();
        let about = match (own, kind) {
            (None, Kind::Safetensors) => match model::read(source, None) {
                Ok(Some(model)) => Some(Checkpoint::new(&model.architecture, &[]).about()),
                Ok(None) | Err(_) => None,
            },
            (own, _) => own,
        };
        let (key, text) = match about {
            Some(about) => (KEY, Some(about)),
            None => (PREPROCESSING, stated_preprocessing(source).map(|pixels| pixels.to_string())),
        };
        self.metadata.extend(text.map(|text| (key.to_owned(), text)));
    }

    /// The state with its slots in the order in which Keras expects them for this configuration.
    fn in_order(&self, source: &dyn Source, state: &Found) -> Option<Found> {
        let config = self.config.as_ref()?;
        let frozen = frozen(config);
        let trains = |name: &&str| {
            let layer = name.rsplit_once('/').map_or(*name, |(layer, _)| layer);
            !frozen.iter().any(|known| known == layer) && !name.contains("/moving_")
        };
        let names: Vec<&str> =
            self.tensors.iter().map(|&i| source.entries()[i].name.as_str()).filter(trains).collect();
        let place = |name: &String| state.slots.iter().find(|slot| slot.name == *name).cloned();
        let slots = slot_names(config, &names).iter().map(place).collect::<Option<Vec<Slot>>>()?;
        (slots.len() == state.slots.len()).then_some(Found { slots, ..*state })
    }
}

/// What Frostline's file says and Keras has no place for.
fn outside_of_keras(source: &dyn Source, trained: Option<&Trained>) -> Vec<String> {
    let besides = trained.into_iter().flat_map(|trained| &trained.besides);
    let mut left_out: Vec<String> =
        besides.map(|what| format!("{what}: a Keras file has no place for it")).collect();
    if let (true, Some(pixels)) = (source.metadata().contains_key(KEY), stated_preprocessing(source)) {
        left_out.push(format!(
            "the {pixels} preprocessing: Keras' model takes pixels that went through it ({})",
            pixels.describe()
        ));
    }
    left_out
}

/// The configuration that belongs into a file of `kind`. A `.keras` wants Keras 3's own spelling: a model of Keras 2 and
/// one of Frostline are written anew.
fn config(source: &dyn Source, trained: Option<&Trained>, kind: Kind, out: &Path) -> Result<Option<Value>> {
    if let Some(config) = source.model_config() {
        if kind != Kind::KerasArchive || source.format() == Format::KerasArchive {
            return Ok(Some(with_training(config.clone(), source)));
        }
        let model = model::read(source, None).map_err(|error| {
            Error::weights(
                out,
                format!("needs a model that can be rebuilt; write .h5 or .weights.h5 instead ({error})"),
            )
        })?;
        let model = model.expect("there is a configuration");
        let mut config = nn_keras::config(&model.architecture, model.freeze.count(&model.architecture)?);
        if let Some(compiled) = compiled(source).ok().flatten() {
            config["compile_config"] = compiled.config();
        }
        return Ok(Some(config));
    }
    match source.metadata().contains_key(KEY) {
        true => own_config(&Checkpoint::of(source)?, trained).map(Some),
        false => Ok(None),
    }
}

/// Of a model of Frostline's; compiled as its run had it.
fn own_config(checkpoint: &Checkpoint, trained: Option<&Trained>) -> Result<Value> {
    let architecture = &checkpoint.architecture;
    let Some(trained) = trained else { return Ok(nn_keras::config(architecture, 0)) };
    let mut config = nn_keras::config(architecture, trained.freeze.count(architecture)?);
    config["compile_config"] = trained.compiled.config();
    Ok(config)
}

/// A whole-model `.h5` has its training configuration beside the model's, under other names.
fn with_training(mut config: Value, source: &dyn Source) -> Value {
    if let (Value::Null, Some(training)) = (&config["compile_config"], source.training_config()) {
        let mut training = training.clone();
        if let Some(optimizer) = training.as_object_mut().and_then(|fields| fields.remove("optimizer_config"))
        {
            training["optimizer"] = optimizer;
        }
        config["compile_config"] = training;
    }
    config
}

/// Names of the layers that a configuration freezes.
fn frozen(config: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![(config, true)];
    while let Some((model, trainable)) = todo.pop() {
        let trainable = trainable && model["config"]["trainable"].as_bool().unwrap_or(true);
        match model["config"]["layers"].as_array() {
            Some(layers) => todo.extend(layers.iter().map(|layer| (layer, trainable))),
            None if !trainable => found.extend(model["config"]["name"].as_str().map(str::to_owned)),
            None => {}
        }
    }
    found
}
