//! Which share of the time was input, host and device.

use maud::{Markup, html};

use crate::report::markup::line;
use crate::report::svg::{Bar, Bars};

/// Seconds of one epoch, or of several together.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// Such as `epoch 3`.
    pub name: String,
    /// Waiting for images: reading, decoding, resizing.
    pub input: f64,
    /// Feeding, encoding and counting on the host.
    pub host: f64,
    /// Waiting for the device.
    pub device: f64,
}

/// More epochs than this are shown as their sum alone.
const MOST: usize = 20;

pub fn draw(shares: &[Share]) -> Markup {
    if shares.is_empty() {
        return line("The share of input, host and device was not measured.");
    }
    let sum = |of: fn(&Share) -> f64| shares.iter().map(of).sum::<f64>();
    let all = Share {
        name: "all epochs".into(),
        input: sum(|share| share.input),
        host: sum(|share| share.host),
        device: sum(|share| share.device),
    };
    let shown = if shares.len() > MOST { &[] } else { shares };
    let total = |share: &Share| share.input + share.host + share.device;
    let percent = |part: f64| format!("{:.0} %", 100.0 * part / total(&all).max(f64::MIN_POSITIVE));
    let words = format!(
        "Input took {}, the host {} and the device {} of {:.1} seconds.",
        percent(all.input),
        percent(all.host),
        percent(all.device),
        total(&all)
    );
    // Nobody waits for a device that has done its work by the time the call that hands it over returns.
    let hidden = all.device < 0.01 * total(&all);
    let bars = shown.iter().map(|share| {
        Bar::new(&share.name, vec![share.input, share.host, share.device], format!("{:.1} s", total(share)))
    });
    let parts = ["input", "host", "device"].map(str::to_owned).to_vec();
    html! {
        (line(&words))
        @if hidden { (line("A software driver computes while work is handed to it: that counts as the host's.")) }
        @if !shown.is_empty() { (Bars { parts, bars: bars.collect(), unit: "seconds of each epoch".into(), whole: None }) }
    }
}
