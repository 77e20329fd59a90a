//! What augmentation does to training images: ranges under the names of Keras' `ImageDataGenerator`, and a few more.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ops::FillMode;

/// The ranges that each image draws from. The default changes nothing.
///
/// ```
/// use frostline::data::augmentation::Augmentation;
/// let gentle = Augmentation { rotation_range: 10.0, horizontal_flip: true, ..Augmentation::default() };
/// assert!(gentle.check().is_ok() && !gentle.mixes());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Degrees; each image turns by U(-range, range).
    pub rotation_range: f64,
    /// Share of the width below 1, else pixels; U(-range, range).
    pub width_shift_range: f64,
    /// Share of the height below 1, else pixels; U(-range, range).
    pub height_shift_range: f64,
    /// Degrees; U(-range, range).
    pub shear_range: f64,
    /// Lowest and highest zoom, drawn for width and height apart; below 1 enlarges.
    pub zoom_range: [f64; 2],
    /// Mirror half of the images left to right.
    pub horizontal_flip: bool,
    /// Mirror half of the images top to bottom.
    pub vertical_flip: bool,
    pub fill_mode: FillMode,
    /// What `fill_mode` constant shows, 0 to 255.
    pub cval: f32,
    /// Lowest and highest share of the image's area that a random crop keeps and enlarges to the whole.
    pub crop_range: [f64; 2],
    /// Lowest and highest factor on all values.
    pub brightness_range: [f64; 2],
    /// Lowest and highest factor on the distance from middle grey.
    pub contrast_range: [f64; 2],
    /// Lowest and highest factor on the distance from the pixel's own grey.
    pub saturation_range: [f64; 2],
    /// Degrees on the colour wheel; U(-range, range).
    pub hue_range: f64,
    /// Share of the images that get a rectangle of noise.
    pub erase_probability: f64,
    /// Blends pairs of images and labels by a share from Beta(alpha, alpha); 0 for none.
    pub mixup_alpha: f64,
    /// Pastes a part of one image into another, its area from Beta(alpha, alpha); 0 for none. Where mixup is on too,
    /// each image takes one of them.
    pub cutmix_alpha: f64,
}

impl Default for Augmentation {
    fn default() -> Augmentation {
        const SAME: [f64; 2] = [1.0, 1.0];
        Augmentation {
            rotation_range: 0.0,
            width_shift_range: 0.0,
            height_shift_range: 0.0,
            shear_range: 0.0,
            zoom_range: SAME,
            horizontal_flip: false,
            vertical_flip: false,
            fill_mode: FillMode::Nearest,
            cval: 0.0,
            crop_range: SAME,
            brightness_range: SAME,
            contrast_range: SAME,
            saturation_range: SAME,
            hue_range: 0.0,
            erase_probability: 0.0,
            mixup_alpha: 0.0,
            cutmix_alpha: 0.0,
        }
    }
}

impl Augmentation {
    /// What the published recipe does: flip, zoom 0.3, shifts of 0.3, rotation by 30 degrees, fill nearest.
    /// Source: the post *Transfer learning using Keras*, its `ImageDataGenerator`.
    pub fn recipe() -> Augmentation {
        Augmentation {
            rotation_range: 30.0,
            width_shift_range: 0.3,
            height_shift_range: 0.3,
            zoom_range: [0.7, 1.3],
            horizontal_flip: true,
            ..Augmentation::default()
        }
    }

    /// Whether images stay as they are.
    pub fn is_none(&self) -> bool {
        let same = Augmentation { fill_mode: self.fill_mode, cval: self.cval, ..Augmentation::default() };
        *self == same
    }

    /// Whether brightness, contrast, saturation or hue change.
    pub fn recolours(&self) -> bool {
        let ranges = [self.brightness_range, self.contrast_range, self.saturation_range];
        self.hue_range != 0.0 || ranges.iter().any(|range| *range != [1.0, 1.0])
    }

    pub fn erases(&self) -> bool {
        self.erase_probability > 0.0
    }

    /// Whether pairs of images are mixed, so that labels become shares.
    pub fn mixes(&self) -> bool {
        self.mixup_alpha > 0.0 || self.cutmix_alpha > 0.0
    }

    /// # Errors
    /// A range that makes no sense; the message names it and says what it takes.
    pub fn check(&self) -> Result<()> {
        let spreads = [
            ("rotation_range", self.rotation_range, 360.0, "degrees from 0 to 360"),
            ("width_shift_range", self.width_shift_range, 1e4, "a share below 1, or pixels"),
            ("height_shift_range", self.height_shift_range, 1e4, "a share below 1, or pixels"),
            ("shear_range", self.shear_range, 89.0, "degrees from 0 to 89"),
            ("hue_range", self.hue_range, 360.0, "degrees from 0 to 360"),
            ("erase_probability", self.erase_probability, 1.0, "a share from 0 to 1"),
            ("mixup_alpha", self.mixup_alpha, 100.0, "0 for none, or a number such as 0.2"),
            ("cutmix_alpha", self.cutmix_alpha, 100.0, "0 for none, or a number such as 1"),
            ("cval", f64::from(self.cval), 255.0, "a value from 0 to 255"),
        ];
        for (name, value, most, takes) in spreads {
            if !(0.0..=most).contains(&value) {
                return Err(Error::Usage(format!("{name} {value}: give {takes}")));
            }
        }
        let factors = [
            ("zoom_range", self.zoom_range, 0.01, 100.0),
            ("crop_range", self.crop_range, 0.01, 1.0),
            ("brightness_range", self.brightness_range, 0.0, 100.0),
            ("contrast_range", self.contrast_range, 0.0, 100.0),
            ("saturation_range", self.saturation_range, 0.0, 100.0),
        ];
        for (name, [low, high], least, most) in factors {
            if !(least <= low && low <= high && high <= most) {
                let what = format!("give the lowest and the highest factor, within {least} to {most}");
                return Err(Error::Usage(format!("{name} {low},{high}: {what}")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_none_and_the_recipe_is_not() {
        assert!(Augmentation::default().is_none());
        assert!(Augmentation { fill_mode: FillMode::Wrap, ..Augmentation::default() }.is_none());
        assert!(!Augmentation::recipe().is_none() && !Augmentation::recipe().recolours());
    }

    #[test]
    fn ranges_that_make_no_sense_are_named() {
        let refused = |wrong: Augmentation| wrong.check().unwrap_err().to_string();
        let none = Augmentation::default;
        assert!(refused(Augmentation { zoom_range: [1.3, 0.7], ..none() }).contains("zoom_range 1.3,0.7"));
        assert!(refused(Augmentation { erase_probability: 2.0, ..none() }).contains("erase_probability 2"));
        assert!(refused(Augmentation { rotation_range: f64::NAN, ..none() }).contains("rotation_range"));
        assert!(Augmentation::recipe().check().is_ok());
    }

    #[test]
    fn settings_survive_a_file() {
        let recipe = Augmentation::recipe();
        let text = serde_json::to_string(&recipe).unwrap();
        assert_eq!(serde_json::from_str::<Augmentation>(&text).unwrap(), recipe);
        assert!(serde_json::from_str::<Augmentation>(r#"{"rotation": 3}"#).is_err());
    }
}
