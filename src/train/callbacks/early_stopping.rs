//! Stopping when nothing gets better any more.

use serde::{Deserialize, Serialize};

use crate::train::callbacks::history::EpochRow;
use crate::train::callbacks::monitor::Monitor;

/// Stops behind the `patience`-th epoch in a row without improvement.
///
/// ```
/// use frostline::train::callbacks::{early_stopping::Waiting, EarlyStopping, EpochRow, Monitor};
/// let (rule, mut waiting) = (EarlyStopping::new(Monitor::ValAcc, 2), Waiting::default());
/// let mut stops = |epoch, acc| {
///     rule.stops(&mut waiting, epoch, &EpochRow { epoch, val_acc: Some(acc), ..EpochRow::default() })
/// };
/// assert_eq!([stops(0, 0.5), stops(1, 0.7), stops(2, 0.7), stops(3, 0.6)], [false, false, false, true]);
/// ```
///
/// Source: Keras 3 `EarlyStopping`. (Keras 2.0.3 waited one epoch longer.)
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EarlyStopping {
    pub monitor: Monitor,
    /// An improvement is more than this.
    pub min_delta: f64,
    pub patience: usize,
    /// Epochs before this one, counted from 0, are not looked at.
    pub start_from: usize,
}

impl EarlyStopping {
    pub fn new(monitor: Monitor, patience: usize) -> EarlyStopping {
        EarlyStopping { monitor, min_delta: 0.0, patience, start_from: 0 }
    }
}

/// What it remembers from one epoch to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    pub best: Option<f64>,
    /// Epochs without improvement.
    pub wait: usize,
}

impl EarlyStopping {
    /// Takes in an epoch, counted from 0 within the stage; `true` if it should be the last.
    pub fn stops(&self, waiting: &mut Waiting, epoch: usize, row: &EpochRow) -> bool {
        if epoch < self.start_from {
            return false;
        }
        let value = row.figure(self.monitor);
        if self.monitor.improves(value, waiting.best, self.min_delta) {
            *waiting = Waiting { best: Some(value), wait: 0 };
            return false;
        }
        waiting.wait += 1;
        waiting.wait >= self.patience && epoch > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The epoch behind which a run over these accuracies stops.
    fn stopped(rule: EarlyStopping, accuracies: &[f64]) -> Option<usize> {
        let mut waiting = Waiting::default();
        let mut rows = accuracies.iter().enumerate();
        rows.find_map(|(epoch, &acc)| {
            let row = EpochRow { epoch, val_acc: Some(acc), ..EpochRow::default() };
            rule.stops(&mut waiting, epoch, &row).then_some(epoch)
        })
    }

    /// Epochs as Keras 3.10 counts them.
    #[test]
    fn stops_where_keras_stops() {
        let rule = EarlyStopping::new(Monitor::ValAcc, 2);
        assert_eq!(stopped(rule, &[0.5, 0.6, 0.6, 0.6, 0.9]), Some(3));
        assert_eq!(stopped(rule, &[0.5, 0.4, 0.6, 0.5, 0.7, 0.6]), None);
        assert_eq!(stopped(EarlyStopping { patience: 0, ..rule }, &[0.5, 0.5]), Some(1));
        assert_eq!(stopped(EarlyStopping { min_delta: 0.1, ..rule }, &[0.5, 0.55, 0.58, 0.7]), Some(2));
        assert_eq!(
            stopped(EarlyStopping { start_from: 3, ..rule }, &[0.9, 0.1, 0.1, 0.1, 0.1, 0.1]),
            Some(5)
        );
    }
}
