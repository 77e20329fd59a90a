//! Every form in which Keras saved the oracle's models reads to exactly the oracle's values.
//!
//! `FROSTLINE_ORACLE` names a folder laid out as `tests/fixtures/keras`, which is the default.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use frostline::weights::{self, Format, Source};

fn oracle() -> PathBuf {
    std::env::var_os("FROSTLINE_ORACLE").map_or_else(|| PathBuf::from("tests/fixtures/keras"), PathBuf::from)
}

/// Files below `folder` whose names end in one of `endings`, sorted.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, endings));
        } else if endings.iter().any(|e| path.to_string_lossy().ends_with(e)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The values as the safetensors crate reads them, without any code of ours.
fn plain(path: &Path) -> BTreeMap<String, (Vec<usize>, Vec<u32>)> {
    let bytes = std::fs::read(path).unwrap();
    let table = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let bits =
        |data: &[u8]| data.chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect();
    table
        .tensors()
        .into_iter()
        .map(|(name, view)| (name, (view.shape().to_vec(), bits(view.data()))))
        .collect()
}

/// Compares every entry of `source` bit for bit; gives the number of values.
fn compare(source: &mut dyn Source, expected: &BTreeMap<String, (Vec<usize>, Vec<u32>)>) -> usize {
    let entries = source.entries().to_vec();
    let names: Vec<&String> = entries.iter().map(|e| &e.name).collect();
    assert_eq!(entries.len(), expected.len(), "{}: {names:?}", source.path().display());
    let mut compared = 0;
    for (index, entry) in entries.iter().enumerate() {
        let Some((shape, bits)) = expected.get(&entry.name) else {
            panic!("{}: '{}' is not in the oracle", source.path().display(), entry.name)
        };
        assert_eq!(&entry.shape, shape, "{}: {}", source.path().display(), entry.name);
        let read: Vec<u32> = source.read(index).unwrap().iter().map(|v| v.to_bits()).collect();
        assert_eq!(&read, bits, "{}: {}", source.path().display(), entry.name);
        compared += bits.len();
    }
    compared
}

fn model_of(file: &Path) -> PathBuf {
    let folder = file.parent().unwrap();
    let flat = folder.to_string_lossy().replace("mini64_nested", "mini64");
    Path::new(&flat).join("weights.safetensors")
}

#[test]
fn every_saved_form_reads_to_the_same_bits() {
    let (mut forms, mut compared) = (0, 0);
    for file in files(&oracle(), &[".h5", ".keras"]) {
        if file.parent().unwrap().ends_with("train") {
            continue;
        }
        let expected = plain(&model_of(&file));
        compared += compare(weights::open(&file).unwrap().as_mut(), &expected);
        forms += 1;
    }
    println!("{forms} files, {compared} values, all equal to the last bit");
    assert!(forms >= 12, "only {forms} files under {}", oracle().display());
}

#[test]
fn the_order_is_topological_in_every_form() {
    let layer = |name: &str| name.split('/').next().unwrap().to_string();
    let mut seen = 0;
    for file in files(&oracle(), &[".h5", ".keras"]) {
        let source = weights::open(&file).unwrap();
        let names: Vec<&str> = source.entries().iter().map(|e| e.name.as_str()).collect();
        assert_eq!(
            names[..4],
            ["block1_conv1/kernel", "block1_conv1/bias", "block1_conv2/kernel", "block1_conv2/bias"],
            "{}",
            file.display()
        );
        let convolutions: Vec<String> =
            names.iter().filter(|n| n.ends_with("kernel")).take(16).map(|n| layer(n)).collect();
        let sorted = {
            let mut sorted = convolutions.clone();
            sorted.sort();
            sorted
        };
        assert_eq!(convolutions, sorted, "{}", file.display());
        let tail: Vec<String> = names[32..].iter().step_by(2).map(|n| layer(n)).collect();
        assert!(tail == ["fc1", "fc2", "predictions"] || tail == ["dense", "dense_1", "dense_2"], "{tail:?}");
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn formats_and_configurations_are_recognised() {
    let nested = oracle().join("mini64_nested");
    for (file, format, has_config) in [
        ("model.keras", Format::KerasArchive, true),
        ("model.h5", Format::KerasLegacyModel, true),
        ("model.weights.h5", Format::KerasWeights, false),
        ("model.legacy_k3.h5", Format::KerasLegacyWeights, false),
    ] {
        let source = weights::open(&nested.join(file)).unwrap();
        assert_eq!(source.format(), format);
        assert_eq!(source.model_config().is_some(), has_config, "{file}");
    }
    let whole = weights::open(&nested.join("model.h5")).unwrap();
    assert_eq!(whole.metadata()["keras_version"], "3.15.1");
    assert_eq!(whole.model_config().unwrap()["class_name"], "Sequential");
    assert!(!whole.metadata().contains_key("model_config"));
}

#[test]
fn optimizer_state_has_canonical_names_and_the_oracles_values() {
    let mut compared = 0;
    for file in files(&oracle(), &[".model.keras", ".model.h5"]) {
        let slots = PathBuf::from(
            file.to_string_lossy()
                .replace(".model.keras", ".slots.safetensors")
                .replace(".model.h5", ".slots.safetensors"),
        );
        let expected = plain(&slots);
        let mut source = weights::open(&file).unwrap();
        let optimizer = source.optimizer().expect("the trained models keep their optimizer").clone();
        assert_eq!(optimizer.iteration, 20, "{}", file.display());
        assert!(optimizer.learning_rate.is_some_and(|rate| (rate - 1e-3).abs() < 1e-9));
        assert_eq!(optimizer.slots.len() + 2, expected.len(), "{}", file.display());
        for (index, slot) in optimizer.slots.iter().enumerate() {
            let suffix = format!("/{}", slot.name.replace('/', "_"));
            let (_, (shape, bits)) = expected
                .iter()
                .find(|(name, _)| name.ends_with(&suffix))
                .unwrap_or_else(|| panic!("{}: {}", file.display(), slot.name));
            let read: Vec<u32> = source.read_slot(index).unwrap().iter().map(|v| v.to_bits()).collect();
            assert_eq!((&slot.shape, &read), (shape, bits), "{}: {}", file.display(), slot.name);
            compared += read.len();
        }
    }
    println!("{compared} values of optimizer slots, all equal to the last bit");
    assert!(compared > 0);
}
