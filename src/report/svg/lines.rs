//! Lines over two axes, with bands, error bars and marks.

use maud::{Markup, Render, html};

use super::axis::Axis;
use super::frame::Frame;
use super::{Ink, legend, number, root, text, text_width};

/// A chart of lines.
#[derive(Clone, Debug)]
pub struct Lines {
    pub x: Axis,
    /// Its label stands above the chart.
    pub y: Axis,
    pub series: Vec<Series>,
    pub marks: Vec<Mark>,
}

/// One line of a chart.
#[derive(Clone, Debug)]
pub struct Series {
    /// For the legend; nameless series are not in it.
    pub name: String,
    /// (x, y); a point that is not a number interrupts the line.
    pub points: Vec<(f64, f64)>,
    pub spread: Spread,
    pub look: Look,
    pub ink: Ink,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Line,
    Dashed,
    /// Single points.
    Dots,
    /// A line with its points.
    Both,
}

/// How sure the points are: for each point its lower and upper end.
#[derive(Clone, Debug)]
pub enum Spread {
    None,
    Band(Vec<(f64, f64)>),
    Bars(Vec<(f64, f64)>),
}

/// A vertical line with a word, such as the best epoch.
#[derive(Clone, Debug)]
pub struct Mark {
    pub x: f64,
    pub words: String,
}

impl Lines {
    pub fn new(x: Axis, y: Axis, series: Vec<Series>) -> Lines {
        Lines { x, y, series, marks: Vec::new() }
    }

    pub fn mark(mut self, x: f64, words: impl Into<String>) -> Lines {
        self.marks.push(Mark { x, words: words.into() });
        self
    }
}

impl Series {
    /// A plain line in the colour with this number.
    pub fn line(name: impl Into<String>, ink: usize, points: Vec<(f64, f64)>) -> Series {
        Series { name: name.into(), points, spread: Spread::None, look: Look::Line, ink: Ink::Number(ink) }
    }

    /// A dashed line without a name, for comparison.
    pub fn reference(points: Vec<(f64, f64)>) -> Series {
        Series { look: Look::Dashed, ink: Ink::Quiet, ..Series::line("", 0, points) }
    }

    fn spread(&self) -> &[(f64, f64)] {
        match &self.spread {
            Spread::None => &[],
            Spread::Band(ends) | Spread::Bars(ends) => ends,
        }
    }
}

const HEIGHT: f64 = 190.0;

impl Render for Lines {
    fn render(&self) -> Markup {
        let named: Vec<(Ink, &str)> =
            self.series.iter().filter(|s| !s.name.is_empty()).map(|s| (s.ink, s.name.as_str())).collect();
        // One series needs no legend: the heading says what it is.
        let (names, names_height) = if named.len() > 1 { legend(&named, 0.0, 22.0) } else { (html! {}, 0.0) };
        let marks_height = if self.marks.is_empty() { 8.0 } else { 22.0 };
        let frame = self.frame(24.0 + names_height + marks_height);
        let label = format!("{} over {}", self.y.label, self.x.label);
        let inside = html! {
            (text(0.0, 13.0, "start", "", &self.y.label))
            (names)
            (frame.draw(&self.x.label))
            @for mark in &self.marks { (draw_mark(&frame, mark)) }
            @for series in &self.series { (draw_series(&frame, series)) }
        };
        root(frame.bottom + Frame::BELOW, &label, inside)
    }
}

impl Lines {
    fn frame(&self, top: f64) -> Frame {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let xs: Vec<f64> = points().map(|p| p.0).collect();
        let ends = self.series.iter().flat_map(Series::spread).flat_map(|&(low, high)| [low, high]);
        let ys: Vec<f64> = points().map(|p| p.1).chain(ends).collect();
        Frame::new((&self.x, &xs), (&self.y, &ys), top, HEIGHT)
    }
}

