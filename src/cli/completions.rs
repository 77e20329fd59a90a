//! `frostline completions`: what a shell needs to complete this command line.

use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;
use crate::error::Result;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: frostline completions bash > ~/.local/share/bash-completion/completions/frostline"
)]
pub struct Args {
    /// The shell
    pub shell: Shell,
}

/// # Errors
/// None; the signature is that of every subcommand.
pub fn run(args: &Args) -> Result<()> {
    clap_complete::generate(args.shell, &mut Cli::command(), "frostline", &mut std::io::stdout());
    Ok(())
}
