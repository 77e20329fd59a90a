//! `frostline augment`: what augmentation makes of an image, as a contact sheet.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

use super::options::presets;
use super::shared::Shared;
use super::{Cli, Command};
use crate::data::augmentation::Augmentation;
use crate::data::decode::{self, Decoder};
use crate::error::{Error, Result};
use crate::graph::Store;
use crate::ops::FillMode;
use crate::report::sheet::{self, Tile};
use crate::train::augment::preview;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: frostline augment examples/clipart8/val/bird/bird_00.jpg --preset seed -n 16"
)]
pub struct Args {
    /// One image or more; several take turns, and mixup and cutmix pair them
    #[arg(required = true)]
    pub images: Vec<PathBuf>,
    /// How many augmented images to draw
    #[arg(short, long, default_value_t = 16)]
    pub number: usize,
    /// Side of the square input in pixels
    #[arg(long, default_value_t = 224)]
    pub input: usize,
    /// Seed of the draws
    #[arg(long, default_value_t = 0)]
    pub seed: u32,
    /// The contact sheet
    #[arg(long, default_value = "augmented.png")]
    pub out: PathBuf,
    /// Start from the augmentation of a preset of 'frostline train'
    #[arg(long, value_parser = presets::names(&presets::PRESETS))]
    pub preset: Option<String>,
    #[command(flatten)]
    pub ranges: Ranges,
}

/// The ranges of augmentation under Keras' names; what is not given stays as it was.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Augmentation")]
pub struct Ranges {
    /// Turn by up to this many degrees
    #[arg(long, value_name = "DEGREES")]
    pub rotation_range: Option<f64>,
    /// Shift sideways by up to this share of the width (or pixels, from 1 on)
    #[arg(long, value_name = "SHARE")]
    pub width_shift_range: Option<f64>,
    /// Shift up and down by up to this share of the height (or pixels, from 1 on)
    #[arg(long, value_name = "SHARE")]
    pub height_shift_range: Option<f64>,
    /// Shear by up to this many degrees
    #[arg(long, value_name = "DEGREES")]
    pub shear_range: Option<f64>,
    /// Zoom by 1 - Z to 1 + Z, or by LOW to HIGH
    #[arg(long, value_name = "Z|LOW,HIGH", value_parser = around_one)]
    pub zoom_range: Option<[f64; 2]>,
    /// Mirror half of the images left to right
    #[arg(long)]
    pub horizontal_flip: bool,
    /// Mirror half of the images top to bottom
    #[arg(long)]
    pub vertical_flip: bool,
    /// What lies beyond the edges: nearest, reflect, wrap or constant
    #[arg(long, value_name = "MODE")]
    pub fill_mode: Option<FillMode>,
    /// The value of --fill-mode constant, 0 to 255
    #[arg(long)]
    pub cval: Option<f32>,
    /// Random crops that keep this share of the area
    #[arg(long, value_name = "LOW,HIGH", value_parser = pair)]
    pub crop_range: Option<[f64; 2]>,
    /// Brightness times 1 - B to 1 + B, or LOW to HIGH
    #[arg(long, value_name = "B|LOW,HIGH", value_parser = around_one)]
    pub brightness_range: Option<[f64; 2]>,
    /// Contrast times 1 - C to 1 + C, or LOW to HIGH
    #[arg(long, value_name = "C|LOW,HIGH", value_parser = around_one)]
    pub contrast_range: Option<[f64; 2]>,
    /// Saturation times 1 - S to 1 + S, or LOW to HIGH
    #[arg(long, value_name = "S|LOW,HIGH", value_parser = around_one)]
    pub saturation_range: Option<[f64; 2]>,
    /// Turn the colour wheel by up to this many degrees
    #[arg(long, value_name = "DEGREES")]
    pub hue_range: Option<f64>,
    /// Share of the images that get a rectangle of noise
    #[arg(long, value_name = "SHARE")]
    pub erase_probability: Option<f64>,
    /// Blend pairs of images and labels, by Beta(ALPHA, ALPHA)
    #[arg(long, value_name = "ALPHA")]
    pub mixup_alpha: Option<f64>,
    /// Paste a part of one image into another, by Beta(ALPHA, ALPHA)
    #[arg(long, value_name = "ALPHA")]
    pub cutmix_alpha: Option<f64>,
}

