//! Precision, recall, F1 and AUC of each class.

use maud::{Markup, html};

use crate::report::markup::table;
use crate::train::scores::ClassScores;

pub fn draw(classes: &[ClassScores]) -> Markup {
    let rows = classes.iter().map(|class| {
        vec![
            html! { (class.class) },
            html! { (class.images) },
            share(class.precision),
            share(class.recall),
            share(class.f1),
            share(class.auc),
        ]
    });
    table(&["class", "images", "precision", "recall", "F1", "AUC"], 1, rows.collect())
}

fn share(value: Option<f64>) -> Markup {
    html! { @match value { Some(value) => (format!("{value:.3}")), None => "–" } }
}
