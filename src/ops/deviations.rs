//! How the elements of a result lie around its reference, as two histograms.

use std::fmt;

use serde::Serialize;

/// Upper ends of the bins of [`Deviations::ulps`]; one more bin holds everything beyond.
pub const ULPS: [u64; 12] = [0, 1, 2, 4, 8, 16, 32, 64, 256, 1024, 16_384, 1 << 20];
/// Upper ends of the bins of [`Deviations::relative`]; one more bin holds everything beyond.
pub const RELATIVE: [f64; 9] = [0.0, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1];

/// Elements of a result, counted by their distance from the reference.
#[derive(Clone, Copy, Default, PartialEq, Serialize)]
pub struct Deviations {
    /// By distance in units in the last place (ULP) of the reference rounded to f32; bins end at [`ULPS`].
    pub ulps: [u64; ULPS.len() + 1],
    /// By `|value - reference| / |reference|`; bins end at [`RELATIVE`]. Where sums cancel, this is large and harmless.
    pub relative: [u64; RELATIVE.len() + 1],
    /// The largest distance in ULP; not a number counts as the largest there is.
    pub most_ulps: u64,
}

impl Deviations {
    /// Counts one element.
    ///
    /// ```
    /// use frostline::ops::deviations::Deviations;
    /// let mut seen = Deviations::default();
    /// seen.add(1.0, 1.0);
    /// seen.add(1.0 + f32::EPSILON, 1.0);
    /// assert_eq!((seen.ulps[0], seen.ulps[1], seen.most_ulps), (1, 1, 1));
    /// ```
    pub fn add(&mut self, value: f32, reference: f64) {
        let ulps = ulps(value, reference as f32);
        let relative = match (f64::from(value) - reference).abs() {
            0.0 => 0.0,
            difference => difference / reference.abs(),
        };
        self.ulps[bin(&ULPS, ulps)] += 1;
        self.relative[bin(&RELATIVE, if relative.is_nan() { f64::INFINITY } else { relative })] += 1;
        self.most_ulps = self.most_ulps.max(ulps);
    }

    /// Counts all elements of another result.
    pub fn join(&mut self, other: &Deviations) {
        self.ulps.iter_mut().zip(other.ulps).for_each(|(sum, count)| *sum += count);
        self.relative.iter_mut().zip(other.relative).for_each(|(sum, count)| *sum += count);
        self.most_ulps = self.most_ulps.max(other.most_ulps);
    }

    /// Elements counted.
    pub fn count(&self) -> u64 {
        self.ulps.iter().sum()
    }
}

impl fmt::Debug for Deviations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} ulps", self.most_ulps)
    }
}

fn bin<T: PartialOrd>(ends: &[T], value: T) -> usize {
    ends.iter().position(|end| value <= *end).unwrap_or(ends.len())
}

/// How many floats lie between two floats.
fn ulps(a: f32, b: f32) -> u64 {
    // Negative floats count downwards from zero, as integers do.
    let place = |v: f32| match v.to_bits() as i32 {
        bits if bits < 0 => i64::from(i32::MIN) - i64::from(bits),
        bits => i64::from(bits),
    };
    if a.is_nan() || b.is_nan() { u64::MAX } else { place(a).abs_diff(place(b)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_counted_across_zero() {
        assert_eq!(ulps(0.0, -0.0), 0);
        assert_eq!(ulps(f32::from_bits(1), -f32::from_bits(1)), 2);
        assert_eq!(ulps(1.0, f32::from_bits(1.0f32.to_bits() + 5)), 5);
        assert_eq!(ulps(f32::NAN, 1.0), u64::MAX);
    }

    #[test]
    fn what_is_not_a_number_falls_into_the_last_bins() {
        let mut seen = Deviations::default();
        seen.add(f32::NAN, 1.0);
        seen.add(1.0, 0.0);
        assert_eq!((seen.ulps[ULPS.len()], seen.relative[RELATIVE.len()]), (2, 2));
    }
}
