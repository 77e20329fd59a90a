//! The page of a run.

use maud::{Markup, html};

use crate::report::document::{Page, section};
use crate::report::judge::Judged;
use crate::report::markup::line;
use crate::report::sections::{
    calibration, classes, confusion, curves, freeze, layers, losses, receipt, samples, setting, shares,
    summary,
};

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

impl Page for Report {
    fn title(&self) -> &str {
        &self.title
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
