//! What the oracle's models do not have: batch normalisation, Adam and RMSprop, bfloat16, folder names of Keras 2.13,
//! HDF5's rarer storage, NumPy archives, torchvision's layouts. `tests/fixtures/make_small.py` made the files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use frostline::weights::{self, Format, Layout, Source};

fn small(file: &str) -> PathBuf {
    Path::new("tests/fixtures/small").join(file)
}

/// The truth, by the safetensors crate alone.
fn truth(name: &str) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let bytes = std::fs::read(small(&format!("{name}.safetensors"))).unwrap();
    let table = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let read = |view: &safetensors::tensor::TensorView<'_>| match view.dtype() {
        safetensors::Dtype::F32 => {
            view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
        }
        safetensors::Dtype::I64 => {
            view.data().chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f32).collect()
        }
        other => panic!("{other:?}"),
    };
    table.tensors().into_iter().map(|(n, view)| (n, (view.shape().to_vec(), read(&view)))).collect()
}

fn check(file: &str, name: &str) -> Box<dyn Source> {
    let mut source = weights::open(&small(file)).unwrap();
    let truth = truth(name);
    assert_eq!(source.entries().len(), truth.len(), "{file}");
    for (index, entry) in source.entries().to_vec().iter().enumerate() {
        let (shape, values) =
            truth.get(&entry.name).unwrap_or_else(|| panic!("{file}: {} is not in the truth", entry.name));
        assert_eq!(&entry.shape, shape, "{file}: {}", entry.name);
        assert_eq!(&source.read(index).unwrap(), values, "{file}: {}", entry.name);
    }
    source
}

fn layers(source: &dyn Source) -> Vec<String> {
    let mut layers: Vec<String> = source.entries().iter().map(|e| e.layer().to_string()).collect();
    layers.dedup();
    layers
}

#[test]
fn rare_storage_reads_the_same() {
    let names = [
        "user_block",
        "big_endian",
        "f64",
        "f16_latest",
        "packed_latest",
        "resizable_latest",
        "f16_packed",
        "compact",
    ];
    for name in names {
        check(&format!("{name}.h5"), name);
    }
}

#[test]
fn batch_normalisation_and_an_order_that_is_no_alphabet() {
    for model in ["tiny_adam", "tiny_rmsprop"] {
        for ending in ["keras", "h5", "weights.h5"] {
            let source = check(&format!("{model}.{ending}"), model);
            assert_eq!(
                layers(source.as_ref()),
                ["zeta", "norm", "middle", "eta", "alpha"],
                "{model}.{ending}"
            );
            let parameters: Vec<&str> = source.entries()[1..8].iter().map(|e| e.parameter()).collect();
            assert_eq!(
                parameters,
                ["gamma", "beta", "moving_mean", "moving_variance", "beta", "moving_mean", "moving_variance"]
            );
        }
    }
}

#[test]
fn slots_of_adam_and_rmsprop_have_their_names() {
    for model in ["tiny_adam", "tiny_rmsprop"] {
        let truth = truth(&format!("{model}.slots"));
        for ending in ["keras", "h5"] {
            let mut source = weights::open(&small(&format!("{model}.{ending}"))).unwrap();
            let state = source.optimizer().unwrap().clone();
            assert_eq!((state.iteration, state.learning_rate), (3, Some(1e-3)));
            assert_eq!(state.slots.len() + 2, truth.len());
            for (index, slot) in state.slots.iter().enumerate() {
                let (_, values) = &truth[&slot.name.replace('/', "_")];
                assert_eq!(&source.read_slot(index).unwrap(), values, "{model}.{ending}: {}", slot.name);
            }
        }
    }
}

#[test]
fn keras_3_files_of_all_ages() {
    let bfloat16 = check("bfloat16.weights.h5", "bfloat16");
    assert_eq!(bfloat16.entries()[0].dtype.name(), "bf16");
    for name in ["keras213", "nameless"] {
        let source = check(&format!("{name}.weights.h5"), name);
        let expected: Vec<String> =
            (0..12).map(|i| if i == 0 { "dense".to_string() } else { format!("dense_{i}") }).collect();
        assert_eq!(layers(source.as_ref()), expected);
    }
}

#[test]
fn names_split_over_two_attributes_are_joined() {
    let mut source = weights::open(&small("split_names.h5")).unwrap();
    assert_eq!(source.entries().len(), 1);
    assert!(source.entries()[0].name.ends_with("_899/kernel"));
    assert_eq!(source.read(0).unwrap(), [1.5]);
}

#[test]
fn numpy_archives_stored_and_packed() {
    for name in ["plain", "packed"] {
        let source = check(&format!("{name}.npz"), name);
        assert_eq!(source.format(), Format::Npz);
        let names: Vec<&str> = source.entries().iter().map(|e| e.name.as_str()).collect();
        assert_eq!(
            names,
            ["conv2d_2/kernel", "conv2d_2/bias", "conv2d_10/kernel", "half/kernel", "zeros/kernel"]
        );
    }
}

#[test]
fn torchvision_is_turned_round_and_its_flatten_permuted() {
    let source = check("torchvision.stored.safetensors", "torchvision");
    assert_eq!(source.format(), Format::Torchvision);
    assert_eq!(
        layers(source.as_ref()),
        ["block1_conv1", "block1_conv2", "block2_conv1", "fc1", "fc2", "predictions"]
    );
    let layouts: Vec<Layout> =
        source.entries().iter().filter(|e| e.parameter() == "kernel").map(|e| e.layout).collect();
    assert_eq!(layouts[0], Layout::ConvOihw);
    assert_eq!(layouts[3], Layout::FlattenChw { c: 6, h: 2, w: 2 });
    assert_eq!(layouts[4], Layout::DenseOutIn);
    assert_eq!(source.metadata()["preprocessing"], "torch");
}

#[test]
fn a_keras_archive_that_somebody_compressed_reads_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packed.keras");
    let mut stored = zip::ZipArchive::new(std::fs::File::open(small("tiny_adam.keras")).unwrap()).unwrap();
    let mut packed = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    let deflated =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for index in 0..stored.len() {
        let mut member = stored.by_index(index).unwrap();
        packed.start_file(member.name().unwrap().into_owned(), deflated).unwrap();
        std::io::copy(&mut member, &mut packed).unwrap();
    }
    packed.finish().unwrap();
    let mut plain = weights::open(&small("tiny_adam.keras")).unwrap();
    let mut source = weights::open(&path).unwrap();
    assert_eq!(source.entries(), plain.entries());
    assert_eq!(source.optimizer(), plain.optimizer());
    for index in 0..source.entries().len() {
        assert_eq!(source.read(index).unwrap(), plain.read(index).unwrap());
    }
}
