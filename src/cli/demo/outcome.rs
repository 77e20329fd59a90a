//! What the demo found, as text or as one JSON object.

use std::path::PathBuf;

use serde::Serialize;

/// What the demo found; `--json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    /// Validation accuracies, 0 to 1, each of the best epoch.
    pub pretrained: f64,
    pub fine_tuned: f64,
    pub random: f64,
    /// Share of the backward operations that the frozen base saves against nothing frozen, 0 to 1.
    pub gradient_work_skipped: f64,
    pub fine_tuned_gradient_work_skipped: f64,
    /// Planned device bytes of a training step, frozen base and nothing frozen.
    pub memory_bytes: u64,
    pub memory_bytes_nothing_frozen: u64,
    pub memory_saved: f64,
    pub seconds: f64,
    pub adapter: String,
    pub sheet: PathBuf,
}

impl Outcome {
    pub(super) fn print(&self, json: bool) {
        match json {
            true => println!("{}", serde_json::to_string(self).expect("plain data serialises")),
            false => self.print_text(),
        }
    }

    fn print_text(&self) {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let mib = |bytes: u64| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20));
        println!("\nvalidation accuracy (best epoch)");
        println!("  pretrained, base frozen      {}", percent(self.pretrained));
        println!("  pretrained, block 5 tuned    {}", percent(self.fine_tuned));
        println!("  random, base frozen          {}", percent(self.random));
        println!("gradient work skipped against nothing frozen");
        println!("  base frozen                  {}", percent(self.gradient_work_skipped));
        println!("  block 5 tuned                {}", percent(self.fine_tuned_gradient_work_skipped));
        println!(
            "device memory of a step        {} instead of {} ({} saved)",
            mib(self.memory_bytes),
            mib(self.memory_bytes_nothing_frozen),
            percent(self.memory_saved)
        );
        println!("predictions                    {}", self.sheet.display());
        println!("time                           {:.0} s on {}", self.seconds, self.adapter);
    }
}
