//! Calibration: of the images that the network is 80 % sure of, are 80 % right?

use maud::{Markup, html};

use crate::report::markup::line;
use crate::report::svg::{Axis, Bar, Bars, Ink, Lines, Look, Series};
use crate::train::scores::{Bin, Calibration};

pub fn draw(calibration: &Calibration) -> Markup {
    let words = format!(
        "On average its confidence is {:.1} percentage points away from how often it is right (expected calibration \
         error). Above the diagonal it is too modest, below it too sure.",
        100.0 * calibration.ece
    );
    let bins: Vec<&Bin> = calibration.bins.iter().filter(|bin| bin.images > 0).collect();
    html! {
        (line(&words))
        div.charts {
            (reliability(&bins))
            figure { (images(&bins)) figcaption { "images at each confidence" } }
        }
    }
}

fn reliability(bins: &[&Bin]) -> Lines {
    let points = bins.iter().map(|bin| (bin.confidence, bin.accuracy)).collect();
    let measured = Series { look: Look::Both, ink: Ink::Number(0), ..Series::line("", 0, points) };
    let diagonal = Series::reference(vec![(0.0, 0.0), (1.0, 1.0)]);
    Lines::new(
        Axis::percent("confidence").between(0.0, 1.0),
        Axis::percent("right").between(0.0, 1.0),
        vec![diagonal, measured],
    )
}

fn images(bins: &[&Bin]) -> Bars {
    let bars = bins.iter().rev().map(|bin| {
        let range = format!("{:.0} to {:.0} %", 100.0 * bin.low, 100.0 * bin.high);
        Bar::new(range, vec![bin.images as f64], bin.images.to_string())
    });
    Bars { parts: vec![], bars: bars.collect(), unit: "images at each confidence".into(), whole: None }
}
