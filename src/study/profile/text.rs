//! The profile as a table: one row a layer, one column a part.

use std::fmt;

use super::{Layer, PARTS, Profile, Spent};

/// Milliseconds of one step, and percent of the roofline.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = PARTS.map(|part| format!("{:>18}", part.name())).concat();
        writeln!(f, "{:<26}{heads}{:>11}{:>8}", "layer", "ms a step", "share")?;
        let all: f64 = self.layers.iter().map(Layer::seconds).sum();
        for layer in &self.layers {
            let cells = layer.parts.map(|spent| self.cell(&spent)).concat();
            let (ms, share) = (self.ms(layer.seconds()), 100.0 * layer.seconds() / all);
            writeln!(f, "{:<26}{cells}{ms:>11.2}{share:>6.1} %", layer.name)?;
        }
        let sum = |part: usize| self.layers.iter().map(|layer| layer.parts[part].seconds).sum::<f64>();
        let sums = PARTS.map(|part| format!("{:>10.2}{:>8}", self.ms(sum(part as usize)), "")).concat();
        writeln!(f, "{:<26}{sums}{:>11.2}", "all dispatches", self.ms(all))?;
        writeln!(
            f,
            "a step as always takes {:.2} ms, of which the host waits {:.2} ms for its batch; percents are of the \
             roofline, {}",
            1e3 * self.step_seconds,
            1e3 * self.batch_seconds,
            self.roofline
        )
    }
}

impl Profile {
    /// `12.31 ( 85 %)`, 18 wide; nothing where nothing ran.
    fn cell(&self, spent: &Spent) -> String {
        match (spent.dispatches, spent.percent(&self.roofline)) {
            (0, _) => " ".repeat(18),
            (_, None) => format!("{:>10.2}        ", self.ms(spent.seconds)),
            (_, Some(percent)) => format!("{:>10.2} ({percent:>3.0} %)", self.ms(spent.seconds)),
        }
    }

    /// Milliseconds of one step.
    pub fn ms(&self, seconds_of_all_steps: f64) -> f64 {
        1e3 * seconds_of_all_steps / self.steps.max(1) as f64
    }
}
