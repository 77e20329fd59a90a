//! What epochs over images survive, and what they say of their time.

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use frostline::data::augmentation::Augmentation;
use frostline::data::batches::{Loader, Options};
use frostline::data::split::Split;
use frostline::graph::Store;
use frostline::nn::{Architecture, Freeze, Head, Pool, Preprocessing, init, vgg};
use frostline::optim::Sgd;
use frostline::train::{EpochRow, Fit, ImageSamples, Metrics, Observer, augment};
use support::device;

const SIDE: u32 = 32;
const IMAGES: u32 = 10;

fn architecture() -> Architecture {
    let head = Head { pool: Pool::Avg, classes: 2, ..Head::default() }.layers().unwrap();
    let base = vgg::base("vgg11", &[4, 6, 8, 8, 8]).unwrap();
    Architecture::stack("vgg11", base, SIDE as usize, Preprocessing::Caffe, head)
}

fn file(folder: &Path, i: u32) -> PathBuf {
    folder.join(format!("{i}.png"))
}

/// Decoded anew in each epoch.
fn images(folder: &Path) -> Arc<Loader> {
    for i in 0..IMAGES {
        let colour = |x: u32, y: u32| image::Rgb([(9 * i + x) as u8, (3 * y) as u8, 100]);
        image::RgbImage::from_fn(SIDE, SIDE, colour).save(file(folder, i)).unwrap();
    }
    let split = Split::from_samples((0..IMAGES).map(|i| (file(folder, i), i % 2)));
    Arc::new(Loader::new(split, Options { cache_bytes: 0, ..Options::square(SIDE, 2) }).unwrap())
}

/// Cuts an image short in the middle of the third epoch.
struct Damage<'a>(&'a Path);

impl Observer for Damage<'_> {
    fn step(&mut self, epoch: usize, done: usize, _metrics: &Metrics) {
        if epoch == 2 && done == 4 {
            std::fs::write(file(self.0, 3), b"\x89PNG\r\n\x1a\n").unwrap();
        }
    }

    fn epoch(&mut self, _store: &Store, row: &EpochRow, _best: bool) -> frostline::error::Result<()> {
        let shares = row.shares;
        assert!(shares.input > 0.0 && shares.device > 0.0 && shares.host > 0.0, "{shares:?}");
        assert!(shares.seconds() <= row.seconds, "{shares:?} of {} seconds", row.seconds);
        Ok(())
    }
}

#[test]
fn a_file_that_is_damaged_in_the_third_epoch_does_not_end_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let loader = images(folder.path());
    let augmentation = Augmentation::recipe();
    let network = augment::network(architecture(), &Freeze::None, 0.0, &augmentation).unwrap();
    let mut store = Store::new(device().clone());
    init::parameters(&network.graph, &mut store, 1, |_| true).unwrap();
    let samples = ImageSamples(loader.clone());
    let fit = Fit {
        epochs: 5,
        batch: 2,
        augmentation,
        ..Fit::new(&network.graph, &samples, Arc::new(Sgd::default()))
    };
    let history = fit.run(&mut store, &mut Damage(folder.path())).unwrap();
    assert_eq!(history.rows.len(), 5);
    let unreadable = loader.unreadable();
    assert_eq!(unreadable.count(), 1);
    assert!(unreadable.named[&3].contains("3.png"), "{unreadable:?}");
}
