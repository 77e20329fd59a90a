//! How the learning rate moves over a stage: pure functions of where the stage is, so that a resumed run needs no memory.

pub mod stages;

pub use stages::Stage;

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, unknown};

/// Where a stage is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct At {
    /// Epochs behind this step; 2.5 is the middle of the third.
    pub epoch: f64,
    /// The share of an epoch that this step is.
    pub step: f64,
    /// Epochs of the whole stage.
    pub epochs: f64,
}

/// The curve behind the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "curve", rename_all = "snake_case")]
pub enum Curve {
    #[default]
    Constant,
    /// Times `factor` after each `every` epochs.
    Step { every: f64, factor: f64 },
    /// Times `factor` per epoch, smoothly. Source: Keras `ExponentialDecay`.
    Exponential { factor: f64 },
    /// Half a cosine down to the share `floor`. Source: Keras `CosineDecay`; Loshchilov and Hutter 2017, equation 5.
    Cosine { floor: f64 },
    /// From 1/25 up to the full rate in the first 30 %, then down to 1/250,000, along cosines.
    /// Source: Smith and Topin 2018, with the numbers of PyTorch's `OneCycleLR`.
    OneCycle,
}

/// A curve with a linear warm-up before it.
///
/// ```
/// use frostline::train::schedule::{At, Curve, Schedule};
/// let schedule = Schedule { curve: Curve::Cosine { floor: 0.0 }, warm_up: 1.0 };
/// let rate = |epoch| schedule.rate(0.01, At { epoch, step: 0.1, epochs: 9.0 });
/// assert!(rate(0.0) < rate(0.5) && rate(0.5) < rate(1.0), "it warms up");
/// assert!((rate(5.0) - 0.005).abs() < 1e-6, "half way down the cosine");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    #[serde(flatten)]
    pub curve: Curve,
    /// Epochs in which the rate climbs to its full value.
    pub warm_up: f64,
}

impl Schedule {
    /// The rate of the step at `at`, for a stage whose full rate is `full`.
    pub fn rate(&self, full: f32, at: At) -> f32 {
        let share = if at.epoch < self.warm_up {
            ((at.epoch + at.step) / self.warm_up).min(1.0)
        } else {
            self.curve.share(at.epoch - self.warm_up, (at.epochs - self.warm_up).max(at.step))
        };
        (f64::from(full) * share) as f32
    }

    /// # Errors
    /// A warm-up that is negative or not a number.
    pub fn check(&self) -> Result<()> {
        match self.warm_up >= 0.0 && self.warm_up.is_finite() {
            true => Ok(()),
            false => {
                Err(Error::Usage(format!("--warm-up {}: give a number of epochs, such as 1", self.warm_up)))
            }
        }
    }
}

impl Curve {
    const NAMES: [&str; 5] = ["constant", "step", "exponential", "cosine", "one-cycle"];

    /// The share of the full rate after `epoch` of `epochs` epochs.
    fn share(self, epoch: f64, epochs: f64) -> f64 {
        let done = (epoch / epochs).clamp(0.0, 1.0);
        match self {
            Curve::Constant => 1.0,
            Curve::Step { every, factor } => factor.powf((epoch / every).floor()),
            Curve::Exponential { factor } => factor.powf(epoch),
            Curve::Cosine { floor } => ease(1.0, floor, done),
            Curve::OneCycle if done < 0.3 => ease(1.0 / 25.0, 1.0, done / 0.3),
            Curve::OneCycle => ease(1.0, 1.0 / 25.0 / 1e4, (done - 0.3) / 0.7),
        }
    }
}

/// Half a cosine from `from` to `to`.
fn ease(from: f64, to: f64, done: f64) -> f64 {
    to + (from - to) * 0.5 * (1.0 + (PI * done).cos())
}

impl FromStr for Curve {
    type Err = Error;

