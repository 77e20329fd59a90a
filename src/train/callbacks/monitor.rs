//! The figure by which epochs are compared.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, unknown};

/// A column of the history. Where nothing validates, the training figure stands in for its `val_` namesake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Monitor {
    #[default]
    ValAcc,
    ValLoss,
    Acc,
    Loss,
}

impl Monitor {
    const NAMES: [(&str, Monitor); 6] = [
        ("val_acc", Monitor::ValAcc),
        ("val_accuracy", Monitor::ValAcc),
        ("val_loss", Monitor::ValLoss),
        ("acc", Monitor::Acc),
        ("accuracy", Monitor::Acc),
        ("loss", Monitor::Loss),
    ];

    /// Whether `value` is strictly better than `best` by more than `min_delta`: more accuracy, or less loss. A value
    /// that is not a number is never better; anything is better than nothing.
    ///
    /// Source: Keras, mode `auto` of its callbacks.
    pub fn improves(self, value: f64, best: Option<f64>, min_delta: f64) -> bool {
        match (best, self) {
            (None, _) => !value.is_nan(),
            (Some(best), Monitor::ValAcc | Monitor::Acc) => value - min_delta > best,
            (Some(best), Monitor::ValLoss | Monitor::Loss) => value + min_delta < best,
        }
    }
}

impl FromStr for Monitor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Monitor> {
        let found = Monitor::NAMES.iter().find(|(name, _)| *name == text);
        found
            .map(|(_, monitor)| *monitor)
            .ok_or_else(|| unknown("monitor", text, &Monitor::NAMES.map(|(name, _)| name)))
    }
}

impl fmt::Display for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Monitor::NAMES.iter().find(|(_, monitor)| monitor == self).map_or("", |(name, _)| name);
        f.pad(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn improvement_is_strict_and_has_a_direction() {
        let (acc, loss) = (Monitor::ValAcc, Monitor::ValLoss);
        assert!(acc.improves(0.7, Some(0.6), 0.0) && !acc.improves(0.6, Some(0.6), 0.0));
        assert!(loss.improves(0.5, Some(0.6), 0.0) && !loss.improves(0.6, Some(0.6), 0.0));
        assert!(!acc.improves(0.65, Some(0.6), 0.1) && !loss.improves(0.55, Some(0.6), 0.1));
        assert!(acc.improves(0.0, None, 0.0) && !loss.improves(f64::NAN, None, 0.0));
    }

    #[test]
    fn both_of_keras_names_are_taken() {
        assert_eq!("val_accuracy".parse::<Monitor>().unwrap(), Monitor::ValAcc);
        assert_eq!(Monitor::ValLoss.to_string(), "val_loss");
        assert!("val_los".parse::<Monitor>().unwrap_err().to_string().contains("did you mean 'val_loss'?"));
    }
}
