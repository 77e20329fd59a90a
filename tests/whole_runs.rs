//! What a whole run takes of the machine's memory: the peak of the process beside what the run said it had planned.
//! On an adapter that shares the machine's memory that holds all of it: the device's, the images', the driver's.
//! `FROSTLINE_FULL=1` adds the recipe at its real sizes.
#![cfg(target_os = "linux")]

mod cli_support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use cli_support::program;
use tempfile::TempDir;

const MIB: u64 = 1 << 20;
/// What a process may take beyond what was planned: the driver and its compiler, decoders, staging buffers.
const BESIDE: u64 = 400 * MIB;

/// What a run said and took, in bytes.
struct Taken {
    said: String,
    planned: u64,
    peak: u64,
}

/// Runs the command to its end, and asks the system all the time for the most that the process has held.
fn taken(mut command: Command) -> Taken {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(high_water(&status));
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let planned = planned(&said).unwrap_or_else(|| panic!("no plan in: {said}"));
    println!("planned {} MiB, peak {} MiB", planned / MIB, peak / MIB);
    Taken { said, planned, peak }
}

/// Bytes of "memory    1.5 GiB planned and 512.0 MiB for results of the frozen part, of 2.0 GiB", of both together; the
/// second part may be missing.
fn planned(said: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.strip_prefix("memory    "))?;
    let planned = line.split_once(", of ")?.0;
    planned.split(" and ").map(bytes).sum()
}

/// Bytes of "65.9 MiB", or of GiB, at the beginning of `text`.
fn bytes(text: &str) -> Option<u64> {
    let mut words = text.split(' ');
    let (number, unit) = (words.next()?.parse::<f64>().ok()?, words.next()?);
    let (_, bytes) = [("MiB", MIB), ("GiB", MIB << 10)].into_iter().find(|(name, _)| *name == unit)?;
    Some((number * bytes as f64) as u64)
}

/// Bytes; 0 of a process that has just ended.
fn high_water(status: &Path) -> u64 {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10)
}

fn train(data: &Path, out: &TempDir, options: &str) -> Command {
    let mut command = program();
    command.arg("train").arg(data).args(options.split_whitespace());
    command.args(["--weights", "none", "--cache-limit", "0", "--out"]).arg(out.path().join("run"));
    command
}

fn clipart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/clipart8")
}

/// Nine million parameters, their gradients and Adam's two states, and activations of sixteen images.
#[test]
fn a_run_takes_what_it_planned_and_400_mib_at_most() {
    let out = tempfile::tempdir().unwrap();
    let options = "--model vgg11 --input 64 --pool avg --freeze none --batch 16 --limit-images 16 --epochs 1";
    let Taken { planned, peak, said } = taken(train(&clipart(), &out, options));
    assert!(planned > 200 * MIB, "{said}");
    assert!((planned..planned + BESIDE).contains(&peak), "{peak} of {planned} bytes: {said}");
}

/// The results of the frozen block would take 336 MiB, 1 MiB an image. The budget has no room for them.
#[test]
fn kept_results_count_against_the_budget() {
    let out = tempfile::tempdir().unwrap();
    let options = "--layers conv64,pool,conv4,pool,conv4,pool --freeze-until block1_pool --input 128 --pool avg \
                   --batch 8 --epochs 1 --memory 100M";
    let Taken { planned, peak, said } = taken(train(&clipart(), &out, options));
    assert!(planned < 100 * MIB && peak < planned + BESIDE, "{peak} of {planned} bytes: {said}");
}

/// 64 images of noise in 16 classes.
fn generated(folder: &Path, side: u32) {
    for i in 0..64u32 {
        let class = folder.join(format!("class{:02}", i % 16));
        std::fs::create_dir_all(&class).unwrap();
        let noise = |x: u32, y: u32, c: u32| {
            (x.wrapping_mul(31) ^ y.wrapping_mul(17) ^ (i * 3 + c).wrapping_mul(2_654_435_761)) as u8
        };
        let picture =
            image::RgbImage::from_fn(side, side, |x, y| image::Rgb([0, 1, 2].map(|c| noise(x, y, c))));
        picture.save(class.join(format!("{i}.png"))).unwrap();
    }
}

/// The post's recipe: VGG19 at 256x256, `layers[:5]` frozen, a head of 1024-1024-16, two steps of 16 images.
#[test]
fn the_recipe_at_its_real_size() {
    if std::env::var_os("FROSTLINE_FULL").is_none() {
        return println!("skipped: takes 2.4 GiB and some minutes; FROSTLINE_FULL=1 runs it");
    }
    let (data, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    generated(data.path(), 256);
    let options = "--model vgg19 --input 256 --batch 16 --freeze 5 --head 1024,1024 --epochs 1 --val-fraction 0.5 \
                   --lr 0.0001 --memory 2G";
    let Taken { planned, peak, said } = taken(train(data.path(), &out, options));
    println!("{said}");
    assert!(said.contains("32 images to train on, 32 to validate"), "{said}");
    assert!(planned <= 2048 * MIB && peak < planned + BESIDE, "{peak} of {planned} bytes: {said}");
}
