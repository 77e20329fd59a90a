//! From any weight file to any other, tensor by tensor.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::nn::keras as nn_keras;
use crate::optim::keras::{Described, to_config};
use crate::train::checkpoint::{Checkpoint, KEY, OPTIMIZER};
use crate::train::keras::model::{self, Compiled};
use crate::weights::keras::{Contents, State, slot_names};
use crate::weights::kind::{self, Kind};
use crate::weights::{Format, Outgoing, Source};

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
/// # Errors
/// An unknown ending, the source itself, a `.keras` of weights without a model, and those of reading and writing.
pub fn convert(source: &mut dyn Source, out: &Path) -> Result<Converted> {
    let kind = Kind::of(out)?;
    refuse_itself(source.path(), out)?;
    let outline = Outline::of(source, kind, out)?;
    let tensors: Vec<Outgoing> = outline.tensors.iter().map(|&i| outgoing(&source.entries()[i])).collect();
    let state = source.optimizer().cloned();
    let slots: Vec<Outgoing> = match &state {
        Some(state) => outline.slots.iter().map(|&i| outgoing(&state.slots[i])).collect(),
        None => Vec::new(),
    };
    let state = state.filter(|_| outline.keeps_state).map(|state| State {
        iteration: state.iteration,
        learning_rate: state.learning_rate,
        slots: &slots,
    });
    let contents =
        Contents { tensors: &tensors, config: outline.config.as_ref(), state, metadata: &outline.metadata };
    kind::write(out, kind, &contents, &mut |index| match index.checked_sub(tensors.len()) {
        None => source.read(outline.tensors[index]).map(Cow::Owned),
        Some(slot) => source.read_slot(outline.slots[slot]).map(Cow::Owned),
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

fn outgoing(entry: &crate::weights::Entry) -> Outgoing {
    Outgoing::f32(&entry.name, &entry.shape)
}

/// What goes into the new file.
#[derive(Default)]
struct Outline {
    /// Places in the source's entries: parameters, in order.
    tensors: Vec<usize>,
    config: Option<Value>,
    metadata: BTreeMap<String, String>,
    keeps_state: bool,
    /// Places in the source's slots, in the order of the new file.
    slots: Vec<usize>,
    left_out: Vec<String>,
}

impl Outline {
    fn of(source: &dyn Source, kind: Kind, out: &Path) -> Result<Outline> {
        let entries = source.entries();
        let tensors = (0..entries.len()).filter(|&i| !entries[i].name.starts_with(OPTIMIZER)).collect();
        let mut outline = Outline { tensors, ..Outline::default() };
        outline.describe(source, kind)?;
        if kind.is_keras() {
            outline.config = config(source, kind, out)?;
            outline.keep_state(source);
        }
        let holds_state = source.optimizer().is_some() || outline.tensors.len() < entries.len();
        if holds_state && !outline.keeps_state {
            outline.left_out.push(
                "the optimizer's state: this kind of file keeps it only with the model that it trains".into(),
            );
        }
        if source.model_config().is_some() && outline.config.is_none() && outline.metadata.is_empty() {
            outline.left_out.push("the model: safetensors keep only models that can be rebuilt here".into());
        }
        Ok(outline)
    }

    /// Frostline's own description travels along; safetensors get one for a model of Keras too.
    fn describe(&mut self, source: &dyn Source, kind: Kind) -> Result<()> {
        let own = source.metadata().get(KEY).cloned();
        let about = match (own, kind) {
            (None, Kind::Safetensors) => match model::read(source, None) {
                Ok(Some(model)) => Some(Checkpoint::new(&model.architecture, &[]).about()),
                Ok(None) | Err(_) => None,
            },
            (own, _) => own,
        };
        self.metadata.extend(about.map(|about| (KEY.to_owned(), about)));
        Ok(())
    }

    /// The slots in the order in which Keras expects them for this configuration.
    fn keep_state(&mut self, source: &dyn Source) {
        let (Some(state), Some(config)) = (source.optimizer(), &self.config) else { return };
        let frozen = frozen(config);
        let trains = |name: &&str| {
            let layer = name.rsplit_once('/').map_or(*name, |(layer, _)| layer);
            !frozen.iter().any(|known| known == layer) && !name.contains("/moving_")
        };
        let names: Vec<&str> =
            self.tensors.iter().map(|&i| source.entries()[i].name.as_str()).filter(trains).collect();
        let wanted = slot_names(config, &names);
        let place = |name: &String| state.slots.iter().position(|slot| slot.name == *name);
        if let Some(slots) = wanted.iter().map(place).collect::<Option<Vec<usize>>>()
            && slots.len() == state.slots.len()
        {
            (self.slots, self.keeps_state) = (slots, true);
        }
    }
}

/// The configuration that belongs into a file of `kind`. A `.keras` wants Keras 3's own spelling: a model of Keras 2 and
/// one of Frostline are written anew.
fn config(source: &dyn Source, kind: Kind, out: &Path) -> Result<Option<Value>> {
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
        if let Some(compiled) = model::compiled(source).ok().flatten() {
            config["compile_config"] = compile_config(&compiled);
        }
        return Ok(Some(config));
    }
    match source.metadata().contains_key(KEY) {
        true => Ok(Some(nn_keras::config(&Checkpoint::of(source)?.architecture, 0))),
        false => Ok(None),
    }
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

/// Keras' `compile_config`: what `model.compile` was told. Source: keras/src/trainers/trainer.py, `get_compile_config`.
pub fn compile_config(compiled: &Compiled) -> Value {
    let Described { optimizer, learning_rate } = &compiled.described;
    let loss = json!({
        "module": "keras.losses",
        "class_name": "CategoricalCrossentropy",
        "config": { "name": "categorical_crossentropy", "reduction": "sum_over_batch_size", "from_logits": false,
            "label_smoothing": compiled.smoothing, "axis": -1 },
        "registered_name": null,
    });
    json!({
        "optimizer": to_config(optimizer.rule().as_ref(), learning_rate.unwrap_or(0.001)),
        "loss": loss,
        "loss_weights": null,
        "metrics": ["accuracy"],
        "weighted_metrics": null,
        "run_eagerly": false,
        "steps_per_execution": 1,
        "jit_compile": false,
    })
}
