//! Horizontal bars, one under the other, each in one or several parts.

use maud::{Markup, Render, html};

use super::{Ink, WIDTH, legend, number, root, shorten, text, text_width};

/// A chart of bars.
#[derive(Clone, Debug)]
pub struct Bars {
    /// Names of the parts, for the legend; empty where each bar has one part.
    pub parts: Vec<String>,
    pub bars: Vec<Bar>,
    /// What the lengths measure, for those who cannot see the chart.
    pub unit: String,
    /// The length of a bar that fills the chart; `None` is the longest one's.
    pub whole: Option<f64>,
}

/// One bar.
#[derive(Clone, Debug)]
pub struct Bar {
    pub label: String,
    /// Lengths of the parts.
    pub values: Vec<f64>,
    /// The words behind it.
    pub words: String,
}

impl Bar {
    pub fn new(label: impl Into<String>, values: Vec<f64>, words: impl Into<String>) -> Bar {
        Bar { label: label.into(), values, words: words.into() }
    }

    fn total(&self) -> f64 {
        self.values.iter().filter(|value| value.is_finite()).sum()
    }
}

const LINE: f64 = 21.0;
const MOST_LABEL: f64 = 190.0;

impl Render for Bars {
    fn render(&self) -> Markup {
        let parts: Vec<(Ink, &str)> =
            self.parts.iter().enumerate().map(|(i, name)| (Ink::Number(i), name.as_str())).collect();
        let (names, top) = if parts.len() > 1 { legend(&parts, 0.0, 2.0) } else { (html! {}, 0.0) };
        let widest = |of: fn(&Bar) -> &str| self.bars.iter().map(|b| text_width(of(b))).fold(0.0, f64::max);
        let left = widest(|bar| &bar.label).min(MOST_LABEL) + 8.0;
        let room = WIDTH - left - widest(|bar| &bar.words) - 8.0;
        let longest = || self.bars.iter().map(Bar::total).fold(f64::MIN_POSITIVE, f64::max);
        let whole = self.whole.unwrap_or_else(longest);
        let inside = html! {
            (names)
            @for (i, bar) in self.bars.iter().enumerate() {
                (draw(bar, left, top + 4.0 + LINE * i as f64, room / whole))
            }
        };
        root(top + 8.0 + LINE * self.bars.len() as f64, &self.unit, inside)
    }
}

fn draw(bar: &Bar, left: f64, y: f64, scale: f64) -> Markup {
    let mut x = left;
    let parts: Vec<(usize, f64, f64)> = bar
        .values
        .iter()
        .enumerate()
        .filter(|(_, value)| value.is_finite() && **value > 0.0)
        .map(|(i, value)| {
            let from = x;
            x += value * scale;
            (i, from, value * scale)
        })
        .collect();
    html! {
        g {
            title { (bar.label) ": " (bar.words) }
            (text(left - 8.0, y + 13.0, "end", "", &shorten(&bar.label, MOST_LABEL)))
            @for (i, from, width) in parts {
                rect x=(number(from)) y=(number(y + 2.0)) width=(number(width)) height="13"
                    class={ "fill " (Ink::Number(i).class()) } {}
            }
            (text(x + 6.0, y + 13.0, "start", "faint", &bar.words))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_leaves_room_for_its_words() {
        let bars =
            vec![Bar::new("conv", vec![3.0, 1.0], "4 ms"), Bar::new("dense", vec![0.0, f64::NAN], "-")];
        let chart = Bars {
            parts: vec!["forward".into(), "backward".into()],
            bars,
            unit: "milliseconds".into(),
            whole: None,
        };
        let drawn = chart.render().into_string();
        assert!(drawn.contains("forward") && !drawn.contains("NaN"), "{drawn}");
        let ends = drawn.split("<rect").skip(3).map(|rect| {
            let of = |name: &str| -> f64 {
                rect.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
            };
            of("x") + of("width")
        });
        let ends: Vec<f64> = ends.collect();
        assert_eq!(ends.len(), 2);
        assert!(ends.iter().all(|end| end + text_width("4 ms") <= WIDTH), "{ends:?}");
    }
}
