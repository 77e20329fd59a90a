//! Two runs of the bench side by side: what slowed beyond the noise, and what became faster.

use super::Record;

/// Medians that differ by less are the same, whatever the spread says.
const LEAST: f64 = 0.05;

/// A measurement in both runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub record: Record,
    /// New median over old median.
    pub ratio: f64,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Slower,
    Faster,
    Same,
}

/// Every record of `new` that `old` has too.
///
/// It counts as slower if even its fastest run is slower than the old median and its median than the slowest old run,
/// by more than 5 %; as faster if the same holds the other way around.
pub fn compare(old: &[Record], new: &[Record]) -> Vec<Change> {
    let timed = new.iter().filter(|record| record.runs > 0);
    let pairs = timed.filter_map(|record| {
        let before = old.iter().find(|other| other.key() == record.key())?;
        Some(Change {
            record: record.clone(),
            ratio: record.median_ms / before.median_ms,
            verdict: verdict(before, record),
        })
    });
    pairs.collect()
}

fn verdict(old: &Record, new: &Record) -> Verdict {
    let beyond = |slow: &Record, fast: &Record| {
        slow.min_ms > fast.median_ms
            && slow.median_ms > fast.max_ms
            && slow.median_ms > fast.median_ms * (1.0 + LEAST)
    };
    match (beyond(new, old), beyond(old, new)) {
        (true, _) => Verdict::Slower,
        (_, true) => Verdict::Faster,
        _ => Verdict::Same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::roofline::Roofline;

    fn record(name: &str, [min_ms, median_ms, max_ms]: [f64; 3]) -> Record {
        let [base, _] = Record::of_roofline(&Roofline { gflops: 1.0, gbytes: 1.0 });
        Record { name: name.to_owned(), min_ms, median_ms, max_ms, runs: 5, ..base }
    }

    #[test]
    fn only_what_is_beyond_the_noise_counts() {
        let old = record("a", [9.0, 10.0, 12.0]);
        let verdict_of = |times| compare(std::slice::from_ref(&old), &[record("a", times)])[0].verdict;
        assert_eq!(verdict_of([12.0, 14.0, 15.0]), Verdict::Slower);
        assert_eq!(verdict_of([9.5, 14.0, 15.0]), Verdict::Same, "some runs were as fast as before");
        assert_eq!(verdict_of([10.1, 11.0, 15.0]), Verdict::Same, "some old runs were as slow");
        assert_eq!(verdict_of([5.0, 6.0, 7.0]), Verdict::Faster);
        assert!(compare(&[old], &[record("b", [1.0; 3])]).is_empty());
    }

    #[test]
    fn a_steady_change_below_five_percent_is_none() {
        let changes = compare(&[record("a", [10.0; 3])], &[record("a", [10.4; 3])]);
        assert_eq!(changes[0].verdict, Verdict::Same);
    }
}
