//! Where the time of training went.

use std::time::Instant;

use serde::{Deserialize, Serialize};

/// Seconds of an epoch's training steps, by what they were spent on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    /// Waiting for samples: reading, decoding and resizing that is not hidden behind the rest.
    pub input: f64,
    /// Waiting for results of the device.
    pub device: f64,
    /// All else: the host's own work between the two.
    pub host: f64,
}

impl Shares {
    /// The sum of the three.
    pub fn seconds(&self) -> f64 {
        self.input + self.device + self.host
    }

    /// Adds `all` seconds, of which `input` and `device` were spent waiting.
    pub fn add(&mut self, all: f64, input: f64, device: f64) {
        self.input += input;
        self.device += device;
        self.host += (all - input - device).max(0.0);
    }
}

/// Adds the seconds that `work` takes to `seconds`.
pub fn timed<T>(seconds: &mut f64, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    *seconds += begun.elapsed().as_secs_f64();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_waiting_is_the_host_s() {
        let mut shares = Shares::default();
        shares.add(10.0, 3.0, 5.0);
        shares.add(1.0, 0.5, 0.75);
        assert_eq!(shares, Shares { input: 3.5, device: 5.75, host: 2.0 });
        assert_eq!(shares.seconds(), 11.25);
    }
}
