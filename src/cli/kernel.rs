//! `frostline kernel`: look at the kernels, and try an edited one.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Subcommand;

use super::shared::Shared;
use crate::error::{Error, Result};
use crate::gpu::{Device, Edit};
use crate::study::kernels::{self, File};
use crate::study::lab;
use crate::study::roofline::Roofline;
use crate::train::interrupt;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: frostline kernel show gemm_tiled > mine.wgsl\nEdit it, then: frostline kernel try mine.wgsl --kernel gemm_tiled --op dense"
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the kernels: files, entry points, and which op calls them on which rung
    #[command(after_help = "Example: frostline kernel list")]
    List {
        /// One JSON object instead of the table
        #[arg(long)]
        json: bool,
    },
    /// Print a kernel's file; edit a copy of it and try it
    #[command(after_help = "Example: frostline kernel show gemm_tiled > mine.wgsl")]
    Show {
        /// A name from 'frostline kernel list'
        name: String,
        /// The whole module with its constants and pieces, as the driver gets it
        #[arg(long, conflicts_with = "spirv")]
        module: bool,
        /// The whole module as SPIR-V binary, for 'spirv-dis' or a file
        #[arg(long)]
        spirv: bool,
    },
    /// Prove an edited kernel against the reference, in checked mode, then time it beside the shipped rungs
    Try(TryArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: frostline kernel try mine.wgsl --kernel gemm_tiled --op dense --watch")]
pub struct TryArgs {
    /// The edited WGSL
    pub file: PathBuf,
    /// The op that runs it, such as conv2d, or 'rules' for an optimizer's
    #[arg(long)]
    pub op: String,
    /// The kernel that it takes the place of [default: the name of FILE]
    #[arg(long, value_name = "NAME")]
    pub kernel: Option<String>,
    /// Only cases whose name contains this, such as 8x16x16x256
    #[arg(long, default_value = "")]
    pub case: String,
    /// Prove only, time nothing
    #[arg(long)]
    pub no_time: bool,
    /// Try again whenever FILE is saved, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    let device = Device::open(&shared.choice())?;
    let files = kernels::catalogue(device.caps());
    match &args.command {
        Command::List { json } => list(&files, *json),
        Command::Show { name, module, spirv } => {
            let file = kernels::find(&files, name)?;
            let kernel = &file.kernels[0];
            match (module, spirv) {
                (true, _) => print!("{}", kernel.wgsl(0, device.caps().immediates > 0)),
                (_, true) => binary(&kernels::spirv(kernel)?)?,
                _ => print!("{}", file.source),
            }
        }
        Command::Try(args) if args.watch => return watch(args, shared, &device, &files),
        Command::Try(args) => return attempt(args, shared, &device, &files),
    }
    Ok(())
}

/// Writes words of SPIR-V to standard output, which must not be a terminal.
fn binary(words: &[u32]) -> Result<()> {
    let mut out = std::io::stdout();
    if out.is_terminal() {
        return Err(Error::Usage("SPIR-V is binary; append '| spirv-dis' or '> FILE.spv'".into()));
    }
    out.write_all(bytemuck::cast_slice(words)).map_err(Error::io("write", Path::new("standard output")))
}

fn list(files: &[File], json: bool) {
    if json {
        println!("{}", serde_json::to_string_pretty(files).expect("plain data serialises"));
        return;
    }
    println!("{:<32} used by", "kernel");
    for file in files.iter().filter(|file| !file.piece) {
        let parts = |(user, parts): (&String, &BTreeSet<&str>)| {
            format!("{user} ({})", parts.iter().copied().collect::<Vec<_>>().join(", "))
        };
        println!("{:<32} {}", file.name, file.users.iter().map(parts).collect::<Vec<_>>().join("; "));
    }
    println!("\npieces that stand in front of kernels");
    for file in files.iter().filter(|file| file.piece) {
        let kernels: BTreeSet<&str> = file.kernels.iter().map(|kernel| kernel.file).collect();
        println!("{:<32} {}", file.name, kernels.into_iter().collect::<Vec<_>>().join(", "));
    }
}

fn attempt(args: &TryArgs, shared: &Shared, device: &Device, files: &[File]) -> Result<()> {
    let text = std::fs::read_to_string(&args.file).map_err(Error::io("read", &args.file))?;
    let stem = args.file.file_stem().unwrap_or_default().to_string_lossy();
    let name = args.kernel.as_deref().unwrap_or(&stem);
    let file = kernels::find(files, name).map_err(|error| match (&args.kernel, error) {
        (None, Error::Usage(what)) => {
            Error::Usage(format!("{what}; say which one it replaces with --kernel NAME"))
        }
        (_, error) => error,
    })?;
    let (edit, path) = (Edit::new(name, &text), args.file.display());
    shared.say(format_args!("trying    {path} as {name}"));
    lab::compile(&edit, file, &path.to_string())?;
    let report = lab::check(device, &edit, &args.op, &args.case)?.run(device, |_| ());
    print!("{report}");
    let (failed, all) = (report.failures().count(), report.cases());
    if failed > 0 {
        return Err(Error::Usage(format!(
            "wrong in {failed} of {all} cases: {path} is timed once it is right"
        )));
    }
    if args.no_time {
        return Ok(());
    }
    let roofline = Roofline::measure(device)?;
    println!("\nroofline  {roofline}");
    let races = lab::race(device, &roofline, &edit, &args.op, &args.case)?;
    races.iter().for_each(|race| print!("\n{race}"));
    if races.is_empty() {
        println!("\nnothing to time: no case of the benches runs what {path} changes");
    }
    Ok(())
}

/// Tries again after each save; what fails is printed, and the watch goes on.
fn watch(args: &TryArgs, shared: &Shared, device: &Device, files: &[File]) -> Result<()> {
    interrupt::listen();
    let mut seen = None;
    while !interrupt::asked() {
        let saved = modified(&args.file);
        if saved != seen {
            seen = saved;
            if let Err(error) = attempt(args, shared, device, files) {
                println!("error: {error}");
            }
            shared.say(format_args!("watching  {}; save it to try again, Ctrl-C ends", args.file.display()));
        }
        std::thread::sleep(Duration::from_millis(150));
    }
    Ok(())
}

fn modified(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|about| about.modified()).ok()
}
