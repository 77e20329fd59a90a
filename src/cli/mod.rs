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
pub mod shared;
pub mod show;
pub mod step;
pub mod sweep;
pub mod train;
pub mod watch;

use clap::{Parser, Subcommand};

use self::shared::Shared;
use crate::error::Result;

/// Transfer learning on any GPU: a folder of images in, a trusted model out.
#[derive(Debug, Parser)]
#[command(name = "frostline", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub shared: Shared,
    #[command(subcommand)]
    pub command: Command,
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
}
