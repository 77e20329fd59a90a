//! How far is too far, and the count of what was compared.

use frostline::ops::Rung;

/// The rungs that compute products directly, and the default ones.
pub const DIRECT: [Rung; 3] = [Rung::Naive, Rung::Subgroup, Rung::Tiled];
/// No direct kernel has to be nearer than this.
pub const FLOOR: f64 = 4e-7;
pub fn rungs() -> impl Iterator<Item = Option<Rung>> {
    DIRECT.into_iter().map(Some).chain([None])
}

/// The largest distance that is allowed where Keras' own is `own`.
pub fn limit(own: f64, rung: Option<Rung>) -> f64 {
    match rung {
        Some(_) => (4.0 * own).max(FLOOR),
        None => (20.0 * own).max(FLOOR),
    }
}

/// Counts what was compared and keeps what was too far away.
#[derive(Default)]
pub struct Tally {
    values: usize,
    /// The largest share of what is allowed.
    worst: f64,
    pub failed: Vec<String>,
}

impl Tally {
    pub fn compare(&mut self, what: &str, found: f64, allowed: f64, values: usize) {
        self.values += values;
        self.worst = self.worst.max(found / allowed);
        if found.is_nan() || found > allowed {
            self.failed.push(format!("{what}: off by {found:.2e}, allowed {allowed:.2e}"));
        }
    }

    pub fn add(&mut self, other: Tally) {
        self.values += other.values;
        self.worst = self.worst.max(other.worst);
        self.failed.extend(other.failed);
    }

    pub fn report(self, what: &str) {
        println!("{what}: {} values compared, at worst at {:.2} of what is allowed", self.values, self.worst);
        assert!(self.values > 0, "{what}: nothing was compared");
        assert!(self.failed.is_empty(), "{} too far:\n{}", self.failed.len(), self.failed.join("\n"));
    }
}
