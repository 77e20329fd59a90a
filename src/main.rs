//! Parse, call one function, print errors.

use std::io::Write;
use std::panic::PanicHookInfo;

use clap::Parser;
use frostline::cli::Cli;
use frostline::cli::options::presets;

fn main() -> std::process::ExitCode {
    quiet_layers();
    std::panic::set_hook(Box::new(tell));
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

/// A panic is a bug, and is told as one. Not so where an image's decoder gave up, which is caught and told as the
/// image's damage, and where the reader of the output has gone, as in `frostline predict ... | head`.
fn tell(panic: &PanicHookInfo) {
    let reason = panic.payload();
    let reason =
        reason.downcast_ref::<String>().map(String::as_str).or(reason.downcast_ref::<&str>().copied());
    let reason = reason.unwrap_or("no reason given");
    if reason.contains("Broken pipe") {
        std::process::exit(141);
    }
    if std::thread::current().name().is_some_and(|name| name.starts_with("decode-")) {
        return;
    }
    let place = panic.location().map_or(String::new(), |place| format!(" ({place})"));
    let _ = writeln!(
        std::io::stderr(),
        "error: this is a bug in Frostline: {reason}{place}; please report it with the command that you typed"
    );
}
