//! `--tune`: kernels chosen by measuring them, for the commands that run a network.

use crate::cli::shared::Shared;
use crate::error::Result;
use crate::graph::{Graph, Store};
use crate::study::tune::{Finding, Known, Level, tune};
use crate::weights::fetch::cache_folder;

/// How kernels are chosen.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Kernels")]
pub struct TuneArgs {
    /// Time each layer's kernels first and take the fastest: off, quick or full. What is found is kept in the user's cache
    /// folder for this adapter and driver
    #[arg(long, value_name = "LEVEL", default_value = "off")]
    pub tune: Level,
}

impl TuneArgs {
    /// Adds the choices for `graph` to those of the store.
    ///
    /// # Errors
    /// The device is lost, or the cache folder cannot be written.
    pub fn apply(&self, graph: &Graph, store: &mut Store, shared: &Shared) -> Result<()> {
        if self.tune == Level::Off {
            return Ok(());
        }
        let device = store.device().clone();
        let mut known = Known::open(&device, &cache_folder()?);
        let choices = tune(&device, graph, store.precision, self.tune, &mut known, |key, finding| {
            shared.say(format_args!("tuned     {}", line(key, finding)));
        })?;
        known.save()?;
        store.choices.extend(choices);
        Ok(())
    }
}

/// `conv2d 14x14x64 -> 14x14x64 3x3x64x64 d_w: winograd4 (subgroup 1.92 ms, winograd4 1.20 ms)`
fn line(key: &str, finding: &Finding) -> String {
    let times: Vec<String> =
        finding.ms.iter().map(|(rung, ms)| format!("{} {ms:.2} ms", rung.name())).collect();
    format!("{key}: {} ({})", finding.rung.name(), times.join(", "))
}
