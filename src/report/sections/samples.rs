//! Images as training sees them.

use maud::{Markup, html};

use crate::report::picture::Picture;

/// An image behind its augmentation.
#[derive(Clone, Debug)]
pub struct Sample {
    pub picture: Picture,
    pub class: String,
}

pub fn draw(samples: &[Sample]) -> Markup {
    html! {
        div.gallery.small {
            @for sample in samples {
                figure { (sample.picture.draw(&sample.class)) figcaption { (sample.class) } }
            }
        }
    }
}
