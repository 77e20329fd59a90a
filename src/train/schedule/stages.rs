//! Gradual unfreezing: a run in stages, each with its own frozen part, length and rate.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, unknown};
use crate::nn::{Architecture, Freeze};

/// One part of a run. The optimizer begins anew with each, as it does when a Keras model is compiled again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    pub freeze: Freeze,
    pub epochs: usize,
    /// The full learning rate.
    pub rate: f32,
}

/// Reads `head:5,block5:10@0.0001,all:20`: the lowest part that trains, the epochs, and the rate where it is not `rate`.
/// A part is `head`, `all`, a layer, or the beginning of a layer's name.
///
/// ```
/// use frostline::nn::{Freeze, Head, Preprocessing, vgg};
/// use frostline::train::schedule::stages::{Stage, parse};
/// let head = Head { classes: 8, ..Head::default() };
/// let architecture = vgg::with_head("vgg16", 96, Preprocessing::Caffe, &head)?;
/// let stages = parse("head:5,block5:10@0.0001", &architecture, 0.003)?;
/// assert_eq!(stages[0], Stage { freeze: Freeze::All, epochs: 5, rate: 0.003 });
/// assert_eq!(stages[1].freeze, Freeze::Until("block4_pool".into()));
/// # Ok::<(), frostline::error::Error>(())
/// ```
///
/// # Errors
/// What cannot be read, or a part that the base does not have.
pub fn parse(text: &str, architecture: &Architecture, rate: f32) -> Result<Vec<Stage>> {
    text.split(',').map(|part| stage(part.trim(), architecture, rate)).collect()
}

fn stage(text: &str, architecture: &Architecture, rate: f32) -> Result<Stage> {
    let wrong = || {
        Error::Usage(format!(
            "stage '{text}': expected PART:EPOCHS or PART:EPOCHS@RATE, as in head:5,block5:10@0.0001"
        ))
    };
    let (part, rest) = text.split_once(':').ok_or_else(wrong)?;
    let (epochs, rate) = match rest.split_once('@') {
        None => (rest, rate),
        Some((epochs, rate)) => (epochs, rate.parse().ok().filter(|r| *r > 0.0).ok_or_else(wrong)?),
    };
    let epochs = epochs.parse().ok().filter(|epochs| *epochs > 0).ok_or_else(wrong)?;
    Ok(Stage { freeze: below(part, architecture)?, epochs, rate })
}

/// What is frozen where `part` is the lowest that trains.
fn below(part: &str, architecture: &Architecture) -> Result<Freeze> {
    let base = &architecture.layers[..architecture.base];
    let begins =
        |name: &str| name == part || name.strip_prefix(part).is_some_and(|rest| rest.starts_with('_'));
    match (part, base.iter().position(|layer| begins(&layer.name))) {
        ("head", _) => Ok(Freeze::All),
        ("all", _) | (_, Some(0)) => Ok(Freeze::None),
        (_, Some(first)) => Ok(Freeze::Until(base[first - 1].name.clone())),
        (_, None) => Err(unknown("stage", part, &parts(architecture))),
    }
}

fn parts(architecture: &Architecture) -> Vec<&str> {
    let block = |name: &'_ str| name.split_once('_').map_or(name.len(), |(block, _)| block.len());
    let names =
        architecture.layers[..architecture.base].iter().map(|layer| &layer.name[..block(&layer.name)]);
    let mut parts: Vec<&str> = ["head", "all"].into_iter().chain(names).collect();
    parts.dedup();
    parts
}

/// Each layer's share of the learning rate where every block of the base takes `factor` of what the one above it takes.
/// The head takes all of it. Blocks are what stands before the `_` of a name.
///
/// Source: discriminative fine-tuning, Howard and Ruder 2018, section 3.2.
pub fn rates(architecture: &Architecture, factor: f32) -> Vec<(String, f32)> {
    let base = &architecture.layers[..architecture.base];
    let (mut rate, mut above) = (1.0, None);
    let mut rates = Vec::new();
    for layer in base.iter().rev() {
        let block = layer.name.split('_').next();
        if block != above {
            (rate, above) = (rate * factor, block);
        }
        rates.push((layer.name.clone(), rate));
    }
    rates
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Head, Preprocessing, vgg};

    fn vgg16() -> Architecture {
        let head = Head { classes: 2, ..Head::default() };
        vgg::with_head("vgg16", 32, Preprocessing::Caffe, &head).unwrap()
    }

    #[test]
    fn stages_unfreeze_from_the_head_down() {
        let stages = parse("head:5,block5:10@0.001, block4_conv2:2,block1:1,all:20", &vgg16(), 0.1).unwrap();
        let until = |name: &str| Freeze::Until(name.to_owned());
        let freezes: Vec<Freeze> = stages.iter().map(|stage| stage.freeze.clone()).collect();
        assert_eq!(
            freezes,
            [Freeze::All, until("block4_pool"), until("block4_conv1"), Freeze::None, Freeze::None]
        );
        assert_eq!(stages.iter().map(|s| s.epochs).collect::<Vec<_>>(), [5, 10, 2, 1, 20]);
        assert_eq!(stages.iter().map(|s| s.rate).collect::<Vec<_>>(), [0.1, 0.001, 0.1, 0.1, 0.1]);
    }

    #[test]
    fn what_is_no_stage_is_answered() {
        let message = |text| parse(text, &vgg16(), 0.1).unwrap_err().to_string();
        assert!(message("blok5:3").contains("did you mean 'block5'?"), "{}", message("blok5:3"));
        for text in ["head", "head:0", "head:x", "head:5@0", ""] {
            assert!(message(text).contains("as in head:5,block5:10@0.0001"), "{}", message(text));
        }
    }

    #[test]
    fn rates_fall_block_by_block() {
        let rates = rates(&vgg16(), 0.5);
        let of = |name: &str| rates.iter().find(|(layer, _)| layer == name).unwrap().1;
        assert_eq!(
            ["block5_conv3", "block5_conv1", "block4_conv1", "block1_conv1"].map(of),
            [0.5, 0.5, 0.25, 0.03125]
        );
    }
}
