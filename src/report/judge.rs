//! From an evaluation to the part of the page that says how the network does.

use std::path::Path;

use crate::data::batches::Loader;
use crate::data::decode::{self, Decoder};
use crate::error::Result;
use crate::report::picture::Picture;
use crate::report::sections::losses::Loss;
use crate::train::evaluate::Evaluation;
use crate::train::scores::{Scores, TopLoss};

/// How the network does on images that it was not trained on.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Which images, in words.
    pub on: String,
    pub scores: Scores,
    /// Highest loss first.
    pub losses: Vec<Loss>,
}

/// Guesses of top-k.
const GUESSES: usize = 5;
/// Images with a high loss that are shown.
const LOSSES: usize = 12;

impl Judged {
    /// What `found` says of the images of `loader`, which lie in `folder`; the worst are shown at `side` pixels.
    ///
    /// # Errors
    /// `side` is no size for an image.
    pub fn of(
        found: &Evaluation,
        classes: &[String],
        (loader, folder): (&Loader, &Path),
        side: u32,
    ) -> Result<Judged> {
        let scores = Scores::of(found, classes, GUESSES, LOSSES);
        let decoder = Decoder::new(decode::Options::square(side))?;
        let loss = |scores: &TopLoss| {
            let path = loader.path(scores.index);
            // An image that can no longer be read is named without its picture.
            let pixels = decoder.decode(&path).ok();
            let picture = pixels.map(|pixels| Picture::new(&pixels, side, side));
            let path = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
            Loss { scores: scores.clone(), path, picture, overlay: None }
        };
        let losses = scores.top_losses.iter().map(loss).collect();
        let on = format!(
            "{} images that were not trained on: {:.1} % right.",
            scores.images,
            100.0 * scores.accuracy
        );
        Ok(Judged { on, scores, losses })
    }
}
