//! The images that the network got most wrong, with what it looked at.

use maud::{Markup, html};

use crate::report::markup::line;
use crate::report::picture::Picture;
use crate::train::scores::TopLoss;

/// One image with a high loss.
#[derive(Clone, Debug)]
pub struct Loss {
    pub scores: TopLoss,
    pub path: String,
    pub picture: Option<Picture>,
    /// The picture with the regions that spoke for the network's answer.
    pub overlay: Option<Picture>,
}

pub fn draw(losses: &[Loss]) -> Markup {
    let overlays = losses.iter().any(|loss| loss.overlay.is_some());
    html! {
        @if overlays {
            (line("Beside each image: what spoke for the network's answer (Grad-CAM), strongest in red."))
        }
        div.gallery { @for loss in losses { (one(loss)) } }
    }
}

fn one(loss: &Loss) -> Markup {
    let scores = &loss.scores;
    html! {
        figure {
            div.pair {
                @for picture in [&loss.picture, &loss.overlay].into_iter().flatten() { (picture.draw(&loss.path)) }
            }
            figcaption {
                b { (scores.truth) }
                @if scores.truth != scores.guess { " taken for " b { (scores.guess) } }
                br;
                (format!("{:.0} % sure, loss {:.2}", 100.0 * scores.probability, scores.loss)) br;
                span.path { (loss.path) }
            }
        }
    }
}
