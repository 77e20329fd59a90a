//! Features in files and in the cache: the same bits wherever they come from, and nothing that does not belong.

mod support;

use std::path::Path;
use std::sync::Arc;

use frostline::data::augmentation::Augmentation;
use frostline::data::batches::{Loader, Options};
use frostline::data::split::Split;
use frostline::graph::Store;
use frostline::graph::cut::split_after;
use frostline::nn::{Architecture, Freeze, Head, Network, Pool, Preprocessing, init, vgg};
use frostline::train::augment;
use frostline::train::features::Extractor;
use frostline::train::features::cache::FeatureCache;
use frostline::train::features::file::{self, FeatureFile, Origin};
use frostline::train::features::transfer::{Staged, Staging, Variants, stage};
use frostline::train::{ImageSamples, Samples};
use support::device;

const SIDE: u32 = 32;
const CLASSES: [&str; 3] = ["ant", "bee", "dragonfly"];

fn architecture() -> Architecture {
    let head = Head { pool: Pool::Avg, classes: CLASSES.len(), ..Head::default() }.layers().unwrap();
    let base = vgg::base("vgg11", &[4, 6, 8, 8, 8]).unwrap();
    Architecture::stack("vgg11", base, SIDE as usize, Preprocessing::Caffe, head)
}

fn store(network: &Network, seed: u64) -> Store {
    let mut store = Store::new(device().clone());
    init::parameters(&network.graph, &mut store, seed, |_| true).unwrap();
    store
}

/// Pictures from number `first` on, and a damaged file among them.
fn images(folder: &Path, first: u32, count: u32) -> ImageSamples {
    let file = |i: u32| folder.join(format!("{i}.png"));
    for i in first..first + count {
        let colour = |x: u32, y: u32| image::Rgb([(7 * x + 31 * i) as u8, (5 * y) as u8, (x * y + i) as u8]);
        image::RgbImage::from_fn(SIDE, SIDE, colour).save(file(i)).unwrap();
    }
    std::fs::write(file(first + 1), b"\x89PNG\r\n\x1a\nno more than a beginning").unwrap();
    let split = Split::from_samples((first..first + count).map(|i| (file(i), i % 3)));
    ImageSamples(Arc::new(Loader::new(split, Options::square(SIDE, 3)).unwrap()))
}

/// All feature values that training would see, in order.
fn values(samples: &dyn Samples) -> Vec<u8> {
    let batches = samples.in_order().unwrap();
    batches.flat_map(|batch| batch.unwrap().bytes().to_vec()).collect()
}

fn staged<'a>(
    network: &Network,
    store: &mut Store,
    samples: &'a ImageSamples,
    cache: Option<FeatureCache>,
) -> Staged<'a> {
    let staging = Staging { batch: 3, memory: u64::MAX, cache, variants: None };
    stage(&network.graph, store, samples, None::<&ImageSamples>, &staging, |_| {}).unwrap()
}

#[test]
fn cached_and_uncached_features_are_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::new(architecture(), &Freeze::All, 0.0).unwrap();
    let (mut first, samples) = (store(&network, 1), images(folder.path(), 0, 8));
    let cache = FeatureCache::in_folder(&folder.path().join("cache"), 1 << 20);
    let plain = staged(&network, &mut first, &samples, None);
    assert_eq!(plain.train.len(), 7, "the damaged image is left out");
    let filling = staged(&network, &mut first, &samples, Some(cache.clone()));
    let again = staged(&network, &mut store(&network, 1), &samples, Some(cache.clone()));
    assert!(
        filling.about.contains("0 of 7 images") && again.about.contains("7 of 7 images"),
        "{}",
        again.about
    );
    assert!(
        values(&*plain.train) == values(&*filling.train) && values(&*plain.train) == values(&*again.train)
    );

    // Other weights, another input size or another network are other features.
    let other = staged(&network, &mut store(&network, 2), &samples, Some(cache.clone()));
    assert!(other.about.contains("0 of 7 images"), "{}", other.about);
    let more = Network::new(architecture(), &Freeze::Until("block4_pool".into()), 0.0).unwrap();
    let other = staged(&more, &mut store(&more, 1), &samples, Some(cache));
    assert!(other.about.contains("0 of 7 images"), "{}", other.about);
}

#[test]
fn two_runs_may_fill_one_cache_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let cache = FeatureCache::in_folder(folder.path(), 1 << 20);
    let fill = || {
        let shelf = cache.shelf(&[1; 16]).unwrap();
        for image in 0..100u8 {
            let mut row = [0.0; 64];
            let found = shelf.get(&[image; 16], &mut row);
            assert!(!found || row == [f32::from(image); 64]);
            shelf.put(&[image; 16], &[f32::from(image); 64]);
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(fill))));
    let shelf = cache.shelf(&[1; 16]).unwrap();
    assert!((0..100u8).all(|image| shelf.get(&[image; 16], &mut [0.0; 64])));
}

