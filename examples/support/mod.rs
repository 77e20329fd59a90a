//! What the four scenarios share: where the images are, the adapter, and a line for each epoch.

use std::path::PathBuf;
use std::sync::Arc;

use frostline::data::folder;
use frostline::error::{Error, Result};
use frostline::gpu::Device;
use frostline::gpu::adapter::Choice;
use frostline::graph::Store;
use frostline::train::pretrained::Pretrained;
use frostline::train::run::{Data, DataSettings};
use frostline::train::{EpochRow, Observer, Run, Session, Watcher};

/// The weights that come with the project: VGG16 without its top.
pub fn weights() -> Pretrained {
    Pretrained::new("weights/vgg16_imagenet_notop.f16.safetensors".as_ref())
}

/// The folder of the first argument, or the clip art that comes with the project; at most so many images of each split
/// as the second argument says.
pub fn data() -> Result<(DataSettings, Data)> {
    let mut args = std::env::args().skip(1);
    let path = PathBuf::from(args.next().unwrap_or_else(|| "examples/clipart8".to_owned()));
    let limit = args.next().and_then(|number| number.parse().ok());
    DataSettings::open(&path, &folder::Options::default(), limit)
}

/// Trains in `runs/NAME` on the best adapter, and says what came out.
pub fn train(run: Run, images: Data, name: &str) -> Result<()> {
    let device = Arc::new(Device::open(&Choice::Best)?);
    let memory = device.budget(None);
    let mut store = Store::new(device);
    let folder = PathBuf::from("runs").join(name);
    std::fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
    let mut session = Session::begin(run, images, &mut store, memory, &folder)?;
    let history = session.go(&mut store, &mut Lines)?;
    let best = history.best().expect("at least one epoch");
    let accuracy = 100.0 * best.val_acc.unwrap_or(best.acc);
    println!("epoch {} is the best: {accuracy:.1} % right; see {}", best.epoch + 1, folder.display());
    Ok(())
}

struct Lines;

impl Observer for Lines {
    fn epoch(&mut self, _: &Store, row: &EpochRow, _: bool) -> Result<()> {
        let accuracy = 100.0 * row.val_acc.unwrap_or(row.acc);
        println!("epoch {:>3}  loss {:.4}  {accuracy:.1} % right", row.epoch + 1, row.loss);
        Ok(())
    }
}

impl Watcher for Lines {}
