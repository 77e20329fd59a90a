//! safetensors in and out: the shipped weights, round trips, and files that lie.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use frostline::weights::{self, Dtype, Format, Outgoing};

const SHIPPED: &str = "weights/vgg16_imagenet_notop.f16.safetensors";

fn sample(folder: &Path) -> (PathBuf, Vec<Outgoing>, Vec<Vec<f32>>) {
    let path = folder.join("a.safetensors");
    let half = Outgoing { name: "stem/kernel".into(), shape: vec![3], dtype: Dtype::F16 };
    let tensors = vec![half, Outgoing::f32("stem/bias", &[1]), Outgoing::f32("a_head/kernel", &[2, 2])];
    let values = vec![vec![0.5, -1.0, 65504.0], vec![f32::MIN_POSITIVE], vec![1.0, 2.0, 3.0, 1e-30]];
    (path, tensors, values)
}

fn write(path: &Path, tensors: &[Outgoing], values: &[Vec<f32>]) -> frostline::error::Result<()> {
    let about = BTreeMap::from([("preprocessing".to_string(), "caffe".to_string())]);
    weights::safetensors::write(path, &about, tensors, &mut |i| Ok(Cow::Borrowed(&values[i])))
}

#[test]
fn the_shipped_vgg16_reads_in_layer_order() {
    let mut source = weights::open(Path::new(SHIPPED)).unwrap();
    assert_eq!(source.format(), Format::Safetensors);
    assert_eq!(source.metadata()["preprocessing"], "caffe");
    let names: Vec<&str> = source.entries().iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names.len(), 26);
    assert_eq!(
        names[..4],
        ["block1_conv1/kernel", "block1_conv1/bias", "block1_conv2/kernel", "block1_conv2/bias"]
    );
    assert_eq!(names[25], "block5_conv3/bias");
    let parameters: usize = source.entries().iter().map(|e| e.numel()).sum();
    assert_eq!(parameters, 14_714_688);
    let first = source.read(0).unwrap();
    // The first values of the Keras file, rounded to f16.
    for (got, keras) in first.iter().zip([0.429_470_57, 0.117_273_87, 0.034_013]) {
        assert!(
            (got - keras).abs() <= keras * f32::EPSILON * 4096.0,
            "{got} is not {keras} to f16 precision"
        );
    }
}

#[test]
fn what_is_written_reads_back_in_the_order_given() {
    let folder = tempfile::tempdir().unwrap();
    let (path, tensors, values) = sample(folder.path());
    write(&path, &tensors, &values).unwrap();
    let mut source = weights::open(&path).unwrap();
    let names: Vec<&str> = source.entries().iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["stem/kernel", "stem/bias", "a_head/kernel"]);
    assert_eq!(source.metadata().len(), 1, "the order is no metadata of the user's");
    for (index, expected) in values.iter().enumerate() {
        assert_eq!(&source.read(index).unwrap(), expected);
    }
    assert!(source.read(3).is_err());
}

#[test]
fn the_safetensors_crate_reads_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (path, tensors, values) = sample(folder.path());
    write(&path, &tensors, &values).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let table = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let head = table.tensor("a_head/kernel").unwrap();
    assert_eq!(head.shape(), [2, 2]);
    assert_eq!(head.data(), bytemuck::cast_slice::<f32, u8>(&values[2]));
}

#[test]
fn the_same_tensors_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (path, tensors, values) = sample(folder.path());
    write(&path, &tensors, &values).unwrap();
    let first = std::fs::read(&path).unwrap();
    write(&path, &tensors, &values).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), first);
}

#[test]
fn mistakes_of_the_writer_are_refused_and_leave_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, tensors, values) = sample(folder.path());
    let refused = |tensors: &[Outgoing], values: &[Vec<f32>], because: &str| {
        let message = write(&path, tensors, values).unwrap_err().to_string();
        assert!(message.contains(because), "{message}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    };
    let mut short = values.clone();
    short[2].pop();
    refused(&tensors, &short, "needs 4 values, 3 were given");
    let mut large = values.clone();
    large[0][0] = 70_000.0;
    refused(&tensors, &large, "beyond 65504");
    let twins = vec![tensors[1].clone(), tensors[1].clone()];
    refused(&twins, &[vec![0.0], vec![0.0]], "two tensors are called 'stem/bias'");
}

#[test]
fn every_truncation_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, tensors, values) = sample(folder.path());
    write(&path, &tensors, &values).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let cut = folder.path().join("cut");
    for length in 0..whole.len() {
        std::fs::write(&cut, &whole[..length]).unwrap();
        let Err(error) = weights::open(&cut) else {
            panic!("{length} of {} bytes were accepted", whole.len())
        };
        assert!(error.to_string().contains("cut"), "{error}");
    }
}

#[test]
fn a_header_larger_than_the_file_allocates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("liar.safetensors");
    let mut bytes = (u64::MAX / 2).to_le_bytes().to_vec();
    bytes.extend(b"{\"a\":1}");
    std::fs::write(&path, bytes).unwrap();
    let message = weights::open(&path).err().unwrap().to_string();
    assert!(message.contains("a header of 9223372036854775807 bytes in a file of 15"), "{message}");
}

#[test]
fn other_files_are_recognised_for_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for (bytes, expected) in [
        (&b"<!DOCTYPE html><html>"[..], "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"\x93NUMPY\x01\x00v\x00{'descr'", "numpy.savez"),
        (b"", "is empty"),
        (b"hello, I am a text file", "is no weight file"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let message = weights::open(&path).err().unwrap().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let message = weights::open(folder.path()).err().unwrap().to_string();
    assert!(message.contains("is a folder"), "{message}");
}
