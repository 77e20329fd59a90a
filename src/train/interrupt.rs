//! Ctrl-C and termination: noticed between steps, so that a step is finished and saved.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

static ASKED: AtomicBool = AtomicBool::new(false);

/// From now on the first Ctrl-C (or termination signal) asks the run to stop, and a second one ends the process.
pub fn listen() {
    let handler = || {
        if ASKED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    };
    // A second call of `listen`, as in tests, finds the handler installed; that is what it wants.
    let _ = ctrlc::set_handler(handler);
}

/// Whether somebody asked the run to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// # Errors
/// Somebody asked the run to stop; `epoch` counts from 0.
pub fn check(epoch: usize) -> Result<()> {
    match asked() {
        true => Err(Error::Interrupted(format!("stopped in epoch {}", epoch + 1))),
        false => Ok(()),
    }
}
