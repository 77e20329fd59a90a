//! From an evaluation to the part of the page that says how the network does.

use std::path::{Path, PathBuf};

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
    /// What `found` says of the images of `loader`, which lie in `folder` and are `what` in words; the worst are shown at
    /// `side` pixels, and beside each what `attention` makes of its pixels (side, side, 3): where the network looked.
    ///
    /// # Errors
    /// `side` is no size for an image, or `attention` fails.
    pub fn of(
        found: &Evaluation,
        what: &str,
        classes: &[String],
        (loader, folder): (&Loader, &Path),
        side: u32,
        mut attention: impl FnMut(&[u8]) -> Result<Option<Picture>>,
    ) -> Result<Judged> {
        let scores = Scores::of(found, classes, GUESSES, LOSSES);
        let decoder = Decoder::new(decode::Options::square(side))?;
        let mut loss = |scores: &TopLoss| -> Result<Loss> {
            let path = loader.path(scores.index);
            // An image that can no longer be read is named without its picture.
            let pixels = decoder.decode(&path).ok();
            let picture = pixels.as_ref().map(|pixels| Picture::new(pixels, side, side));
            let overlay = pixels.map_or(Ok(None), |pixels| attention(&pixels))?;
            let path = below(folder, &path).display().to_string();
            Ok(Loss { scores: scores.clone(), path, picture, overlay })
        };
        let losses = scores.top_losses.iter().map(&mut loss).collect::<Result<_>>()?;
        Ok(Judged { losses, ..Judged::blind(scores, what) })
    }

    /// What `scores` say of samples that are `what` in words and have no pictures.
    fn blind(scores: Scores, what: &str) -> Judged {
        let on = format!("{} {what}: {:.1} % right.", scores.images, 100.0 * scores.accuracy);
        Judged { on, scores, losses: Vec::new() }
    }

    /// What `found` says of rows of features.
    pub fn of_rows(found: &Evaluation, what: &str, classes: &[String]) -> Judged {
        Judged::blind(Scores::of(found, classes, GUESSES, 0), what)
    }
}

/// `path` as seen from `folder`, whichever of the two was given from the root on and whichever from the working folder.
fn below(folder: &Path, path: &Path) -> PathBuf {
    let folder = folder.canonicalize().ok();
    let is_folder = |above: &&Path| folder.is_some() && above.canonicalize().ok() == folder;
    let inside = path.ancestors().find(is_folder).and_then(|above| path.strip_prefix(above).ok());
    inside.unwrap_or(path).to_path_buf()
}
