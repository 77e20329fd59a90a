//! Device time of each layer, by part.

use maud::{Markup, html};

use crate::report::markup::line;
use crate::report::svg::{Bar, Bars};

/// Measured times of one step.
#[derive(Clone, Debug, Default)]
pub struct LayerTimes {
    /// Such as forward and backward.
    pub parts: Vec<String>,
    pub layers: Vec<LayerTime>,
}

/// Times of one layer.
#[derive(Clone, Debug)]
pub struct LayerTime {
    pub layer: String,
    /// Milliseconds of each part.
    pub milliseconds: Vec<f64>,
}

pub fn draw(times: Option<&LayerTimes>) -> Markup {
    let Some(times) = times else {
        return line("Times of single layers were not measured; 'frostline profile' measures them.");
    };
    let bars = times.layers.iter().map(|time| {
        let total: f64 = time.milliseconds.iter().sum();
        Bar::new(&time.layer, time.milliseconds.clone(), format!("{total:.1}"))
    });
    let unit = "milliseconds of one step";
    let bars = Bars { parts: times.parts.clone(), bars: bars.collect(), unit: unit.into(), whole: None };
    html! { figure { (bars) figcaption { (unit) ", by layer and part" } } }
}
