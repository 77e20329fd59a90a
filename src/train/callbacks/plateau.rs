//! Lowering the learning rate when the loss stops falling.

use serde::{Deserialize, Serialize};

use crate::train::callbacks::history::EpochRow;
use crate::train::callbacks::monitor::Monitor;

/// Multiplies the rate by `factor` behind the `patience`-th epoch in a row without improvement.
///
/// Source: Keras 3 `ReduceLROnPlateau`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    pub monitor: Monitor,
    pub factor: f32,
    pub patience: usize,
    /// An improvement is more than this.
    pub min_delta: f64,
    /// Epochs after a reduction in which none counts as waited.
    pub cooldown: usize,
    pub min_rate: f32,
}

impl Default for Plateau {
    /// Keras' defaults.
    fn default() -> Plateau {
        Plateau {
            monitor: Monitor::ValLoss,
            factor: 0.1,
            patience: 10,
            min_delta: 1e-4,
            cooldown: 0,
            min_rate: 0.0,
        }
    }
}

/// What it remembers from one epoch to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flatness {
    best: Option<f64>,
    wait: usize,
    cooldown: usize,
}

impl Plateau {
    /// Takes in an epoch and gives the rate of the next one.
    pub fn rate(&self, flatness: &mut Flatness, rate: f32, row: &EpochRow) -> f32 {
        if flatness.cooldown > 0 {
            flatness.cooldown -= 1;
            flatness.wait = 0;
        }
        let value = row.figure(self.monitor);
        if self.monitor.improves(value, flatness.best, self.min_delta) {
            (flatness.best, flatness.wait) = (Some(value), 0);
            return rate;
        }
        if flatness.cooldown > 0 {
            return rate;
        }
        flatness.wait += 1;
        if flatness.wait < self.patience || rate <= self.min_rate {
            return rate;
        }
        (flatness.cooldown, flatness.wait) = (self.cooldown, 0);
        (rate * self.factor).max(self.min_rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(rule: Plateau, losses: &[f64]) -> Vec<f32> {
        let (mut flatness, mut rate) = (Flatness::default(), 1.0);
        let step = |&loss: &f64| {
            let row = EpochRow { val_loss: Some(loss), ..EpochRow::default() };
            rate = rule.rate(&mut flatness, rate, &row);
            rate
        };
        losses.iter().map(step).collect()
    }

    /// Rates behind each epoch, as Keras 3.10 sets them.
    #[test]
    fn falls_where_keras_falls() {
        let rule = Plateau { factor: 0.5, patience: 2, min_delta: 0.0, ..Plateau::default() };
        let flat = [1.0; 7];
        assert_eq!(rates(rule, &flat), [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125]);
        assert_eq!(rates(Plateau { cooldown: 2, ..rule }, &flat), [1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25]);
        assert_eq!(rates(Plateau { min_rate: 0.4, ..rule }, &flat), [1.0, 1.0, 0.5, 0.5, 0.4, 0.4, 0.4]);
        assert_eq!(rates(rule, &[1.0, 0.9, 0.8, 0.7, 0.6]), [1.0; 5]);
        assert_eq!(rates(Plateau { min_delta: 0.2, ..rule }, &[1.0, 0.9, 0.85]), [1.0, 1.0, 0.5]);
    }
}
