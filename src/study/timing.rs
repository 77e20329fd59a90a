//! Repeated measurements and their spread.
//!
//! ```
//! use frostline::study::timing::{Times, sample};
//! let mut times = Times::default();
//! sample(&mut times, 3, 0.0, || Ok(0.002))?;
//! times.add(0.004);
//! assert_eq!((times.len(), times.min(), times.median(), times.max()), (4, 0.002, 0.002, 0.004));
//! assert!(!times.is_empty());
//! # Ok::<(), frostline::error::Error>(())
//! ```

use crate::error::Result;

/// Runs that warm up what they run on, and are not counted.
const WARM_UP: usize = 2;
/// More runs than this say nothing new.
const MOST: usize = 50;

/// Seconds of several runs of the same thing.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<f64>);

impl Times {
    pub fn add(&mut self, seconds: f64) {
        let at = self.0.partition_point(|&other| other <= seconds);
        self.0.insert(at, seconds);
    }

    /// The middle one; the mean of the middle two of an even number. 0 if there are none.
    pub fn median(&self) -> f64 {
        let n = self.0.len();
        match n {
            0 => 0.0,
            _ => (self.0[(n - 1) / 2] + self.0[n / 2]) / 2.0,
        }
    }

    pub fn min(&self) -> f64 {
        self.0.first().copied().unwrap_or(0.0)
    }

    pub fn max(&self) -> f64 {
        self.0.last().copied().unwrap_or(0.0)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Two runs to warm up, then at least `least` runs, and more until they have taken `seconds` together.
///
/// # Errors
/// The first error of `run`, which gives the seconds that it took.
pub fn sample(
    times: &mut Times,
    least: usize,
    seconds: f64,
    mut run: impl FnMut() -> Result<f64>,
) -> Result<()> {
    for _ in 0..WARM_UP {
        run()?;
    }
    let mut total = 0.0;
    while times.len() < least || (total < seconds && times.len() < MOST) {
        let one = run()?;
        total += one;
        times.add(one);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        let mut times = Times::default();
        assert_eq!(times.median(), 0.0);
        for seconds in [5.0, 1.0, 9.0] {
            times.add(seconds);
        }
        assert_eq!((times.min(), times.median(), times.max()), (1.0, 5.0, 9.0));
        times.add(2.0);
        assert_eq!(times.median(), 3.5);
    }

    #[test]
    fn sampling_warms_up_and_then_runs_at_least_so_often() {
        let (mut times, mut runs) = (Times::default(), 0);
        sample(&mut times, 3, 0.0, || {
            runs += 1;
            Ok(f64::from(runs))
        })
        .unwrap();
        assert_eq!((runs, times.min(), times.len()), (5, 3.0, 3));
    }
}
