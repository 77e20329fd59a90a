//! The page of an evaluation alone.

use maud::{Markup, html};

use crate::report::document::{Page, section};
use crate::report::judge::Judged;
use crate::report::page::judged;
use crate::report::sections::setting::{self, Fact};
use crate::report::sections::summary::{self, Figure, Summary};

/// How a model does on a folder of images.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub title: String,
    pub judged: Judged,
    pub setting: Vec<Fact>,
}

impl Page for Verdict {
    fn title(&self) -> &str {
        &self.title
    }

    fn body(&self) -> Markup {
        html! {
            header { h1 { (self.title) } (summary::draw(&self.summary())) }
            (judged(&self.judged))
            (section("Setting", setting::draw(&self.setting)))
        }
    }
}

impl Verdict {
    fn summary(&self) -> Summary {
        let scores = &self.judged.scores;
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        Summary {
            state: format!("{} images of {} classes.", scores.images, scores.classes.len()),
            figures: vec![
                Figure::new(percent(scores.accuracy), "accuracy"),
                Figure::new(percent(scores.top_k), format!("the class is among the first {}", scores.k)),
                Figure::new(format!("{:.3}", scores.macro_f1), "F1, averaged over the classes"),
                Figure::new(format!("{:.3}", scores.loss), "loss"),
            ],
        }
    }
}
