//! Pictures of what a network has learnt and of what it looks at. Each function gives images with captions; the report
//! lays them out on a sheet.

mod activations;
mod compare;
mod dream;
mod gradcam;
pub mod shades;

use image::RgbImage;

pub use activations::{activations, filters};
pub use compare::{Drift, Unit, dead, drift, similarity};
pub use dream::{Dream, dream};
pub use gradcam::{Attention, Method, gradcam, saliency};

/// An image with two lines of words.
#[derive(Clone, Debug)]
pub struct Captioned {
    pub image: RgbImage,
    pub caption: [String; 2],
}

impl Captioned {
    fn new(image: RgbImage, above: impl Into<String>, below: impl Into<String>) -> Captioned {
        Captioned { image, caption: [above.into(), below.into()] }
    }
}