fn draw_series(frame: &Frame, series: &Series) -> Markup {
    let places: Vec<Option<(f64, f64)>> = series.points.iter().map(|&point| frame.place(point)).collect();
    // A short line shows its points, and a lone point would not show otherwise.
    let dots = match series.look {
        Look::Dots | Look::Both => true,
        Look::Line => series.points.len() <= 12,
        Look::Dashed => false,
    };
    let stroke = if series.look == Look::Dashed { "stroke dashed" } else { "stroke" };
    html! {
        g class=(series.ink.class()) {
            (draw_spread(frame, series))
            @if series.look != Look::Dots { path class=(stroke) d=(path(&places)) {} }
            @if dots {
                @for &(x, y) in places.iter().flatten() { circle.fill cx=(number(x)) cy=(number(y)) r="3" {} }
            }
        }
    }
}

fn draw_spread(frame: &Frame, series: &Series) -> Markup {
    let xs = series.points.iter().map(|point| point.0);
    let ends = xs
        .zip(series.spread())
        .filter_map(|(x, &(low, high))| Some((frame.x.place(x)?, frame.y.place(low)?, frame.y.place(high)?)));
    let ends: Vec<(f64, f64, f64)> = ends.collect();
    match series.spread {
        Spread::None => html! {},
        Spread::Band(_) => {
            let low = ends.iter().map(|&(x, low, _)| Some((x, low)));
            let high = ends.iter().rev().map(|&(x, _, high)| Some((x, high)));
            html! { path.band d=(path(&low.chain(high).collect::<Vec<_>>())) {} }
        }
        Spread::Bars(_) => html! {
            @for (x, low, high) in ends {
                path.stroke.thin d={
                    "M" (number(x)) " " (number(low)) "V" (number(high))
                    "M" (number(x - 3.5)) " " (number(low)) "h7M" (number(x - 3.5)) " " (number(high)) "h7"
                } {}
            }
        },
    }
}

/// `M1 2L3 4`, begun anew behind each point without a place.
fn path(places: &[Option<(f64, f64)>]) -> String {
    let mut written = String::new();
    let mut pen = 'M';
    for place in places {
        match place {
            Some((x, y)) => {
                written.extend([pen.to_string(), number(*x), " ".into(), number(*y)]);
                pen = 'L';
            }
            None => pen = 'M',
        }
    }
    written
}

fn draw_mark(frame: &Frame, mark: &Mark) -> Markup {
    let Some(x) = frame.x.place(mark.x) else { return html! {} };
    let half = text_width(&mark.words) / 2.0;
    let centre = x.clamp(frame.left + half, (frame.right - half).max(frame.left + half));
    html! {
        line.axis.dashed x1=(number(x)) x2=(number(x)) y1=(number(frame.top - 4.0)) y2=(number(frame.bottom)) {}
        (text(centre, frame.top - 9.0, "middle", "faint", &mark.words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(chart: &Lines) -> String {
        chart.render().into_string()
    }

    #[test]
    fn a_value_that_is_no_number_interrupts_the_line() {
        let places = [Some((0.0, 1.0)), Some((1.0, 2.0)), None, Some((3.0, 4.5))];
        assert_eq!(path(&places), "M0 1L1 2M3 4.5");
        let points = vec![(1.0, 0.5), (2.0, f64::NAN), (3.0, 0.25)];
        let chart =
            Lines::new(Axis::whole("epoch"), Axis::number("loss"), vec![Series::line("a", 0, points)]);
        assert!(!drawn(&chart).contains("NaN"), "{}", drawn(&chart));
    }

    #[test]
    fn several_lines_have_a_legend_and_one_has_none() {
        let line = |name: &str| Series::line(name, 0, vec![(1.0, 1.0), (2.0, 3.0)]);
        let one = Lines::new(Axis::whole("epoch"), Axis::number("loss"), vec![line("training")]);
        let two = Lines { series: vec![line("training"), line("<validation>")], ..one.clone() };
        assert!(!drawn(&one).contains("training"));
        assert!(drawn(&two).contains("training") && drawn(&two).contains("&lt;validation&gt;"));
    }

    #[test]
    fn spreads_widen_the_axis() {
        let mut series = Series::line("", 0, vec![(1.0, 0.5), (2.0, 0.5)]);
        series.spread = Spread::Bars(vec![(0.1, 0.9), (0.2, 0.8)]);
        let chart = Lines::new(Axis::whole("seed"), Axis::percent("accuracy"), vec![series]);
        assert!(drawn(&chart).contains("100 %"), "{}", drawn(&chart));
    }
}
