//! The confusion matrix: which classes are taken for which.

use maud::{Markup, html};

use crate::report::markup::line;
use crate::report::svg::{Cell, Heat, Ink};
use crate::train::scores::Scores;

/// Beyond this many classes the matrix is a cloud of dots that nobody reads.
const MOST_CLASSES: usize = 120;
const PAIRS: usize = 5;

pub fn draw(scores: &Scores) -> Markup {
    let classes = scores.classes.len();
    html! {
        div {
            @if classes <= MOST_CLASSES { (heat(scores)) }
            @else { (line(&format!("A matrix of {classes} classes is too large to show."))) }
            (pairs(scores))
        }
    }
}

fn heat(scores: &Scores) -> Heat {
    let names: Vec<String> = scores.classes.iter().map(|class| class.class.clone()).collect();
    let cell = |i: usize| {
        let (truth, guess) = (i / names.len(), i % names.len());
        let (count, of) = (scores.confusion[truth][guess], scores.classes[truth].images);
        Cell {
            shade: count as f64 / of.max(1) as f64,
            ink: if truth == guess { Ink::Good } else { Ink::Bad },
            words: if count == 0 { String::new() } else { count.to_string() },
            hint: format!("{}: {count} of {of} taken for {}", names[truth], names[guess]),
        }
    };
    Heat {
        row_label: "shown".into(),
        column_label: "taken for".into(),
        cells: (0..names.len() * names.len()).map(cell).collect(),
        rows: names.clone(),
        columns: names,
    }
}

fn pairs(scores: &Scores) -> Markup {
    let worst = scores.confused.iter().take(PAIRS).enumerate();
    html! {
        @if scores.confused.is_empty() { (line("No image was taken for another class.")) } @else {
            p.remark {
                "Most often taken for another: "
                @for (i, pair) in worst {
                    @if i > 0 { ", " }
                    b { (pair.truth) } " for " b { (pair.guess) } " (" (pair.images) ")"
                }
                "."
            }
        }
    }
}
