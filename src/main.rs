//! Parse, call one function, print errors.

use clap::Parser;
use frostline::cli::{Cli, presets};

fn main() -> std::process::ExitCode {
    quiet_layers();
    match Cli::parse_from(presets::expand(std::env::args_os().collect())).run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

/// Mesa's device-select layer asks for a display and complains on stderr where there is none; nothing here draws.
fn quiet_layers() {
    if std::env::var_os("NODEVICE_SELECT").is_none() {
        // SAFETY: nothing else runs yet that could read the environment at the same time.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}
