//! The plot area with its grid and the words at its axes.

use maud::{Markup, html};

use super::axis::{Axis, Scale};
use super::{WIDTH, number, text, text_width};

/// A plot area and the scales that lead into it.
pub(super) struct Frame {
    pub x: Scale,
    pub y: Scale,
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

impl Frame {
    /// A plot area `height` units high below `top`, wide enough at its left for the words of the y axis.
    pub fn new((x, xs): (&Axis, &[f64]), (y, ys): (&Axis, &[f64]), top: f64, height: f64) -> Frame {
        let bottom = top + height;
        let y = y.scale(ys.iter().copied(), bottom, top);
        let words = y.ticks.iter().map(|(_, words)| text_width(words)).fold(0.0, f64::max);
        let (left, right) = (words + 10.0, WIDTH - 20.0);
        Frame { x: x.scale(xs.iter().copied(), left, right), y, left, right, top, bottom }
    }

    /// The position of a point, where it has one.
    pub fn place(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        Some((self.x.place(x)?, self.y.place(y)?))
    }

    /// Units below the plot area that [`Frame::draw`] writes on.
    pub const BELOW: f64 = 42.0;

    /// Grid, ticks and the label of the x axis; the y axis' label is the chart's heading.
    pub fn draw(&self, x_label: &str) -> Markup {
        let (left, right) = (number(self.left), number(self.right));
        html! {
            @for (value, words) in &self.y.ticks {
                @if let Some(y) = self.y.place(*value) {
                    line.grid x1=(left) x2=(right) y1=(number(y)) y2=(number(y)) {}
                    (text(self.left - 7.0, y + 4.5, "end", "faint", words))
                }
            }
            line.axis x1=(left) x2=(right) y1=(number(self.bottom)) y2=(number(self.bottom)) {}
            @for (value, words) in &self.x.ticks {
                @if let Some(x) = self.x.place(*value) {
                    line.axis x1=(number(x)) x2=(number(x)) y1=(number(self.bottom)) y2=(number(self.bottom + 4.0)) {}
                    (text(x, self.bottom + 18.0, "middle", "faint", words))
                }
            }
            (text((self.left + self.right) / 2.0, self.bottom + 36.0, "middle", "faint", x_label))
        }
    }
}