    /// `constant`, `step:EPOCHS:FACTOR`, `exponential:FACTOR`, `cosine[:FLOOR]`, `one-cycle`.
    fn from_str(text: &str) -> Result<Curve> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let numbers: Option<Vec<f64>> = parts.map(|n| n.parse().ok().filter(|n: &f64| *n >= 0.0)).collect();
        Ok(match (name, numbers.as_deref()) {
            ("constant", Some([])) => Curve::Constant,
            ("step", Some([every, factor])) if *every > 0.0 => Curve::Step { every: *every, factor: *factor },
            ("exponential", Some([factor])) => Curve::Exponential { factor: *factor },
            ("cosine", Some([])) => Curve::Cosine { floor: 0.0 },
            ("cosine", Some([floor])) => Curve::Cosine { floor: *floor },
            ("one-cycle", Some([])) => Curve::OneCycle,
            _ if Curve::NAMES.contains(&name) => {
                return Err(Error::Usage(format!(
                    "--schedule {text}: expected constant, step:EPOCHS:FACTOR, exponential:FACTOR, cosine, cosine:FLOOR or \
                 one-cycle"
                )));
            }
            _ => return Err(unknown("schedule", name, &Curve::NAMES)),
        })
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Curve::Constant => f.write_str("constant"),
            Curve::Step { every, factor } => write!(f, "step:{every}:{factor}"),
            Curve::Exponential { factor } => write!(f, "exponential:{factor}"),
            Curve::Cosine { floor } => write!(f, "cosine:{floor}"),
            Curve::OneCycle => f.write_str("one-cycle"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(text: &str, warm_up: f64, epochs: &[f64]) -> Vec<f32> {
        let schedule = Schedule { curve: text.parse().unwrap(), warm_up };
        let at = |&epoch: &f64| schedule.rate(1.0, At { epoch, step: 0.25, epochs: 10.0 });
        epochs.iter().map(at).collect()
    }

    fn near(found: &[f32], expected: &[f32]) {
        let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 1e-6, "{found:?} is not {expected:?}");
    }

    #[test]
    fn each_curve_has_its_shape() {
        near(&rates("constant", 0.0, &[0.0, 9.9]), &[1.0, 1.0]);
        near(&rates("step:3:0.1", 0.0, &[0.0, 2.9, 3.0, 6.0]), &[1.0, 1.0, 0.1, 0.01]);
        near(&rates("exponential:0.5", 0.0, &[0.0, 0.5, 2.0]), &[1.0, 0.5f32.sqrt(), 0.25]);
        near(&rates("cosine", 0.0, &[0.0, 5.0, 10.0]), &[1.0, 0.5, 0.0]);
        near(&rates("cosine:0.2", 0.0, &[5.0, 10.0]), &[0.6, 0.2]);
        near(&rates("one-cycle", 0.0, &[0.0, 1.5, 3.0, 10.0]), &[0.04, 0.52, 1.0, 4e-6]);
    }

    #[test]
    fn the_warm_up_climbs_and_the_curve_follows() {
        near(&rates("cosine", 2.0, &[0.0, 0.75, 1.75, 2.0, 6.0, 10.0]), &[0.125, 0.5, 1.0, 1.0, 0.5, 0.0]);
    }

    #[test]
    fn what_is_no_schedule_is_answered_with_what_is() {
        for (text, answer) in [("cosin", "did you mean 'cosine'?"), ("step:3", "step:EPOCHS:FACTOR")] {
            let message = text.parse::<Curve>().unwrap_err().to_string();
            assert!(message.contains(answer), "{message}");
        }
        assert!("step:0:0.1".parse::<Curve>().is_err() && "cosine:x".parse::<Curve>().is_err());
    }

    #[test]
    fn what_is_shown_is_what_is_read() {
        for text in ["constant", "step:3:0.1", "exponential:0.5", "cosine:0.2", "one-cycle"] {
            assert_eq!(text.parse::<Curve>().unwrap().to_string(), text);
        }
    }
}
