//! A flame: what a whole is made of, level by level, each part as wide as its share.

use maud::{Markup, Render, html};

use super::{Ink, number, shorten, shorten_front, text_width};

/// A part of the whole, and the parts that it is made of in turn.
#[derive(Clone, Debug)]
pub struct Flame {
    pub name: String,
    /// What the widths measure.
    pub value: f64,
    /// Shown when the pointer rests on it.
    pub words: String,
    pub ink: Ink,
    /// Their values add up to this one's at most.
    pub parts: Vec<Flame>,
}

/// Wider than other charts: a flame has many parts side by side.
const WIDTH: f64 = 1200.0;
const LEVEL: f64 = 24.0;
/// Narrower parts are not drawn.
const LEAST: f64 = 0.5;

impl Render for Flame {
    fn render(&self) -> Markup {
        let view = format!("0 0 {WIDTH} {}", number(self.levels() as f64 * LEVEL));
        html! {
            svg.chart viewBox=(view) style="max-width: none" role="img" aria-label=(self.words) {
                (self.draw(0.0, 0.0, WIDTH / self.value.max(f64::MIN_POSITIVE)))
            }
        }
    }
}

impl Flame {
    fn levels(&self) -> usize {
        1 + self.parts.iter().map(Flame::levels).max().unwrap_or(0)
    }

    /// What fits of the name: of several words the beginning, of a layer's or a kernel's name the end.
    fn label(&self, most: f64) -> String {
        let cut = if self.name.contains(' ') { shorten } else { shorten_front };
        cut(&self.name, most)
    }

    fn draw(&self, x: f64, y: f64, scale: f64) -> Markup {
        let width = self.value * scale;
        let mut left = x;
        let starts = self.parts.iter().map(|part| {
            let start = left;
            left += part.value * scale;
            (part, start)
        });
        let starts: Vec<(&Flame, f64)> = starts.collect();
        html! {
            @if width >= LEAST {
                g {
                    title { (self.words) }
                    rect x=(number(x)) y=(number(y)) width=(number((width - 1.0).max(LEAST)))
                        height=(number(LEVEL - 1.0)) rx="2" class={ "fill " (self.ink.class()) } {}
                    @if width > text_width("xxxxx") {
                        text.inverse x=(number(x + 4.0)) y=(number(y + 16.0)) {
                            (self.label(width - 6.0))
                        }
                    }
                }
                @for (part, start) in starts { (part.draw(start, y + LEVEL, scale)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(name: &str, value: f64) -> Flame {
        Flame {
            name: name.into(),
            value,
            words: format!("{name} {value}"),
            ink: Ink::Number(0),
            parts: vec![],
        }
    }

    #[test]
    fn parts_lie_side_by_side_below_their_whole_and_slivers_are_left_out() {
        let parts = vec![leaf("left", 3.0), leaf("right", 1.0), leaf("sliver", 1e-6)];
        let flame = Flame { parts, ..leaf("whole", 4.0) };
        let drawn = flame.render().into_string();
        assert!(drawn.contains("viewBox=\"0 0 1200 48\""), "{drawn}");
        assert!(drawn.contains("x=\"900\" y=\"24\" width=\"299\""), "{drawn}");
        assert!(drawn.contains(">left</text>") && !drawn.contains("sliver"), "{drawn}");
    }
}
