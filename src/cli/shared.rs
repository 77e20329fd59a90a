//! What every subcommand is given: the adapter, the memory, and whether people are spoken to.

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::gpu::Device;
use crate::gpu::adapter::Choice;
use crate::weights::fetch::cache_folder;
use crate::weights::file;

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
pub(super) fn bytes(text: &str) -> Result<u64, String> {
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
    fn sizes_take_units() {
        assert_eq!((bytes("2G"), bytes("600M"), bytes("17")), (Ok(2 << 30), Ok(600 << 20), Ok(17)));
        assert!(bytes("2X").is_err() && bytes("lots").is_err());
    }
}
