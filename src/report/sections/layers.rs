//! Time of each layer in a step, by part.

use maud::{Markup, html};

use crate::report::markup::line;
use crate::report::svg::{Bar, Bars};
use crate::study::profile::{Layer, PARTS};

/// Measured times of one step.
#[derive(Clone, Debug, Default)]
pub struct LayerTimes {
    /// Such as forward and backward.
    pub parts: Vec<String>,
    pub layers: Vec<LayerTime>,
    /// What was measured, and how.
    pub measured: String,
}

/// Times of one layer.
#[derive(Clone, Debug)]
pub struct LayerTime {
    pub layer: String,
    /// Milliseconds of each part.
    pub milliseconds: Vec<f64>,
}

impl LayerTimes {
    /// Of one watched step over `samples` images.
    pub fn of(layers: &[Layer], samples: usize) -> LayerTimes {
        let milliseconds = |layer: &Layer| layer.parts.iter().map(|spent| 1e3 * spent.seconds).collect();
        let time = |layer: &Layer| LayerTime { layer: layer.name.clone(), milliseconds: milliseconds(layer) };
        LayerTimes {
            parts: PARTS.map(|part| part.name().to_owned()).into(),
            layers: layers.iter().map(time).collect(),
            measured: format!(
                "One step of the last stage over {samples} images, run once more when training had ended, each kernel \
                 waited for and timed alone. In the run itself what lies below the first layer that trains ran once \
                 per image, where its results were kept, and not in each step."
            ),
        }
    }
}

pub fn draw(times: Option<&LayerTimes>) -> Markup {
    let Some(times) = times else {
        return line(
            "Layers are timed when a run on images ends, where a step takes less than ten seconds; 'frostline profile' \
             times them at any time.",
        );
    };
    let bars = times.layers.iter().map(|time| {
        let total: f64 = time.milliseconds.iter().sum();
        Bar::new(&time.layer, time.milliseconds.clone(), format!("{total:.1}"))
    });
    let unit = "milliseconds of one step";
    let bars = Bars { parts: times.parts.clone(), bars: bars.collect(), unit: unit.into(), whole: None };
    html! { figure { (bars) figcaption { (unit) ", by layer and part" } } (line(&times.measured)) }
}
