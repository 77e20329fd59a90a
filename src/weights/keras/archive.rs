//! `.keras`: a zip of `config.json`, `metadata.json` and `model.weights.h5`.

use std::collections::BTreeMap;
use std::io::{self, Seek};
use std::path::Path;

use serde_json::Value;

use super::{Beside, Keras, json, read};
use crate::error::{Error, Result};
use crate::weights::window::Window;
use crate::weights::zipped::Zipped;

/// The member that holds the weights.
const WEIGHTS: &str = "model.weights.h5";

/// Opens the model in `zip`, or gives the zip back where it holds none.
///
/// # Errors
/// A member is corrupt or truncated.
pub(in crate::weights) fn open(path: &Path, mut zip: Zipped) -> Result<std::result::Result<Keras, Zipped>> {
    let Some(index) = zip.find(WEIGHTS) else {
        return Ok(Err(zip));
    };
    let config = text(&mut zip, "config.json")?.map(|text| json(path, "config.json", &text)).transpose()?;
    let training = config.as_ref().and_then(|c| c.get("compile_config")).filter(|c| !c.is_null()).cloned();
    let about =
        text(&mut zip, "metadata.json")?.map(|text| json(path, "metadata.json", &text)).transpose()?;
    let window = window(path, zip, index)?;
    let mut keras = read(path, window, Some(Beside { model: config, training }))?;
    keras.metadata.extend(about.iter().flat_map(plain));
    Ok(Ok(keras))
}

fn text(zip: &mut Zipped, name: &str) -> Result<Option<String>> {
    zip.find(name).map(|index| zip.text(index)).transpose()
}

/// The texts of a JSON object.
fn plain(about: &Value) -> BTreeMap<String, String> {
    let fields = about.as_object().into_iter().flatten();
    fields.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_string()))).collect()
}

/// Keras stores the member as it is, and then it is read in place. One that somebody compressed is unpacked into
/// a nameless temporary file, because HDF5 is read from all over.
fn window(path: &Path, mut zip: Zipped, index: usize) -> Result<Window> {
    if let Some((start, length)) = zip.in_place(index)? {
        return Window::part(zip.into_file(), start, length).map_err(Error::io("read", path));
    }
    let mut unpacked = tempfile::tempfile().map_err(Error::io("make a temporary file to unpack", path))?;
    zip.with_member(index, |member| io::copy(member, &mut unpacked).map(|_| ()))?;
    unpacked.rewind().and_then(|()| Window::whole(unpacked)).map_err(Error::io("unpack", path))
}
