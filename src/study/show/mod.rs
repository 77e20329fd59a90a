//! Pictures of what a network has learnt and of what it looks at. Each function gives images with captions; the report
//! lays them out on a sheet.
//!
//! ```
//! use frostline::error::Result;
//! use frostline::graph::Store;
//! use frostline::nn::Network;
//! use frostline::study::show::{self, Dream, Method};
//! use frostline::train::Samples;
//! /// `image` holds the bytes of one image, (h, w, 3).
//! fn pictures(network: &Network, store: &mut Store, image: &[u8]) -> Result<()> {
//!     let mut sheet = show::filters(network, store)?;
//!     sheet.extend(show::activations(network, store, image, "block3_conv1", 16)?);
//!     let channel = Dream { layer: "block4_conv2".into(), channel: 7, steps: 100, rate: 1.0, seed: 0 };
//!     sheet.push(show::dream(network, store, &channel)?);
//!     let looks = show::gradcam(network, store, image, None, None, Method::GradCamPlusPlus)?;
//!     println!("class {} of logit {}", looks.class, looks.logit);
//!     looks.overlay.save("looks.png").expect("a place to write");
//!     show::saliency(network, store, image, Some(looks.class))?;
//!     Ok(())
//! }
//! /// What fine-tuning has changed, and what never fires, over some images.
//! fn compared(network: &Network, before: &mut Store, after: &mut Store, images: &dyn Samples) -> Result<()> {
//!     for layer in show::similarity((network, before, after), images, 8)? {
//!         println!("{}: {} units, linear CKA {}", layer.layer, layer.units, layer.value);
//!     }
//!     show::dead(network, after, images, 8)?.iter().for_each(|layer| println!("{}: {}", layer.layer, layer.value));
//!     Ok(())
//! }
//! ```

mod activations;
mod compare;
mod dead;
mod dream;
mod gradcam;
pub mod shades;

use image::RgbImage;
use serde::Serialize;

pub use activations::{activations, filters};
pub use compare::{Drift, drift, similarity};
pub use dead::dead;
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

/// A number for each layer.
#[derive(Clone, Debug, Serialize)]
pub struct Unit {
    pub layer: String,
    /// Units of the layer: channels of a map, elements of a vector.
    pub units: usize,
    pub value: f64,
}
