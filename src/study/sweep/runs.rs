//! What the experiment finds: its runs, and their spread over the seeds.

use serde::Serialize;

use crate::train::History;

/// What the base starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Pretrained,
    Random,
}

/// Whether what lies above the point is left out or trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Frozen,
    FineTuned,
}

/// One run of the experiment: a line of the CSV file.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    pub point: String,
    pub origin: Origin,
    pub mode: Mode,
    pub seed: u64,
    /// Of the last epoch, on the validation images, 0 to 1.
    pub accuracy: f64,
    /// Mean over the epochs; what is frozen has run before, once per image.
    pub seconds_per_epoch: f64,
    /// Planned device bytes of a training step.
    pub memory: u64,
}

impl Run {
    pub(super) fn of(
        point: &str,
        origin: Origin,
        mode: Mode,
        seed: u64,
        history: &History,
        memory: u64,
    ) -> Run {
        let seconds: f64 = history.rows.iter().map(|row| row.seconds).sum();
        Run {
            point: point.to_owned(),
            origin,
            mode,
            seed,
            accuracy: history.rows.last().and_then(|row| row.val_acc).unwrap_or(0.0),
            seconds_per_epoch: seconds / history.rows.len().max(1) as f64,
            memory,
        }
    }
}

/// Mean and sample standard deviation of the accuracies of one point, origin and mode.
///
/// ```
/// use frostline::study::sweep::spread;
/// assert_eq!(spread(&[0.5]), (0.5, 0.0));
/// assert!((spread(&[0.4, 0.6]).1 - 0.1414).abs() < 1e-3);
/// ```
pub fn spread(accuracies: &[f64]) -> (f64, f64) {
    let n = accuracies.len() as f64;
    let mean = accuracies.iter().sum::<f64>() / n.max(1.0);
    let squares: f64 = accuracies.iter().map(|a| (a - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0).max(1.0)).sqrt())
}
