//! What a run shows: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use crate::error::Result;
use crate::graph::Store;
use crate::train::{EpochRow, Metrics, Observer};

/// A bar over images with rate and time left; silent where there is no terminal or under `--quiet`.
pub fn bar(label: &str, images: usize, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "{prefix:<9} {bar:30} {pos}/{len} images  {per_sec:.1}  left {eta}  {msg}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(images as u64)
        .with_style(style.with_key(
            "per_sec",
            |state: &indicatif::ProgressState, w: &mut dyn std::fmt::Write| {
                let _ = write!(w, "{:.1} images/s", state.per_sec());
            },
        ))
        .with_prefix(label.to_owned())
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

/// Shows a run and calls `save` after each epoch.
pub struct Watch<F> {
    pub epochs: usize,
    pub images: usize,
    pub quiet: bool,
    bar: Option<ProgressBar>,
    save: F,
}

impl<F: FnMut(&Store, &EpochRow, bool) -> Result<()>> Watch<F> {
    pub fn new(epochs: usize, images: usize, quiet: bool, save: F) -> Watch<F> {
        Watch { epochs, images, quiet, bar: None, save }
    }
}

impl<F: FnMut(&Store, &EpochRow, bool) -> Result<()>> Observer for Watch<F> {
    fn step(&mut self, epoch: usize, done: usize, metrics: &Metrics) {
        let bar = self
            .bar
            .get_or_insert_with(|| bar(&format!("{}/{}", epoch + 1, self.epochs), self.images, self.quiet));
        bar.set_position(done as u64);
        bar.set_message(format!("loss {:.4} acc {:.3}", metrics.loss(), metrics.accuracy()));
    }

    fn epoch(&mut self, store: &Store, row: &EpochRow, best: bool) -> Result<()> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if !self.quiet {
            println!("{}", line(row, self.epochs, self.images, best));
        }
        (self.save)(store, row, best)
    }
}

/// `epoch  3/20  loss 0.9123 acc 0.7012  val_loss 1.0121 val_acc 0.6944  12.3 images/s  best`
fn line(row: &EpochRow, epochs: usize, images: usize, best: bool) -> String {
    let width = epochs.to_string().len();
    let val = match (row.val_loss, row.val_acc) {
        (Some(loss), Some(acc)) => format!("  val_loss {loss:.4} val_acc {acc:.4}"),
        _ => String::new(),
    };
    let rate = images as f64 / row.seconds.max(1e-9);
    format!(
        "epoch {:>width$}/{epochs}  loss {:.4} acc {:.4}{val}  {rate:.1} images/s{}",
        row.epoch + 1,
        row.loss,
        row.acc,
        if best { "  best" } else { "" }
    )
}
