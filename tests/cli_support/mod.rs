//! What the tests of the command line share: the program, and a small folder of images to train on.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::Path;
use std::process::Command;

use frostline::weights;
use image::{Rgb, RgbImage};
use tempfile::TempDir;

/// The program, with a cache that is not the user's.
pub fn program() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("frostline"));
    command.env("FROSTLINE_CACHE", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    // Mesa's device-select layer asks for a desktop session and complains where there is none.
    command.env("NODEVICE_SELECT", "1");
    command
}

/// The program with arguments, to be asserted on.
pub fn frostline(arguments: &[&str]) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::from_std(program());
    command.args(arguments);
    command
}

/// `train` at its smallest: a VGG11 from random values on images of 32x32, four a step.
pub fn training(data: &Path, out: &Path) -> Command {
    let mut command = program();
    command.arg("train").arg(data).args(["--model", "vgg11", "--weights", "none", "--input", "32"]);
    command.args(["--pool", "avg", "--batch", "4", "--out"]).arg(out);
    command
}

/// Two classes that a network tells apart at a glance, cold and warm noise of 32x32, as `train/CLASS/CLASS0.png` and
/// so on; no image is in both splits.
pub fn two_classes([cold, warm]: [&str; 2], (train, val): (u32, u32)) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (split, images) in [("train", 0..train), ("val", train..train + val)] {
        for (class, tint) in [(cold, 2), (warm, 0)] {
            let to = folder.path().join(split).join(class);
            std::fs::create_dir_all(&to).unwrap();
            for (i, image) in images.clone().enumerate() {
                noise(image, tint, 150).save(to.join(format!("{class}{i}.png"))).unwrap();
            }
        }
    }
    folder
}

/// Grey noise, image `i` of many, with `strength` (at most 159) added to the channel `tint`.
pub fn noise(i: u32, tint: usize, strength: u8) -> RgbImage {
    RgbImage::from_fn(32, 32, |x, y| {
        let mut rgb = [((x * 31 + y * 17 + i * 13) % 97) as u8; 3];
        rgb[tint] += strength;
        Rgb(rgb)
    })
}

/// Name and bits of every tensor of a checkpoint, the optimizer's among them. (Beside them it holds the history and its
/// clock.)
pub fn tensors(path: &Path) -> Vec<(String, Vec<u32>)> {
    let mut source = weights::open(path).unwrap();
    let names: Vec<String> = source.entries().iter().map(|entry| entry.name.clone()).collect();
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect();
    names.into_iter().enumerate().map(|(i, name)| (name, bits(source.read(i).unwrap()))).collect()
}
