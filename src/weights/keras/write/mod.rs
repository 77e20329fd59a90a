//! Files that Keras loads: `.weights.h5`, `.keras`, and the legacy `.h5` that Keras 2 reads too.

mod tree;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

use crate::error::{Error, Result};
use crate::weights::hdf5::write::{Group, Plan, plan};
use crate::weights::{Outgoing, Values, file, outgoing};

/// The version that written files name: the oldest Keras whose layouts these are.
pub(super) const KERAS_VERSION: &str = "3.0.0";

/// What goes into a file.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'c> {
    /// In topological order, parameters of a layer together.
    pub tensors: &'c [Outgoing],
    /// Keras' `config.json`: names the class and place of every layer. Without it, classes are told by the shapes.
    pub config: Option<&'c Value>,
    pub state: Option<State<'c>>,
    /// Free texts, kept where Keras does not look: `metadata.json`, attributes of the root.
    pub metadata: &'c BTreeMap<String, String>,
}

/// An optimizer's state, to go on from.
#[derive(Debug, Clone, Copy)]
pub struct State<'c> {
    pub iteration: u64,
    /// `None` for a schedule.
    pub learning_rate: Option<f32>,
    /// In the order of [`slot_names`].
    pub slots: &'c [Outgoing],
}

/// The slots that the optimizer in `config` (its `compile_config`) keeps for `trained` parameters, in Keras' order:
/// `block2_conv2/kernel/momentum`, ... Empty for an optimizer without any, or one not known here.
pub fn slot_names(config: &Value, trained: &[&str]) -> Vec<String> {
    let compiled = config.get("compile_config").unwrap_or(config);
    let each = |kinds: Vec<&'static str>| -> Vec<String> {
        trained
            .iter()
            .flat_map(|parameter| kinds.iter().map(move |kind| format!("{parameter}/{kind}")))
            .collect()
    };
    super::optimizer::passes(compiled).into_iter().flat_map(each).collect()
}

/// Keras 3 `.weights.h5`. `values` is asked for the tensors in order, then for the slots (numbers go on).
///
/// # Errors
/// A layer that `config` lacks or whose class cannot be told, duplicate names, and those of [`file::replace`].
pub fn weights(path: &Path, contents: &Contents<'_>, values: &mut Values<'_, '_>) -> Result<()> {
    let plan = laid_out(path, tree::v3(path, contents)?)?;
    file::replace(path, |out| emit(path, &plan, contents, out, values))
}

/// Legacy `.h5`: whole model where there is a configuration, else weights alone.
///
/// # Errors
/// As [`weights`].
pub fn legacy(path: &Path, contents: &Contents<'_>, values: &mut Values<'_, '_>) -> Result<()> {
    let plan = laid_out(path, tree::legacy(path, contents)?)?;
    file::replace(path, |out| emit(path, &plan, contents, out, values))
}

/// Keras 3 `.keras`: needs `config`.
///
/// # Errors
/// As [`weights`]; and no configuration.
pub fn archive(path: &Path, contents: &Contents<'_>, values: &mut Values<'_, '_>) -> Result<()> {
    let Some(config) = contents.config else {
        return Err(Error::weights(
            path,
            "a .keras file needs the model's configuration; write .weights.h5 instead",
        ));
    };
    let plan = laid_out(path, tree::v3(path, contents)?)?;
    let mut about = json!(contents.metadata);
    about["keras_version"] = json!(KERAS_VERSION);
    about["written_by"] = json!(concat!("frostline ", env!("CARGO_PKG_VERSION")));
    let zipped = |e: zip::result::ZipError| Error::weights(path, format!("cannot be packed: {e}"));
    file::replace(path, |out| {
        let mut zip = zip::ZipWriter::new(out);
        // Stored, not packed: Keras and this room read the weights in place.
        let options =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored).large_file(true);
        for (name, text) in [("metadata.json", &about), ("config.json", config)] {
            zip.start_file(name, options).map_err(zipped)?;
            zip.write_all(text.to_string().as_bytes()).map_err(Error::io("write", path))?;
        }
        zip.start_file("model.weights.h5", options).map_err(zipped)?;
        emit(path, &plan, contents, &mut zip, values)?;
        zip.finish().map(|_| ()).map_err(zipped)
    })
}

fn laid_out(path: &Path, root: Group) -> Result<Plan> {
    plan(root).map_err(|e| {
        Error::weights(path, format!("cannot be written as HDF5: {e}; write safetensors instead"))
    })
}

fn emit<W: Write>(
    path: &Path,
    plan: &Plan,
    contents: &Contents<'_>,
    out: &mut W,
    values: &mut Values<'_, '_>,
) -> Result<()> {
    let io_error = |source| Error::Io { action: "write", path: path.to_path_buf(), source };
    plan.write(out, io_error, |out, index| {
        let tensor = announced(contents, index)
            .ok_or_else(|| Error::weights(path, format!("tensor {index} was never announced")))?;
        outgoing::write(path, tensor, &values(index)?, out)
    })
}

/// Tensors first, then slots.
fn announced<'c>(contents: &Contents<'c>, index: usize) -> Option<&'c Outgoing> {
    let slots = contents.state.map_or(&[][..], |state| state.slots);
    contents.tensors.iter().chain(slots).nth(index)
}

/// Refuses what would not read back.
fn check(path: &Path, contents: &Contents<'_>) -> Result<()> {
    let odd = contents.tensors.iter().find(|tensor| !tensor.name.contains('/') || tensor.name.contains('\0'));
    if let Some(Outgoing { name, .. }) = odd {
        let what = format!("'{name}' is not of the form layer/parameter; rename it");
        return Err(Error::weights(path, what));
    }
    outgoing::check(path, contents.tensors)
}