#[test]
fn augmentation_is_cached_as_fixed_variants_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Augmentation::recipe();
    let network = augment::network(architecture(), &Freeze::All, 0.0, &recipe).unwrap();
    let (mut store, samples) = (store(&network, 1), images(folder.path(), 0, 8));
    let never = staged(&network, &mut store, &samples, None);
    assert!(never.cached.is_none() && never.about.contains("--cache-augment"), "{}", never.about);

    let cache = FeatureCache::in_folder(&folder.path().join("cache"), 1 << 20);
    let mut fixed = |count| {
        let variants = Variants { augmentation: recipe.clone(), seed: 3, count };
        let staging =
            Staging { batch: 3, memory: u64::MAX, cache: Some(cache.clone()), variants: Some(variants) };
        stage(&network.graph, &mut store, &samples, Some(&samples), &staging, |_| {}).unwrap()
    };
    let (two, again) = (fixed(2), fixed(3));
    // Two variants to train on, and the images as they are to validate.
    assert!(two.about.contains("0 of 21 images"), "{}", two.about);
    assert!(again.about.contains("21 of 28 images"), "{}", again.about);
    let validating = again.val.unwrap();
    assert!(values(&*two.train) != values(&*validating));
    let reversed: Vec<u32> = (0..7).rev().collect();
    let visit = |order: Vec<u32>| -> Vec<Vec<f32>> {
        let batches = again.train.batches(order).unwrap().map(|batch| batch.unwrap());
        let rows = batches.flat_map(|b| bytemuck::pod_collect_to_vec::<u8, f32>(b.bytes()));
        rows.collect::<Vec<_>>().chunks(8).map(<[f32]>::to_vec).collect()
    };
    let (there, mut back) = (visit((0..7).collect()), visit(reversed));
    back.reverse();
    assert!(there.len() == 7 && there != back, "another order shows other variants");
    assert!(there.iter().zip(&back).any(|(a, b)| a == b), "of three variants some are met again");
}

#[test]
fn a_file_of_features_holds_what_the_layer_makes() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::new(architecture(), &Freeze::All, 0.0).unwrap();
    let mut store = store(&network, 1);
    let prefix = split_after(&network.graph, "block2_pool").unwrap().prefix;
    let mut extractor = Extractor::new(&prefix, "block2_pool", &mut store, 3, u64::MAX).unwrap();
    let (train, val) = (images(folder.path(), 0, 8), images(folder.path(), 8, 5));
    let architecture =
        architecture().ending_at("block2_pool", &Head { classes: 2, ..Head::default() }).unwrap();
    let origin = Origin { seed: 1, ..Origin::new(&architecture) };
    let classes = CLASSES.map(str::to_owned);
    for name in ["f.safetensors", "f.h5", "f.npz"] {
        let path = folder.path().join(name);
        let rows = file::write(&path, (&train, &val), &mut extractor, &classes, &origin, |_| {}).unwrap();
        assert_eq!(rows, 11, "one of each is damaged");
    }
    for name in ["f.safetensors", "f.h5", "f.npz"] {
        let file = FeatureFile::open(&folder.path().join(name)).unwrap();
        assert_eq!((file.classes(), &file.origin), (&classes[..], &origin), "{name}");
        for (samples, validates) in [(&train, false), (&val, true)] {
            let direct = extractor.collect(samples, 4, |_| {}).unwrap();
            let part = file.part(validates, 4);
            let labels = part.in_order().unwrap().flat_map(|batch| batch.unwrap().labels);
            assert_eq!(labels.collect::<Vec<_>>(), direct.labels, "{name}");
            assert!(values(&part) == values(&direct), "{name}");
        }
    }
    for name in ["f.safetensors", "f.h5", "f.npz"] {
        let whole = std::fs::read(folder.path().join(name)).unwrap();
        for part in [0, 7, whole.len() / 3, whole.len() - 5] {
            let cut = folder.path().join(format!("cut_{name}"));
            std::fs::write(&cut, &whole[..part]).unwrap();
            assert!(FeatureFile::open(&cut).is_err(), "{name} cut to {part} bytes");
        }
    }
    let whole = origin.with_head(Head { classes: 3, ..Head::default() }.layers().unwrap());
    assert_eq!((whole.base, whole.layers.len()), (4, 6));

    let file = FeatureFile::open(&folder.path().join("f.safetensors")).unwrap();
    let all = [values(&file.part(false, 16)), values(&file.part(true, 16))].concat();
    let h5 = hdf5_reader::Hdf5File::open(folder.path().join("f.h5")).unwrap();
    let array = h5.dataset("/features").unwrap().read_array::<f32>().unwrap();
    assert_eq!(array.shape(), [11, 8, 8, 6]);
    assert!(array.iter().flat_map(|v| v.to_ne_bytes()).collect::<Vec<u8>>() == all);
    let labels = h5.dataset("/validates").unwrap().read_array::<i64>().unwrap();
    assert_eq!(labels.iter().sum::<i64>(), 4);
    let npz = std::fs::read(folder.path().join("f.npz")).unwrap();
    assert!(npz.windows(all.len()).any(|window| window == all));
}

#[test]
fn what_is_no_file_of_features_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.safetensors");
    let refused = |path: &Path| FeatureFile::open(path).err().unwrap().to_string();
    for bytes in [&b""[..], b"12345678", &[255; 64], b"\x02\0\0\0\0\0\0\0{}"] {
        std::fs::write(&path, bytes).unwrap();
        let message = refused(&path);
        assert!(message.contains("f.safetensors"), "{message}");
    }
    for weights in ["plain.npz", "compact.h5", "compact.safetensors"] {
        let message =
            refused(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/small").join(weights));
        assert!(
            message.contains("no file of features") && message.contains("frostline features"),
            "{message}"
        );
    }
    let header = r#"{"__metadata__":{"classes":"[\"a\"]","frostline_features":"{}"},
        "features":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]},
        "labels":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},
        "validates":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 8]].concat();
    std::fs::write(&path, bytes).unwrap();
    assert!(refused(&path).contains("corrupt safetensors header"));
}
