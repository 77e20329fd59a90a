//! A run's memory does not grow with its images, but for what it announces. Alone in its file, because it counts the heap
//! of the whole process.

mod heap_support;
mod support;

use std::path::Path;

use frostline::data::folder::Options;
use frostline::error::Result;
use frostline::gpu::Caps;
use frostline::graph::Store;
use frostline::nn::{Architecture, Freeze, Head, Pool, Preprocessing, chain};
use frostline::train::run::DataSettings;
use frostline::train::{EpochRow, Observer, Run, Session, Size, Stage, Watcher};
use support::device;

const SIDE: u32 = 256;
/// A path, two places in an order, a loss, probabilities: what a run may know of an image without saying so.
const BYTES_PER_IMAGE: usize = 1 << 10;

/// One image under `count` names in each of two classes.
fn images(folder: &Path, count: usize) {
    let first = folder.join("image.png");
    image::RgbImage::from_pixel(SIDE, SIDE, image::Rgb([200, 100, 50])).save(&first).unwrap();
    for class in ["ant", "bee"] {
        std::fs::create_dir_all(folder.join("data").join(class)).unwrap();
        for i in 0..count {
            std::fs::hard_link(&first, folder.join(format!("data/{class}/{i}.png"))).unwrap();
        }
    }
}

/// Bytes of the heap at the end of the last epoch, when everything that lasts from one to the next is there.
struct AtEpochsEnd(usize);

impl Observer for AtEpochsEnd {
    fn epoch(&mut self, _: &Store, _: &EpochRow, _: bool) -> Result<()> {
        self.0 = heap_support::live();
        Ok(())
    }
}

impl Watcher for AtEpochsEnd {}

/// Trains on so many images of each of two classes; gives the bytes of the heap that last, and those of them that were
/// announced for results of the frozen part.
fn lasting(count: usize, freeze: Freeze) -> (usize, usize) {
    let folder = tempfile::tempdir().unwrap();
    images(folder.path(), count);
    let (data, images) = DataSettings::open(&folder.path().join("data"), &Options::default(), None).unwrap();
    let base = chain::base("pool,pool,pool,pool,conv4").unwrap();
    let head = Head { pool: Pool::Flatten, classes: 2, ..Head::default() }.layers().unwrap();
    let architecture = Architecture::stack("chain", base, SIDE as usize, Preprocessing::Rescale, head);
    let stages = vec![Stage { freeze, epochs: 2, rate: 0.01 }];
    let run = Run { stages, ..Run::new(data, architecture) };
    let announced = Size::of(&run, &Caps::clone(device().caps()), u64::MAX).unwrap().features;
    let before = heap_support::live();
    let mut store = Store::new(device().clone());
    let mut session = Session::begin(run, images, &mut store, u64::MAX, folder.path()).unwrap();
    let mut end = AtEpochsEnd(0);
    session.go(&mut store, &mut end).unwrap();
    (end.0 - before, announced as usize)
}

#[test]
fn twice_as_many_images_take_no_more_than_was_announced() {
    for freeze in [Freeze::None, Freeze::All] {
        let (few, few_announced) = lasting(256, freeze.clone());
        let (many, many_announced) = lasting(512, freeze.clone());
        println!("{freeze}: {few} and {many} bytes, {few_announced} and {many_announced} of them announced");
        let most = few - few_announced + 512 * BYTES_PER_IMAGE + many_announced;
        assert!(many <= most, "{freeze}: {few} bytes with 512 images, {many} with 1,024");
    }
}
