//! The learning-rate range test: the rate grows from step to step, and the loss shows which ones it bears.
//!
//! Source: Smith 2017, section 3.3; the smoothing and the stop are fastai's.

use crate::data::order;
use crate::error::{Error, Result};
use crate::graph::{Graph, Store};
use crate::optim::RuleRef;
use crate::train::interrupt;
use crate::train::metrics::Metrics;
use crate::train::passes::Passes;
use crate::train::samples::Samples;

/// What to try.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    pub from: f32,
    pub to: f32,
    pub steps: usize,
}

impl Default for Range {
    /// As in fastai.
    fn default() -> Range {
        Range { from: 1e-7, to: 10.0, steps: 100 }
    }
}

/// One step of the test.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Point {
    pub rate: f32,
    pub loss: f64,
    /// The loss, averaged over the steps before it with a weight that falls to 1/2 in about 7 steps.
    pub smooth: f64,
}

/// The share of the past in the smoothed loss.
const MEMORY: f64 = 0.9;
/// A loss of this many times the smallest ends the test.
const BLOWN_UP: f64 = 4.0;

/// Trains with growing rates. The weights are worse for it: forget the store, or load them again.
///
/// # Errors
/// A range that makes no sense, the device, or Ctrl-C.
pub fn lr_find(
    graph: &Graph,
    store: &mut Store,
    samples: &dyn Samples,
    (rule, batch, seed, memory): (RuleRef, usize, u64, u64),
    range: Range,
    mut progress: impl FnMut(usize),
) -> Result<Vec<Point>> {
    range.check()?;
    let mut passes = Passes::new(graph, store, batch, Some(rule), memory)?;
    let mut points: Vec<Point> = Vec::new();
    for epoch in 0.. {
        for minibatch in samples.batches(order::epoch(samples.len() as u32, seed, epoch))? {
            let step = points.len();
            let rate = range.rate(step);
            passes.step(&minibatch?, seed as u32, step as u32, rate)?;
            let mut metrics = Metrics::default();
            let finite = passes.results(true)?.iter().all(|result| result.add_to(&mut metrics));
            let point = next(&points, rate, metrics.loss());
            let least = points.iter().map(|point| point.smooth).fold(f64::INFINITY, f64::min);
            if !finite || point.smooth > BLOWN_UP * least {
                return Ok(points);
            }
            points.push(point);
            progress(points.len());
            if interrupt::asked() {
                return Err(Error::Interrupted("stopped before the last rate".into()));
            }
            if points.len() == range.steps {
                return Ok(points);
            }
        }
    }
    Ok(points)
}

fn next(points: &[Point], rate: f32, loss: f64) -> Point {
    // The average begins at zero; dividing by the weight that it has so far takes that out, as in Adam.
    let weight = |steps: usize| 1.0 - MEMORY.powi(steps as i32);
    let before = points.last().map_or(0.0, |last| last.smooth * weight(points.len()));
    let smooth = (MEMORY * before + (1.0 - MEMORY) * loss) / weight(points.len() + 1);
    Point { rate, loss, smooth }
}

impl Range {
    fn check(self) -> Result<()> {
        match self.from > 0.0 && self.to > self.from && self.to.is_finite() && self.steps > 1 {
            true => Ok(()),
            false => Err(Error::Usage(format!(
                "rates from {} to {} in {} steps: give a positive rate, a larger one, and at least 2 steps",
                self.from, self.to, self.steps
            ))),
        }
    }

    fn rate(self, step: usize) -> f32 {
        let done = step as f64 / (self.steps - 1) as f64;
        (f64::from(self.from) * f64::from(self.to / self.from).powf(done)) as f32
    }
}

/// The rate at which the smoothed loss falls most steeply, per factor of the rate; `None` where it never falls. Slopes are
/// taken over a tenth of the steps: from one step to the next the first averages only follow the noise of their batches.
pub fn steepest(points: &[Point]) -> Option<f32> {
    let span = (points.len() / 10).max(1);
    let slope =
        |run: &[Point]| (run[span].smooth - run[0].smooth) / f64::from(run[span].rate / run[0].rate).ln();
    let slopes = points.windows(span + 1).map(|run| (slope(run), run[span / 2].rate));
    slopes.filter(|(slope, _)| *slope < 0.0).min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, rate)| rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_grow_by_a_constant_factor() {
        let range = Range { from: 1e-4, to: 1.0, steps: 5 };
        let rates: Vec<f32> = (0..5).map(|step| range.rate(step)).collect();
        for (found, expected) in rates.iter().zip([1e-4, 1e-3, 1e-2, 1e-1, 1.0]) {
            assert!((found / expected - 1.0).abs() < 1e-5, "{rates:?}");
        }
        assert!(Range { from: 1.0, ..range }.check().is_err() && range.check().is_ok());
    }

    #[test]
    fn a_constant_loss_stays_what_it_is() {
        let mut points = Vec::new();
        for _ in 0..5 {
            points.push(next(&points, 1.0, 2.5));
        }
        assert!(points.iter().all(|point| (point.smooth - 2.5).abs() < 1e-12), "{points:?}");
    }

    #[test]
    fn the_steepest_descent_is_found() {
        let point = |rate, smooth| Point { rate, loss: smooth, smooth };
        let points =
            [point(1e-4, 2.0), point(1e-3, 1.9), point(1e-2, 1.0), point(1e-1, 0.9), point(1.0, 3.0)];
        assert_eq!(steepest(&points), Some(1e-3));
        assert_eq!(steepest(&[point(0.1, 1.0), point(1.0, 2.0)]), None);
    }

    #[test]
    fn the_noise_of_the_first_batches_is_no_descent() {
        let range = Range { from: 1e-6, to: 1.0, steps: 60 };
        let noise = [22.0, 24.5, 22.3, 21.5, 23.5, 22.8];
        let level = |step: usize| if step < 40 { 22.0 } else { 22.0 - 0.9 * (step - 40) as f64 };
        let point = |step| Point {
            rate: range.rate(step),
            loss: 0.0,
            smooth: *noise.get(step).unwrap_or(&level(step)),
        };
        let found = steepest(&(0..60).map(point).collect::<Vec<_>>()).unwrap();
        assert!(found >= range.rate(40), "{found}");
    }
}
