//! The command line: parse, call one function per subcommand, print.

pub mod augment;
pub mod bench;
pub mod check;
pub mod completions;
pub mod convert;
pub mod demo;
pub mod doctor;
pub mod eval;
pub mod explain;
pub mod features;
pub mod fetch;
pub mod inspect;
pub mod kernel;
pub mod lr_find;
pub mod options;
pub mod plan;
pub mod predict;
pub mod profile;
pub mod progress;
pub mod reporting;
pub mod run_folder;
pub mod show;
pub mod step;
pub mod sweep;
pub mod train;
pub mod watch;

use std::path::Path;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::error::{Error, Result};
use crate::gpu::Device;
use crate::gpu::adapter::Choice;
use crate::weights::fetch::cache_folder;
use crate::weights::file;

/// Transfer learning on any GPU: a folder of images in, a trusted model out.
#[derive(Debug, Parser)]
#[command(name = "frostline", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub shared: Shared,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every subcommand.
#[derive(Clone, Debug, clap::Args)]
pub struct Shared {
    /// Adapter to use: part of its NAME, its INDEX in 'frostline doctor', or 'cpu' for the software driver
    #[arg(long, global = true, env = "FROSTLINE_ADAPTER", default_value = "auto")]
    pub adapter: String,
    /// Most device memory to take, such as 2G or 600M [default: 80 % of the memory that is available, or 90 % of what
    /// a GPU's driver grants]
    #[arg(long, global = true, value_parser = bytes)]
    pub memory: Option<u64>,
    /// Print only results and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List adapters and what they can do; say which one is chosen and why
    Doctor(doctor::Args),
    /// Prove that this machine computes rightly: every kernel against its reference, twice, between guard words
    Check(check::Args),
    /// Print what a training setting computes, skips and keeps, layer by layer, without a device
    Plan(plan::Args),
    /// Print every gradient of a training setting, computed or skipped, and why; as text, picture or comparison
    Explain(explain::Args),
    /// Look at the kernels; prove and time an edited one
    Kernel(kernel::Args),
    /// Pictures of what a network has learnt and of what it looks at
    Show(show::Args),
    /// Take one training step apart: every layer's result and every gradient
    Step(step::Args),
    /// How far the features of each layer carry over: accuracy for each point up to which the base is frozen
    Sweep(sweep::Args),
    /// Train on a folder of images
    Train(Box<train::Args>),
    /// Find the learning rates that a setting bears, with a plot
    LrFind(lr_find::Args),
    /// Measure a checkpoint on a folder of images
    Eval(eval::Args),
    /// Classify images with a checkpoint
    Predict(predict::Args),
    /// Write what a layer makes of a folder of images to a file
    Features(features::Args),
    /// Draw what augmentation makes of an image, as a contact sheet
    Augment(augment::Args),
    /// Serve the page of a run while it goes on
    Watch(watch::Args),
    /// Download the official VGG weights into the cache, where '--weights imagenet' finds them
    Fetch(fetch::Args),
    /// Write a weight file as another kind: safetensors, Keras .keras, .weights.h5 or .h5
    Convert(convert::Args),
    /// Show what is in a weight file, tensor by tensor
    Inspect(inspect::Args),
    /// Time kernels and whole steps on this adapter, each compared with its reference first
    Bench(bench::Args),
    /// Time every dispatch of a training run, by layer and part
    Profile(profile::Args),
    /// Fine-tune the shipped VGG16 on the shipped clip art and compare with random weights
    Demo(demo::Args),
    /// Print the completions of a shell
    Completions(completions::Args),
}

impl Cli {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// Whatever went wrong, in one or two lines that say what to do.
    pub fn run(&self) -> Result<()> {
        let shared = &self.shared;
        match &self.command {
            Command::Doctor(args) => doctor::run(args, &shared.choice()),
            Command::Check(args) => check::run(args, shared),
            Command::Plan(args) => plan::run(args, shared),
            Command::Explain(args) => explain::run(args, shared),
            Command::Kernel(args) => kernel::run(args, shared),
            Command::Show(args) => show::run(args, shared),
            Command::Step(args) => step::run(args, shared),
            Command::Sweep(args) => sweep::run(args, shared),
            Command::Train(args) => train::run(args, shared),
            Command::LrFind(args) => lr_find::run(args, shared),
            Command::Eval(args) => eval::run(args, shared),
            Command::Predict(args) => predict::run(args, shared),
            Command::Features(args) => features::run(args, shared),
            Command::Augment(args) => augment::run(args, shared),
            Command::Watch(args) => watch::run(args, shared),
            Command::Fetch(args) => fetch::run(args, shared),
            Command::Convert(args) => convert::run(args, shared),
            Command::Inspect(args) => inspect::run(args),
            Command::Bench(args) => bench::run(args, shared),
            Command::Profile(args) => profile::run(args, shared),
            Command::Demo(args) => demo::run(args, shared),
            Command::Completions(args) => completions::run(args),
        }
    }
}

impl Shared {
    pub fn choice(&self) -> Choice {
        self.adapter.parse().unwrap_or_default()
    }

    /// Opens the adapter, saying which unless `--quiet`.
    ///
    /// # Errors
    /// No adapter fits.
    pub fn open(&self) -> Result<Arc<Device>> {
        let mut device = Device::open(&self.choice())?;
        if let Ok(folder) = cache_folder() {
            device.keep_pipelines(&folder);
        }
        self.say(format_args!("adapter   {} ({})", device.info(), device.why()));
        Ok(Arc::new(device))
    }

    /// Bytes that a run may take of this device.
    pub fn budget(&self, device: &Device) -> u64 {
        device.budget(self.memory)
    }

    /// Prints a line for people; nothing under `--quiet`.
    pub fn say(&self, line: std::fmt::Arguments) {
        if !self.quiet {
            eprintln!("{line}");
        }
    }
}

/// Writes a text file, whole or not at all, in a folder that is made where it is missing.
///
/// # Errors
/// The file or its folder cannot be written.
pub fn save(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
    }
    file::replace_by(path, text.as_bytes())
}

/// `2G`, `600M`, `4096`: bytes with a binary suffix.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KIB" | "KB" => 10,
        "M" | "MIB" | "MB" => 20,
        "G" | "GIB" | "GB" => 30,
        other => return Err(format!("unknown unit '{other}'; use K, M or G, as in 2G")),
    };
    let number: u64 =
        digits.parse().map_err(|_| "give a whole number with K, M or G, as in 2G".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    /// `tests/examples.rs` runs the ones that end by themselves.
    #[test]
    fn every_help_has_an_example_that_parses() {
        use clap::CommandFactory;
        let command = Cli::command();
        let below = command.get_subcommands().flat_map(clap::Command::get_subcommands);
        for subcommand in command.get_subcommands().chain(below) {
            let name = subcommand.get_name();
            let help = subcommand.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = help.strip_prefix("Example: ").unwrap_or_else(|| panic!("{name} has no example"));
            let words = example.split_whitespace().take_while(|word| *word != ">");
            let words: Vec<&str> = words.collect();
            assert!(words[1..3].contains(&name), "{example}");
            Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{example}\n{error}"));
        }
    }

    #[test]
    fn sizes_take_units() {
        assert_eq!((bytes("2G"), bytes("600M"), bytes("17")), (Ok(2 << 30), Ok(600 << 20), Ok(17)));
        assert!(bytes("2X").is_err() && bytes("lots").is_err());
    }
}
