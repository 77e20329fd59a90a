//! `frostline fetch`: the official weights into the user's cache.

use std::cell::OnceCell;
use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use super::shared::Shared;
use crate::error::Result;
use crate::weights::fetch::fetch;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: frostline fetch vgg19")]
pub struct Args {
    /// vgg16 or vgg19
    pub model: String,
    /// With the dense layers that tell ImageNet's 1000 classes
    #[arg(long)]
    pub top: bool,
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    let bar = OnceCell::new();
    let path = fetch(&args.model, args.top, &mut |have, total| {
        bar.get_or_init(|| bytes_bar(&args.model, total, shared.quiet)).set_position(have);
    })?;
    if let Some(bar) = bar.get() {
        bar.finish_and_clear();
    }
    println!("{}", path.display());
    shared.say(format_args!("try       frostline train DATA --model {} --weights imagenet", args.model));
    Ok(())
}

/// A bar over bytes with rate and time left; silent where there is no terminal or under `--quiet`.
fn bytes_bar(label: &str, total: Option<u64>, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = match total {
        Some(_) => "{prefix:<9} {bar:30} {bytes} of {total_bytes}  {bytes_per_sec}  left {eta}",
        None => "{prefix:<9} {spinner} {bytes}  {bytes_per_sec}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    bar.with_style(style).with_prefix(label.to_owned())
}
