//! The freeze-point experiment as a chart: accuracy over the point up to which the base is frozen.

use image::{Rgb, RgbImage};

use super::sheet::{self, PAPER};
use super::svg::{Axis, Ink, Lines, Look, Series, Spread};
use crate::study::sweep::{Mode, Origin, Run, spread};

/// The four lines: what they are called, and which runs they are of.
pub const LINES: [(&str, Origin, Mode); 4] = [
    ("pretrained, fine-tuned", Origin::Pretrained, Mode::FineTuned),
    ("pretrained, frozen", Origin::Pretrained, Mode::Frozen),
    ("random, fine-tuned", Origin::Random, Mode::FineTuned),
    ("random, frozen", Origin::Random, Mode::Frozen),
];

/// What the line of this run is called.
pub fn name(run: &Run) -> &'static str {
    let line = LINES.iter().find(|(_, origin, mode)| (*origin, *mode) == (run.origin, run.mode));
    line.expect("the four lines are all there are").0
}

/// One line of the chart, of runs that were made.
struct Line {
    name: &'static str,
    /// Its place among the four, which keeps its colour.
    ink: usize,
    /// (x, mean, standard deviation): x counts the points from 0.
    at: Vec<(f64, f64, f64)>,
}

/// The lines that have runs.
fn lines(runs: &[Run], points: &[String]) -> Vec<Line> {
    let line = |(ink, (name, origin, mode)): (usize, &(&'static str, Origin, Mode))| {
        let at = |(x, point): (usize, &String)| {
            let of = |run: &&Run| run.point == *point && run.origin == *origin && run.mode == *mode;
            let accuracies: Vec<f64> = runs.iter().filter(of).map(|run| run.accuracy).collect();
            let (mean, deviation) = spread(&accuracies);
            (!accuracies.is_empty()).then_some((x as f64, mean, deviation))
        };
        let at: Vec<_> = points.iter().enumerate().filter_map(at).collect();
        (!at.is_empty()).then_some(Line { name, ink, at })
    };
    LINES.iter().enumerate().filter_map(line).collect()
}

/// A chart for a page or a file; bars are one standard deviation over the seeds.
pub fn chart(runs: &[Run], points: &[String]) -> Lines {
    let series = lines(runs, points).into_iter().map(|Line { name, ink, at }| {
        let ends = at.iter().map(|(_, mean, d)| ((mean - d).max(0.0), (mean + d).min(1.0)));
        Series {
            name: name.to_owned(),
            points: at.iter().map(|(x, mean, _)| (*x, *mean)).collect(),
            spread: Spread::Bars(ends.collect()),
            look: Look::Both,
            ink: Ink::Number(ink),
        }
    });
    let names: Vec<String> = points.iter().enumerate().map(|(i, point)| format!("{i} {point}")).collect();
    let x = Axis::whole(format!("frozen up to: {}", names.join(", ")));
    Lines::new(x, Axis::percent("validation accuracy").between(0.0, 1.0), series.collect())
}

const COLOURS: [Rgb<u8>; 4] =
    [Rgb([180, 52, 43]), Rgb([214, 130, 40]), Rgb([44, 105, 160]), Rgb([120, 140, 165])];
const INK: Rgb<u8> = Rgb([30, 34, 40]);
const GRID: Rgb<u8> = Rgb([222, 222, 218]);
const SIZE: (u32, u32) = (760, 470);
const FRAME: (u32, u32, u32, u32) = (64, 76, 740, 420); // left, top, right, bottom

/// The same as pixels, for pages that show no SVG.
pub fn picture(runs: &[Run], points: &[String]) -> RgbImage {
    let mut out = RgbImage::from_pixel(SIZE.0, SIZE.1, PAPER);
    let (left, top, right, bottom) = FRAME;
    let steps = (points.len().max(2) - 1) as f64;
    let x_of = |x: f64| left + 20 + ((f64::from(right - left - 40)) * x / steps).round() as u32;
    let y_of = |y: f64| bottom - (f64::from(bottom - top) * y.clamp(0.0, 1.0)).round() as u32;
    for percent in (0..=100).step_by(20) {
        let y = y_of(f64::from(percent) / 100.0);
        (left..right).for_each(|x| out.put_pixel(x, y, GRID));
        sheet::write(&mut out, &format!("{percent:>3} %"), (16, y - 4), 48, INK);
    }
    for (i, point) in points.iter().enumerate() {
        let name = point.trim_end_matches("_pool");
        let x = x_of(i as f64).saturating_sub(4 * name.len() as u32);
        sheet::write(&mut out, name, (x, bottom + 10), 160, INK);
    }
    sheet::write(
        &mut out,
        "validation accuracy over the layer up to which the base is frozen",
        (left, 14),
        660,
        INK,
    );
    for (i, Line { name, ink, at }) in lines(runs, points).into_iter().enumerate() {
        let colour = COLOURS[ink];
        let (x, y) = (left + (i as u32 % 2) * 300, 34 + (i as u32 / 2) * 16);
        stroke(&mut out, (x, y + 3), (x + 18, y + 3), colour);
        sheet::write(&mut out, name, (x + 26, y), 260, INK);
        let means: Vec<(u32, u32)> = at.iter().map(|(x, mean, _)| (x_of(*x), y_of(*mean))).collect();
        means.windows(2).for_each(|pair| stroke(&mut out, pair[0], pair[1], colour));
        for ((_, mean, d), &(px, py)) in at.iter().zip(&means) {
            let (high, low) = (y_of(mean + d), y_of(mean - d));
            (high..=low).for_each(|y| out.put_pixel(px, y, colour));
            for end in [high, low] {
                (px - 4..=px + 4).for_each(|x| out.put_pixel(x, end, colour));
            }
            (py - 2..=py + 2).for_each(|y| (px - 2..=px + 2).for_each(|x| out.put_pixel(x, y, colour)));
        }
    }
    out
}

/// A line two pixels wide.
fn stroke(out: &mut RgbImage, (x0, y0): (u32, u32), (x1, y1): (u32, u32), colour: Rgb<u8>) {
    let steps = x0.abs_diff(x1).max(y0.abs_diff(y1)).max(1);
    for i in 0..=steps {
        let between = |a: u32, b: u32| {
            (f64::from(a) + (f64::from(b) - f64::from(a)) * f64::from(i) / f64::from(steps)).round() as u32
        };
        let (x, y) = (between(x0, x1), between(y0, y1));
        out.put_pixel(x, y, colour);
        out.put_pixel(x, y + 1, colour);
    }
}
