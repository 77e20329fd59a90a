//! What is written for Keras reads back to the same bits, under the same names, in the same order.
//!
//! With `FROSTLINE_KEEP=DIR` the files stay in DIR, where `tests/fixtures/check_with_keras.py` loads them in Keras.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use frostline::error::Result;
use frostline::weights::keras::{self, Contents, State};
use frostline::weights::{self, Dtype, Format, Outgoing, Source, Values};

/// Everything that a file holds.
struct Held {
    tensors: Vec<Outgoing>,
    slots: Vec<Outgoing>,
    values: Vec<Vec<f32>>,
    config: Option<serde_json::Value>,
    iteration: Option<(u64, Option<f32>)>,
    metadata: BTreeMap<String, String>,
}

fn hold(path: &Path) -> Held {
    let mut source = weights::open(path).unwrap();
    let outgoing = |entries: &[weights::Entry]| {
        entries.iter().map(|e| Outgoing::f32(e.name.clone(), &e.shape)).collect::<Vec<_>>()
    };
    let tensors = outgoing(source.entries());
    let state = source.optimizer().cloned();
    let slots = state.as_ref().map(|s| outgoing(&s.slots)).unwrap_or_default();
    let mut values: Vec<Vec<f32>> = (0..tensors.len()).map(|i| source.read(i).unwrap()).collect();
    values.extend((0..slots.len()).map(|i| source.read_slot(i).unwrap()));
    let config = source.model_config().cloned();
    let metadata = BTreeMap::from([("note".to_owned(), "as \"given\"".to_owned())]);
    let iteration = state.map(|s| (s.iteration, s.learning_rate));
    Held { tensors, slots, values, config, iteration, metadata }
}

impl Held {
    fn contents(&self, with_config: bool) -> Contents<'_> {
        let state = self.iteration.map(|(iteration, learning_rate)| State {
            iteration,
            learning_rate,
            slots: &self.slots,
        });
        Contents {
            tensors: &self.tensors,
            config: self.config.as_ref().filter(|_| with_config),
            state,
            metadata: &self.metadata,
        }
    }
}

fn keep_folder() -> (Option<tempfile::TempDir>, PathBuf) {
    match std::env::var_os("FROSTLINE_KEEP") {
        Some(folder) => {
            std::fs::create_dir_all(&folder).unwrap();
            (None, PathBuf::from(folder))
        }
        None => {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().to_path_buf();
            (Some(folder), path)
        }
    }
}

fn oracle() -> PathBuf {
    std::env::var_os("FROSTLINE_ORACLE").map_or_else(|| PathBuf::from("tests/fixtures/keras"), PathBuf::from)
}

fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

fn check(path: &Path, held: &Held, format: Format) {
    let mut source = weights::open(path).unwrap();
    assert_eq!(source.format(), format, "{}", path.display());
    let names: Vec<&String> = source.entries().iter().map(|e| &e.name).collect();
    let expected: Vec<&String> = held.tensors.iter().map(|t| &t.name).collect();
    assert_eq!(names, expected, "{}", path.display());
    for (index, tensor) in held.tensors.iter().enumerate() {
        assert_eq!(source.entries()[index].shape, tensor.shape);
        assert!(
            same_bits(&source.read(index).unwrap(), &held.values[index]),
            "{}: {}",
            path.display(),
            tensor.name
        );
    }
    assert_eq!(source.metadata()["note"], held.metadata["note"], "{}", path.display());
    check_state(path, source.as_mut(), held);
}

fn check_state(path: &Path, source: &mut dyn Source, held: &Held) {
    let state = source.optimizer().cloned();
    assert_eq!(state.as_ref().map(|s| (s.iteration, s.learning_rate)), held.iteration, "{}", path.display());
    for (index, slot) in state.iter().flat_map(|s| &s.slots).enumerate() {
        let expected = &held.values[held.tensors.len() + index];
        assert!(same_bits(&source.read_slot(index).unwrap(), expected), "{}: {}", path.display(), slot.name);
        // Without its configuration a numbered file cannot say what its slots are.
        if source.model_config().is_some() {
            assert_eq!(slot.name, held.slots[index].name);
        }
    }
}