impl Ranges {
    /// `base` with what was given on the command line.
    ///
    /// # Errors
    /// A range that makes no sense.
    pub fn over(&self, base: &Augmentation) -> Result<Augmentation> {
        let augmentation = Augmentation {
            rotation_range: self.rotation_range.unwrap_or(base.rotation_range),
            width_shift_range: self.width_shift_range.unwrap_or(base.width_shift_range),
            height_shift_range: self.height_shift_range.unwrap_or(base.height_shift_range),
            shear_range: self.shear_range.unwrap_or(base.shear_range),
            zoom_range: self.zoom_range.unwrap_or(base.zoom_range),
            horizontal_flip: self.horizontal_flip || base.horizontal_flip,
            vertical_flip: self.vertical_flip || base.vertical_flip,
            fill_mode: self.fill_mode.unwrap_or(base.fill_mode),
            cval: self.cval.unwrap_or(base.cval),
            crop_range: self.crop_range.unwrap_or(base.crop_range),
            brightness_range: self.brightness_range.unwrap_or(base.brightness_range),
            contrast_range: self.contrast_range.unwrap_or(base.contrast_range),
            saturation_range: self.saturation_range.unwrap_or(base.saturation_range),
            hue_range: self.hue_range.unwrap_or(base.hue_range),
            erase_probability: self.erase_probability.unwrap_or(base.erase_probability),
            mixup_alpha: self.mixup_alpha.unwrap_or(base.mixup_alpha),
            cutmix_alpha: self.cutmix_alpha.unwrap_or(base.cutmix_alpha),
        };
        augmentation.check()?;
        Ok(augmentation)
    }
}

/// `0.7,1.3`
fn pair(text: &str) -> Result<[f64; 2], String> {
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse()).collect();
    match numbers.as_deref() {
        Ok(&[low, high]) => Ok([low, high]),
        _ => Err("give two numbers, such as 0.7,1.3".to_owned()),
    }
}

/// `0.3` for 0.7 to 1.3, or both ends.
fn around_one(text: &str) -> Result<[f64; 2], String> {
    match text.parse::<f64>() {
        Ok(spread) => Ok([1.0 - spread, 1.0 + spread]),
        Err(_) => pair(text).map_err(|_| "give one number, such as 0.3, or two, such as 0.7,1.3".to_owned()),
    }
}

/// What `frostline train --preset NAME` augments with.
fn of_preset(name: &str) -> Augmentation {
    let line = ["frostline", "train", "DATA", "--preset", name].map(OsString::from).to_vec();
    let ranges = match Cli::try_parse_from(presets::expand(line)) {
        Ok(Cli { command: Command::Train(train), .. }) => train.ranges,
        _ => unreachable!("a preset is a line of options of train"),
    };
    ranges.over(&Augmentation::default()).expect("a preset makes sense")
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    let base = args.preset.as_deref().map_or(Augmentation::default(), of_preset);
    let augmentation = args.ranges.over(&base)?;
    if args.number == 0 {
        return Err(Error::Usage("-n takes at least 1".into()));
    }
    let decoder = Decoder::new(decode::Options::square(args.input as u32))?;
    let originals = args.images.iter().map(|path| decoder.decode(path)).collect::<Result<Vec<_>>>()?;
    let turns = || originals.iter().cycle().take(args.number);
    let pixels: Vec<u8> = turns().flatten().copied().collect();
    let mut store = Store::new(shared.open()?);
    let side = args.input;
    let augmented = preview(&mut store, &pixels, [side; 2], &augmentation, (args.seed, 0))?;
    let tile = |pixels: &[u8], caption: String| Tile {
        pixels: pixels.to_vec(),
        caption: [caption, String::new()],
        good: None,
    };
    let name = |path: &PathBuf| path.file_name().map_or(String::new(), |name| name.to_string_lossy().into());
    let mut tiles: Vec<Tile> =
        originals.iter().zip(&args.images).map(|(p, path)| tile(p, name(path))).collect();
    let images = augmented.chunks_exact(side * side * 3).enumerate();
    tiles.extend(images.map(|(i, pixels)| tile(pixels, format!("{}", i + 1))));
    let columns = (tiles.len() as f64).sqrt().ceil() as u32;
    sheet::save_png(&sheet::draw(&tiles, side as u32, columns), &args.out)?;
    println!("{}", args.out.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_keras_reads_them() {
        assert_eq!(around_one("0.25"), Ok([0.75, 1.25]));
        assert_eq!(around_one("0.5,2"), Ok([0.5, 2.0]));
        assert!(around_one("a lot").is_err() && pair("1").is_err());
    }

    #[test]
    fn the_preset_is_the_published_recipe() {
        assert_eq!(of_preset("seed"), Augmentation::recipe());
    }

    #[test]
    fn what_is_not_given_stays() {
        let ranges = Ranges { rotation_range: Some(5.0), ..Ranges::default() };
        let recipe = Augmentation::recipe();
        let expected = Augmentation { rotation_range: 5.0, ..recipe.clone() };
        assert_eq!(ranges.over(&recipe).unwrap(), expected);
    }
}
