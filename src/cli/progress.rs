//! What a run shows: bars on a terminal, a table of its epochs, or a line of JSON for each.

use std::io::IsTerminal;

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use crate::error::Result;
use crate::graph::Store;
use crate::train::{EpochRow, Metrics, Observer, Stage, Watcher};

/// A bar over images with rate and time left; silent where there is no terminal or under `--quiet`.
pub fn bar(label: &str, images: usize, quiet: bool) -> ProgressBar {
    styled("{prefix:<9} {bar:30} {pos}/{len} images  {rate}{left}{msg}", label, images, quiet)
}

/// A bar over anything else, with the time left.
pub fn count(label: &str, all: usize, quiet: bool) -> ProgressBar {
    styled("{prefix:<9} {bar:30} {pos}/{len}  {left}", label, all, quiet)
}

fn styled(template: &str, label: &str, all: usize, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        if let Some(rate) = rate(state) {
            let _ = write!(out, "{rate:.1} images/s  ");
        }
    });
    let style = style.with_key("left", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        if rate(state).is_some() {
            let _ = write!(out, "left {:#}  ", HumanDuration(state.eta()));
        }
    });
    ProgressBar::new(all as u64).with_style(style).with_prefix(label.to_owned())
}

/// How many a second, once something is done.
fn rate(state: &ProgressState) -> Option<f64> {
    Some(state.per_sec()).filter(|rate| state.pos() > 0 && *rate > 0.0)
}

/// A spinner that names what is being done; silent where there is no terminal or under `--quiet`.
pub fn steps(quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    bar
}

/// Shows a run.
pub struct Watch {
    epochs: usize,
    images: usize,
    quiet: bool,
    json: bool,
    bars: MultiProgress,
    /// Over the epochs of the run; hidden where there is no terminal.
    run: ProgressBar,
    /// Over the images of the epoch under way, or of the features.
    epoch: Option<ProgressBar>,
    /// The epoch that is next, counted from 0.
    next: usize,
    header_is_due: bool,
}

impl Watch {
    /// Of a run over `epochs` epochs of `images` images, of which `next` are behind it.
    pub fn new((next, epochs): (usize, usize), images: usize, quiet: bool, json: bool) -> Watch {
        let bars = MultiProgress::new();
        let run = count("epochs", epochs, quiet);
        let run = if run.is_hidden() { run } else { bars.add(run) };
        Watch { epochs, images, quiet, json, bars, run, epoch: None, next, header_is_due: true }
    }

    fn open(&mut self, label: &str, images: usize) -> &ProgressBar {
        let (bars, quiet) = (&self.bars, self.quiet);
        self.epoch.get_or_insert_with(|| {
            let bar = bar(label, images, quiet);
            if bar.is_hidden() { bar } else { bars.insert(0, bar) }
        })
    }

    /// Opens the bar of the epoch that is next, so that its rate counts from the beginning.
    fn begin(&mut self) {
        let (label, images) = (format!("{}/{}", self.next + 1, self.epochs), self.images);
        self.run.set_position(self.next as u64);
        self.open(&label, images).tick();
    }

    fn close(&mut self) {
        if let Some(bar) = self.epoch.take() {
            bar.finish_and_clear();
        }
    }

    /// A line for people on stderr, above the bars.
    fn say(&self, line: &str) {
        if !self.quiet {
            self.bars.suspend(|| eprintln!("{line}"));
        }
    }

    fn result(&self, line: &str) {
        self.bars.suspend(|| println!("{line}"));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.close();
        self.run.finish_and_clear();
    }
}

impl Observer for Watch {
    fn step(&mut self, epoch: usize, done: usize, metrics: &Metrics) {
        let Some(bar) = &self.epoch else { return };
        // A run that lost its device may have gone back.
        bar.set_prefix(format!("{}/{}", epoch + 1, self.epochs));
        bar.set_position(done as u64);
        if metrics.samples() > 0 {
            bar.set_message(format!("loss {:.4} acc {:.3}", metrics.loss(), metrics.accuracy()));
        }
    }

    fn epoch(&mut self, _store: &Store, row: &EpochRow, best: bool) -> Result<()> {
        self.close();
        self.run.set_position(row.epoch as u64 + 1);
        let rate = self.images as f64 / row.seconds.max(1e-9);
        if self.json {
            let mut object = serde_json::json!(row);
            object["best"] = best.into();
            object["images_per_second"] = rate.into();
            self.result(&object.to_string());
        } else if !self.quiet {
            if std::mem::take(&mut self.header_is_due) {
                self.result(HEADER);
            }
            self.result(&line(row, self.epochs, rate, best));
        }
        self.next = row.epoch + 1;
        if self.next < self.epochs {
            self.begin();
        }
        Ok(())
    }
}

impl Watcher for Watch {
    fn stage(&mut self, stage: &Stage, first: usize) {
        self.close();
        self.say(&format!(
            "stage     epochs {} to {}, frozen: {}, rate {}",
            first + 1,
            first + stage.epochs,
            stage.freeze,
            stage.rate
        ));
    }

    fn features(&mut self, done: usize, images: usize) {
        self.open("features", images).set_position(done as u64);
    }

    fn cached(&mut self, about: &str) {
        self.close();
        self.say(&format!("cached    {about}"));
        self.begin();
    }
}

const HEADER: &str = "    epoch     loss     acc  val_loss  val_acc        rate  images/s";

/// `   3/20   0.9123  0.7012    1.0121   0.6944   1.000e-3      12.3  best`
fn line(row: &EpochRow, epochs: usize, images_per_second: f64, best: bool) -> String {
    let or_dash = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}"));
    let epoch = format!("{}/{epochs}", row.epoch + 1);
    format!(
        "{epoch:>9}  {:>7.4}  {:.4}  {:>8}  {:>7}  {:>10}  {images_per_second:>8.1}{}",
        row.loss,
        row.acc,
        or_dash(row.val_loss),
        or_dash(row.val_acc),
        format!("{:.3e}", row.lr),
        if best { "  best" } else { "" }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_stand_below_their_heads() {
        let row = EpochRow {
            epoch: 2,
            loss: 0.9123,
            acc: 0.7012,
            lr: 1e-3,
            val_acc: Some(0.5),
            ..EpochRow::default()
        };
        let line = line(&row, 20, 12.3, false);
        assert_eq!(line, "     3/20   0.9123  0.7012         -   0.5000    1.000e-3      12.3");
        assert_eq!(line.len(), HEADER.len());
    }
}
