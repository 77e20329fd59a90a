//! A small layer for charts in SVG: lines with bands and error bars, bars, and a heat map.
//!
//! A chart is plain data that renders itself into a page ([`maud::Render`]) or, with [`standalone`], into a file of its
//! own. It scales with its container: the drawing is [`WIDTH`] units wide, so that a phone shows its text at a readable
//! size. Colours are CSS variables of `chart.css`, which knows light and dark.

mod axis;
mod bars;
mod flame;
mod frame;
mod heat;
mod lines;

use maud::{Markup, PreEscaped, Render, html};

pub use axis::Axis;
pub use bars::{Bar, Bars};
pub use flame::Flame;
pub use heat::{Cell, Heat};
pub use lines::{Lines, Look, Mark, Series, Spread};

/// Width of every chart in its own units; text is 13 of them high.
pub const WIDTH: f64 = 460.0;

/// Colours and text of charts, for the page that holds them.
pub const STYLE: &str = include_str!("chart.css");

/// A colour that has a light and a dark form. The numbered ones tell series apart, also for colour-blind readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// The colour with this number; they repeat after [`Ink::COUNT`].
    Number(usize),
    /// For references, such as a diagonal.
    Quiet,
    Good,
    Bad,
}

impl Ink {
    pub const COUNT: usize = 6;

    fn class(self) -> String {
        match self {
            Ink::Number(n) => format!("ink{}", n % Ink::COUNT),
            Ink::Quiet => "quiet".to_owned(),
            Ink::Good => "good".to_owned(),
            Ink::Bad => "bad".to_owned(),
        }
    }
}

/// Room for the title of a chart that stands alone, and around it.
const HEADING: f64 = 28.0;
const MARGIN: f64 = 12.0;

/// A chart as an SVG file that stands alone, under its title on a sheet of its own; it follows the reader's choice of light
/// or dark.
pub fn standalone(title: &str, chart: &impl Render) -> String {
    let drawing = chart.render().into_string();
    // The chart's own element becomes the file's root: it only lacks the namespace, the title and the style.
    let (head, body) = drawing.split_once('>').expect("a chart is one svg element");
    let head = widened(head).expect("a chart's view begins at 0 0");
    let (left, top) = (number(-MARGIN), number(-MARGIN - HEADING));
    let inside = html! {
        title { (title) } style { (PreEscaped(STYLE)) }
        rect x=(left) y=(top) width="100%" height="100%" rx="8" style="fill: var(--paper)" {}
        text x="0" y=(number(12.0 - HEADING)) style="font-weight: 600" { (title) }
    };
    format!("{head} xmlns=\"http://www.w3.org/2000/svg\">{}{body}\n", inside.into_string())
}

/// The opening of a chart's element with [`MARGIN`] around its view, and [`HEADING`] above it.
fn widened(head: &str) -> Option<String> {
    let (before, rest) = head.split_once("viewBox=\"0 0 ")?;
    let (size, after) = rest.split_once('"')?;
    let (width, height) = size.split_once(' ')?;
    let width: f64 = width.parse().ok()?;
    let height: f64 = height.parse().ok()?;
    let view = [-MARGIN, -MARGIN - HEADING, width + 2.0 * MARGIN, height + HEADING + 2.0 * MARGIN];
    Some(format!("{before}viewBox=\"{}\"{after}", view.map(number).join(" ")))
}

/// The root element of a chart `height` units high, which `label` describes to those who cannot see it.
fn root(height: f64, label: &str, inside: Markup) -> Markup {
    let view = format!("0 0 {WIDTH} {}", number(height));
    html! { svg.chart viewBox=(view) role="img" aria-label=(label) { (inside) } }
}

/// Words at (x, y); `anchor` is CSS' `start`, `middle` or `end`.
fn text(x: f64, y: f64, anchor: &str, class: &str, words: &str) -> Markup {
    html! { text x=(number(x)) y=(number(y)) text-anchor=(anchor) class=(class) { (words) } }
}

/// A coordinate with at most two decimals.
fn number(value: f64) -> String {
    let rounded = format!("{value:.2}");
    rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Units that `words` take at the charts' text size, on the safe side.
fn text_width(words: &str) -> f64 {
    7.8 * words.chars().count() as f64
}

/// `words`, with an ellipsis where they take more than `most` units.
fn shorten(words: &str, most: f64) -> String {
    let letters = (most / text_width("x")) as usize;
    if words.chars().count() <= letters {
        return words.to_owned();
    }
    words.chars().take(letters.saturating_sub(1)).chain(['…']).collect()
}

/// The same for words whose end tells them apart, as of `block4_conv1` and `block4_conv2`.
fn shorten_front(words: &str, most: f64) -> String {
    let turned: String = words.chars().rev().collect();
    shorten(&turned, most).chars().rev().collect()
}

/// A row of names with their colours from (x, y) on, in as many lines as they need; and the height that it takes.
fn legend(names: &[(Ink, &str)], left: f64, y: f64) -> (Markup, f64) {
    const LINE: f64 = 18.0;
    let mut at = (left, y);
    let mut entries = Vec::new();
    for &(ink, name) in names {
        let width = text_width(name) + 34.0;
        if at.0 > left && at.0 + width > WIDTH {
            at = (left, at.1 + LINE);
        }
        entries.push((ink, name, at));
        at.0 += width;
    }
    let drawn = html! {
        @for (ink, name, (x, y)) in entries {
            rect x=(number(x)) y=(number(y + 3.0)) width="12" height="4" rx="2" class={ "fill " (ink.class()) } {}
            (text(x + 17.0, y + 10.0, "start", "", name))
        }
    };
    (drawn, at.1 - y + LINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([1.0, 0.5, 12.345, -0.25].map(number), ["1", "0.5", "12.35", "-0.25"].map(str::to_owned));
    }

    #[test]
    fn long_words_end_in_an_ellipsis() {
        assert_eq!(shorten("cat", 100.0), "cat");
        assert_eq!(shorten("a very long name of a class", 78.0), "a very lo…");
    }

    #[test]
    fn a_standalone_chart_is_one_element_with_its_style() {
        let bars = Bars {
            parts: vec![],
            bars: vec![Bar::new("<b> & co", vec![1.0], "1 ms")],
            unit: "ms".into(),
            whole: None,
        };
        let file = standalone("Time & more", &bars);
        assert!(file.starts_with("<svg") && file.trim_end().ends_with("</svg>"), "{file}");
        assert!(file.contains("xmlns=") && file.contains("<title>Time &amp; more</title>"), "{file}");
        assert!(file.contains("&lt;b&gt; &amp; co") && !file.contains("<b>"), "{file}");
        assert!(file.contains("prefers-color-scheme: dark"), "{file}");
    }
}
