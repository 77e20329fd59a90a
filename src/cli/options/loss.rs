//! The options that say what counts how much in the loss.

use crate::error::{Error, Result, unknown};
use crate::train::Weighting;

/// Label smoothing and the weights of classes.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Loss")]
pub struct LossArgs {
    /// Share of each label that is spread over all classes, as Keras' label_smoothing
    #[arg(long, default_value_t = 0.0)]
    pub label_smoothing: f32,
    /// Rare classes count more, so that each class counts the same in all: --class-weights balanced
    #[arg(long, conflicts_with = "class_weights")]
    pub balance: bool,
    /// How much classes count: 'balanced', or CLASS=WEIGHT,... where the others count 1
    #[arg(long, value_name = "WEIGHTS")]
    pub class_weights: Option<String>,
}

impl LossArgs {
    /// How much each of `classes` counts, of which as many samples train as `counts` says.
    ///
    /// # Errors
    /// An unknown class, or a weight that is no number or negative.
    pub fn weighting(&self, classes: &[String], counts: &[usize]) -> Result<Weighting> {
        let asked = if self.balance { Some("balanced") } else { self.class_weights.as_deref() };
        let weighting = match asked {
            None => Weighting::default(),
            Some("balanced") => Weighting::balanced(counts),
            Some(text) => Weighting { classes: named(text, classes)?, samples: Vec::new() },
        };
        weighting.check(classes.len(), counts.iter().sum())?;
        Ok(weighting)
    }
}

/// `bird=2,bug=0.5`
fn named(text: &str, classes: &[String]) -> Result<Vec<f32>> {
    let mut weights = vec![1.0; classes.len()];
    for pair in text.split(',') {
        let (name, weight) = pair.rsplit_once('=').ok_or_else(|| {
            Error::Usage(format!("--class-weights '{pair}': give 'balanced' or CLASS=WEIGHT, such as bird=2"))
        })?;
        let place = classes.iter().position(|class| class == name.trim());
        let place = place.ok_or_else(|| unknown("class", name.trim(), classes))?;
        weights[place] = weight
            .trim()
            .parse()
            .map_err(|_| Error::Usage(format!("--class-weights: '{weight}' for {name} is no number")))?;
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_weights_and_typos() {
        let classes = ["bird", "bug", "cat"].map(str::to_owned);
        assert_eq!(named("bug=0.5, cat=2", &classes).unwrap(), [1.0, 0.5, 2.0]);
        let message = |text| named(text, &classes).unwrap_err().to_string();
        assert!(message("brid=2").contains("did you mean 'bird'"));
        assert!(message("bird").contains("CLASS=WEIGHT"));
        assert!(message("bird=much").contains("no number"));
    }
}
