//! The oracle: numbers that Keras made, read without any code of ours.

pub mod bound;
pub mod steps;
pub mod tally;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use frostline::nn::keras;
use frostline::nn::{Architecture, LayerKind};
use frostline::weights;
use serde_json::Value;

/// A tensor of any type, as f64, row-major.
#[derive(Clone, Debug)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

pub type Tensors = BTreeMap<String, Tensor>;

/// One model with the numbers that Keras computed for it.
pub struct Model {
    pub name: String,
    pub folder: PathBuf,
    /// What the manifest says of `NAME/...`.
    pub manifest: Value,
    /// Rebuilt from the configuration in `model.keras`; without dropout, as every number of the oracle.
    pub architecture: Architecture,
    /// Under the parameters' names.
    pub start: BTreeMap<String, Vec<f32>>,
    pub inputs: Tensors,
}

/// `FROSTLINE_ORACLE`, else the shipped fixtures.
pub fn oracle() -> PathBuf {
    std::env::var_os("FROSTLINE_ORACLE").map_or_else(|| PathBuf::from("tests/fixtures/keras"), PathBuf::from)
}

/// Every model of `folder` that comes with numbers.
///
/// # Errors
/// There is none: a comparison with nothing would always succeed.
pub fn models(folder: &Path) -> Result<Vec<Model>, String> {
    let text = std::fs::read_to_string(folder.join("manifest.json"));
    let manifest: Value = text.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.join("activations_f64.safetensors").is_file());
    folders.sort();
    match folders.is_empty() {
        true => Err(format!(
            "{} holds no case with numbers; see tests/fixtures/keras/README.md",
            folder.display()
        )),
        false => Ok(folders.into_iter().map(|folder| model(folder, &manifest)).collect()),
    }
}

fn model(folder: PathBuf, manifest: &Value) -> Model {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let mut source = weights::open(&folder.join("model.keras")).unwrap();
    let mut architecture = keras::model(source.model_config().unwrap(), None).unwrap().architecture;
    for layer in &mut architecture.layers {
        if let LayerKind::Dropout { rate } = &mut layer.kind {
            *rate = 0.0;
        }
    }
    let names: Vec<String> = source.entries().iter().map(|entry| entry.name.clone()).collect();
    let start = names.into_iter().enumerate().map(|(i, name)| (name, source.read(i).unwrap())).collect();
    let inputs = tensors(&folder.join("inputs.safetensors"));
    let own = |key: &str| key.strip_prefix(&format!("{name}/")).map(str::to_owned);
    let about = manifest.as_object().into_iter().flatten();
    let about = about.filter_map(|(key, value)| Some((own(key)?, value.clone()))).collect();
    Model { name, folder, manifest: Value::Object(about), architecture, start, inputs }
}

impl Model {
    pub fn samples(&self) -> usize {
        self.inputs["x_uint8"].shape[0]
    }

    pub fn numbers(&self, file: &str) -> Tensors {
        tensors(&self.folder.join(file))
    }

    /// Names of the parameters that train, for each way of freezing in the manifest.
    pub fn freezing(&self) -> BTreeMap<String, Vec<String>> {
        self.training().map(|(_, run)| (text(&run["freeze"]), names(&run["trainable"]))).collect()
    }

    /// The training runs whose numbers are in the folder.
    pub fn training(&self) -> impl Iterator<Item = (&str, &Value)> {
        let runs = self.manifest.as_object().into_iter().flatten();
        runs.filter_map(|(key, run)| Some((key.strip_prefix("train/")?, run)))
            .filter(|(name, _)| self.folder.join(format!("train/{name}.safetensors")).is_file())
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub fn names(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// A safetensors file as the crate of that name reads it.
pub fn tensors(path: &Path) -> Tensors {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let table = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    table.tensors().into_iter().map(|(name, view)| (name, tensor(&view))).collect()
}

fn tensor(view: &safetensors::tensor::TensorView) -> Tensor {
    macro_rules! numbers {
        ($type:ty) => {
            view.data()
                .chunks_exact(size_of::<$type>())
                .map(|bytes| <$type>::from_le_bytes(bytes.try_into().unwrap()) as f64)
                .collect()
        };
    }
    let data = match view.dtype() {
        safetensors::Dtype::F32 => numbers!(f32),
        safetensors::Dtype::F64 => numbers!(f64),
        safetensors::Dtype::I64 => numbers!(i64),
        safetensors::Dtype::U8 => numbers!(u8),
        other => panic!("the oracle has no {other:?}"),
    };
    Tensor { shape: view.shape().to_vec(), data }
}

/// `|a - b| / |b|` in the Euclidean norm.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let off: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    let norm: f64 = b.iter().map(|b| b * b).sum();
    (off / norm.max(1e-60)).sqrt()
}

/// f32 as f64.
pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}
