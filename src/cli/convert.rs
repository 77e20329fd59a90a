//! `frostline convert`: any weight file into any other.

use std::path::PathBuf;

use super::shared::Shared;
use crate::error::Result;
use crate::train::convert::convert;
use crate::weights;

#[derive(Debug, clap::Args)]
#[command(
    name = "convert",
    after_help = "Example: frostline convert runs/clipart8-vgg16-1/best.safetensors model.keras"
)]
pub struct Args {
    /// safetensors (torchvision's too), Keras .keras, .weights.h5 or .h5, or .npz
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// The file to write; its ending says what: .safetensors, .keras, .weights.h5 or .h5
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    let mut source = weights::open(&args.input)?;
    let format = source.format();
    let done = convert(source.as_mut(), &args.output)?;
    shared.say(format_args!("read      {} ({format})", args.input.display()));
    let state = match done.slots {
        0 => String::new(),
        slots => format!(", and {slots} tensors of the optimizer's state"),
    };
    println!(
        "wrote     {} ({}): {} tensors, {} values{state}",
        args.output.display(),
        done.kind,
        done.tensors,
        done.values
    );
    done.left_out.iter().for_each(|what| shared.say(format_args!("left out  {what}")));
    Ok(())
}
