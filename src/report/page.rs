//! The page of a run: one HTML file that holds its style, its charts and its pictures.

use std::io::Write;
use std::path::Path;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::error::{Error, Result};
use crate::report::judge::Judged;
use crate::report::markup::line;
use crate::report::sections::{
    calibration, classes, confusion, curves, freeze, layers, losses, receipt, samples, setting, shares,
    summary,
};
use crate::report::svg;
use crate::weights::file;

/// Everything that the page shows. What a run does not know yet, or never will, is empty or `None`: the page then says
/// so in a line, or leaves that part out.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub title: String,
    pub summary: summary::Summary,
    pub setting: Vec<setting::Fact>,
    pub curves: curves::Curves,
    pub judged: Option<Judged>,
    /// One for each stage: which layers train, and what freezing saves.
    pub freeze: Vec<freeze::Stage>,
    pub layers: Option<layers::LayerTimes>,
    pub shares: Vec<shares::Share>,
    pub samples: Vec<samples::Sample>,
    pub receipt: receipt::Receipt,
}

/// The file of a run's folder that holds the page.
pub const FILE: &str = "report.html";

impl Report {
    /// The page.
    pub fn html(&self) -> String {
        document(&self.title, self.body())
    }

    /// Writes the page, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written; an older one then stays.
    pub fn write(&self, path: &Path) -> Result<()> {
        write(path, &self.html())
    }

    fn body(&self) -> Markup {
        html! {
            header { h1 { (self.title) } (summary::draw(&self.summary)) }
            (section("Learning curves", curves::draw(&self.curves)))
            @match &self.judged {
                Some(found) => (judged(found)),
                None => (section("Evaluation", line("Where images validate, the best checkpoint is judged on them when the run ends."))),
            }
            (section("What trains, and what freezing saves", freeze::draw(&self.freeze)))
            (section("Where the time goes", html! {
                (shares::draw(&self.shares))
                (layers::draw(self.layers.as_ref()))
            }))
            @if !self.samples.is_empty() { (section("After augmentation", samples::draw(&self.samples))) }
            @if !self.setting.is_empty() { (section("Setting", setting::draw(&self.setting))) }
            (section("Receipt", receipt::draw(&self.receipt)))
        }
    }
}

/// A whole page around `body`.
pub(super) fn document(title: &str, body: Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(svg::STYLE)) (PreEscaped(include_str!("page.css"))) }
            }
            body { main { (body) } }
        }
    };
    page.into_string()
}

pub(super) fn write(path: &Path, page: &str) -> Result<()> {
    file::replace(path, |out| out.write_all(page.as_bytes()).map_err(Error::io("write", path)))
}

/// How a network does: its mistakes, its confidence, and the images that it got most wrong.
pub(super) fn judged(judged: &Judged) -> Markup {
    let scores = &judged.scores;
    html! {
        (section("Which classes it confuses", html! {
            (line(&judged.on))
            div.charts { (confusion::draw(scores)) (classes::draw(&scores.classes)) }
        }))
        (section("How far its confidence can be trusted", calibration::draw(&scores.calibration)))
        @if !judged.losses.is_empty() { (section("Highest losses", losses::draw(&judged.losses))) }
    }
}

pub(super) fn section(title: &str, inside: Markup) -> Markup {
    html! { section { h2 { (title) } (inside) } }
}