type Write = fn(&Path, &Contents<'_>, &mut Values<'_, '_>) -> Result<()>;

#[test]
fn every_form_reads_back_and_stays_for_keras() {
    let (_guard, folder) = keep_folder();
    let forms: [(&str, Write, bool, Format); 5] = [
        ("keras", keras::write_archive, true, Format::KerasArchive),
        ("weights.h5", keras::write_weights, true, Format::KerasWeights),
        ("inferred.weights.h5", keras::write_weights, false, Format::KerasWeights),
        ("model.h5", keras::write_legacy, true, Format::KerasLegacyModel),
        ("legacy.h5", keras::write_legacy, false, Format::KerasLegacyWeights),
    ];
    let models = [
        ("mini32", "mini32/model.keras"),
        ("mini32_trained", "mini32/train/sgd_momentum.first5_frozen.model.keras"),
        ("mini64_nested", "mini64_nested/model.keras"),
        ("tiny_adam", "tests/fixtures/small/tiny_adam.keras"),
        ("tiny_rmsprop", "tests/fixtures/small/tiny_rmsprop.keras"),
    ];
    for (name, file) in models {
        let base = if file.starts_with("tests") { PathBuf::new() } else { oracle() };
        let held = hold(&base.join(file));
        for (ending, write, with_config, format) in &forms {
            // Keras counts a nested model's layers inside it, which only its configuration can tell.
            if name == "mini64_nested" && !with_config {
                continue;
            }
            let path = folder.join(format!("{name}.{ending}"));
            write(&path, &held.contents(*with_config), &mut |i| Ok(Cow::Borrowed(&held.values[i]))).unwrap();
            check(&path, &held, *format);
        }
    }
}

#[test]
fn half_precision_is_written_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.weights.h5");
    let tensors = [Outgoing { name: "dense/kernel".into(), shape: vec![1, 3], dtype: Dtype::F16 }];
    let contents = Contents { tensors: &tensors, config: None, state: None, metadata: &BTreeMap::new() };
    keras::write_weights(&path, &contents, &mut |_| Ok(Cow::Owned(vec![0.5, -2.0, 65504.0]))).unwrap();
    let mut source = weights::open(&path).unwrap();
    assert_eq!(source.entries()[0].dtype, Dtype::F16);
    assert_eq!(source.read(0).unwrap(), [0.5, -2.0, 65504.0]);
    let too_large =
        keras::write_weights(&path, &contents, &mut |_| Ok(Cow::Owned(vec![0.5, -2.0, 70_000.0])));
    assert!(too_large.unwrap_err().to_string().contains("beyond 65504"));
    assert_eq!(source.read(0).unwrap(), [0.5, -2.0, 65504.0], "the old file stays");
}

#[test]
fn hundreds_of_layers_in_one_group() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wide.h5");
    let tensors: Vec<Outgoing> =
        (0..700).map(|i| Outgoing::f32(format!("dense_{i}/kernel"), &[1, 2])).collect();
    let contents = Contents { tensors: &tensors, config: None, state: None, metadata: &BTreeMap::new() };
    keras::write_legacy(&path, &contents, &mut |i| Ok(Cow::Owned(vec![i as f32, -1.0]))).unwrap();
    let mut source = weights::open(&path).unwrap();
    assert_eq!(source.entries().len(), 700);
    for i in [0, 7, 8, 311, 699] {
        assert_eq!(source.entries()[i].name, format!("dense_{i}/kernel"));
        assert_eq!(source.read(i).unwrap(), [i as f32, -1.0]);
    }
}

#[test]
fn what_cannot_be_written_is_refused_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.keras");
    let refused = |write: Write, tensors: &[Outgoing], config: Option<&serde_json::Value>, because: &str| {
        let contents = Contents { tensors, config, state: None, metadata: &BTreeMap::new() };
        let message = write(&path, &contents, &mut |_| Ok(Cow::Owned(vec![0.0]))).unwrap_err().to_string();
        assert!(message.contains(because), "{message}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    };
    let one = [Outgoing::f32("dense/kernel", &[1, 1])];
    refused(keras::write_archive, &one, None, "needs the model's configuration");
    let other = serde_json::json!({"class_name": "Sequential", "config": {"layers": []}});
    refused(keras::write_archive, &one, Some(&other), "'dense' is not in the model's configuration");
    refused(
        keras::write_legacy,
        &[one[0].clone(), one[0].clone()],
        None,
        "two tensors are called 'dense/kernel'",
    );
    refused(keras::write_weights, &[Outgoing::f32("kernel", &[1])], None, "layer/parameter");
    refused(keras::write_weights, &[Outgoing::f32("odd/table", &[1])], None, "class cannot be told");
    refused(
        keras::write_weights,
        &[Outgoing::f32("dense/kernel", &[1, 2])],
        None,
        "needs 2 values, 1 were given",
    );
}
