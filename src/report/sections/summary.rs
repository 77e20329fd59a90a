//! The first lines of the page: how far the run is, and its figures in large.

use maud::{Markup, html};

/// How far a run is and what it came to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Such as `epoch 3 of 10`, or `complete`.
    pub state: String,
    /// Figures with what they are, the most important first.
    pub figures: Vec<Figure>,
}

/// A number in large.
#[derive(Clone, Debug)]
pub struct Figure {
    pub value: String,
    pub what: String,
}

impl Figure {
    pub fn new(value: impl Into<String>, what: impl Into<String>) -> Figure {
        Figure { value: value.into(), what: what.into() }
    }
}

pub fn draw(summary: &Summary) -> Markup {
    html! {
        p.remark { (summary.state) }
        @if !summary.figures.is_empty() {
            div.figures {
                @for figure in &summary.figures { div { strong { (figure.value) } span { (figure.what) } } }
            }
        }
    }
}
