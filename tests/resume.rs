//! A run that is killed at any moment, and taken up again, ends with the bits of a run that nobody disturbed.

mod cli_support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use cli_support::{noise, program, tensors};
use frostline::train::{Checkpoint, History};
use tempfile::TempDir;

/// Two classes of coloured noise, nine images each.
fn data() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (class, tint) in [("cold", 2), ("warm", 0)] {
        let to = folder.path().join(class);
        std::fs::create_dir_all(&to).unwrap();
        for i in 0..9u32 {
            noise(i, tint, 20).save(to.join(format!("{i}.png"))).unwrap();
        }
    }
    std::fs::write(folder.path().join("warm/broken.png"), b"not a picture").unwrap();
    folder
}

/// Everything that a run could forget: two stages, a schedule, a plateau, patience, dropout, momentum, an unreadable
/// image, batches that do not divide the epoch.
fn train(data: &Path, out: &Path) -> Command {
    let mut command = program();
    command.arg("train").arg(data).arg("--out").arg(out).arg("--quiet");
    command.args(["--layers", "conv8,pool,conv12,pool", "--weights", "none", "--input", "32", "--head", "8"]);
    command.args(["--dropout", "0.5", "--batch", "4", "--seed", "3", "--optimizer", "adam", "--lr", "0.003"]);
    command.args(["--stages", "head:3,block2:4@0.002,all:5", "--schedule", "one-cycle", "--plateau", "2"]);
    command.args(["--patience", "4", "--block-factor", "0.5", "--warm-up", "0.5", "--save-every", "0"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn resume(out: &Path) -> Command {
    let mut command = program();
    command.args(["train", "--quiet", "--resume"]).arg(out).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// All bits that a run ends with: each tensor of its last checkpoint, the optimizer's among them, the best checkpoint as
/// a file, and the history without its clock.
#[derive(PartialEq)]
struct End {
    last: Vec<(String, Vec<u32>)>,
    best: Vec<u8>,
    history: Vec<String>,
}

fn end(run: &Path) -> End {
    let lines = std::fs::read_to_string(run.join("history.csv")).unwrap();
    let without_clock = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        [&fields[..4], &fields[5..]].concat().join(",")
    };
    End {
        last: tensors(&run.join("last.safetensors")),
        best: std::fs::read(run.join("best.safetensors")).unwrap(),
        history: lines.lines().map(without_clock).collect(),
    }
}

/// A generator of times: which ones does not matter, only that they differ.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// `FROSTLINE_KILLS` sets how many times; the suite does few.
#[test]
fn killed_at_random_times_it_ends_with_the_unbroken_runs_bits() {
    killed_at_random_times("f32", std::env::var("FROSTLINE_KILLS").map_or(6, |text| text.parse().unwrap()));
}

/// What loss scaling keeps is no less part of a run.
#[test]
fn killed_in_half_precision_it_ends_with_the_unbroken_runs_bits() {
    killed_at_random_times("f16", 2);
}

fn killed_at_random_times(precision: &str, wanted: u32) {
    let scratch = |name: &str| scratch(&format!("{name}-{precision}"));
    let precision = ["--precision", precision];
    let folder = data();
    let unbroken = ["warm-up-run", "unbroken-run"].map(scratch);
    let mut whole = Duration::ZERO;
    for out in &unbroken {
        let begun = std::time::Instant::now();
        assert!(train(folder.path(), out).args(precision).status().unwrap().success());
        whole = begun.elapsed();
    }
    let expected = end(&unbroken[1]);
    assert!(end(&unbroken[0]) == expected, "two unbroken runs differ");
    let mut random = Random(u64::from(std::process::id()));
    let (mut kills, mut saved_kills, mut runs) = (0, 0, 0);
    while kills < wanted {
        runs += 1;
        let out = scratch(&format!("killed-run-{runs}"));
        let mut command = train(folder.path(), &out);
        command.args(precision);
        loop {
            let mut child = command.spawn().unwrap();
            let delay = random.below(whole.as_millis() as u64);
            if let Some(status) = wait(&mut child, Duration::from_millis(delay), kills < wanted) {
                let said = String::from_utf8_lossy(&child.wait_with_output().unwrap().stderr).into_owned();
                assert!(status.success(), "{said}");
                break;
            }
            kills += 1;
            let last = out.join("last.safetensors");
            if last.exists() {
                saved_kills += 1;
                Checkpoint::open(&last).unwrap();
                assert!(!tensors(&last).is_empty(), "a checkpoint is whole at any moment");
            }
            command = resume(&out);
            if !out.join("run.json").exists() {
                command = train(folder.path(), &out);
                command.args(precision);
            }
        }
        assert!(end(&out) == expected, "run {runs} differs from the unbroken one");
        std::fs::remove_dir_all(&out).unwrap();
    }
    println!(
        "{kills} kills over {runs} runs, {saved_kills} with a checkpoint; an unbroken run takes {whole:?}"
    );
    unbroken.iter().for_each(|out| std::fs::remove_dir_all(out).unwrap());
}

/// Augmentation draws anew for each image and epoch: what is drawn must not depend on where the run was stopped.
#[test]
fn killed_in_the_middle_of_an_epoch_with_augmentation_it_ends_with_the_same_bits() {
    let folder = data();
    let drawn = [
        "--rotation-range",
        "30",
        "--horizontal-flip",
        "--brightness-range",
        "0.7,1.3",
        "--mixup-alpha",
        "0.4",
    ];
    let unbroken = scratch("unbroken-augmented");
    assert!(train(folder.path(), &unbroken).args(drawn).status().unwrap().success());
    let expected = end(&unbroken);
    let mut middle = 0;
    for attempt in 0..20 {
        let out = scratch(&format!("killed-augmented-{attempt}"));
        let mut child = train(folder.path(), &out).args(drawn).spawn().unwrap();
        while !out.join("last.safetensors").exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        wait(&mut child, Duration::from_millis(attempt * 7), true);
        let output = program().args(["train", "--resume"]).arg(&out).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(end(&out) == expected, "resumed run {attempt} differs from the unbroken one: {said}");
        std::fs::remove_dir_all(&out).unwrap();
        let into = said.lines().find(|line| line.contains("images into it")).unwrap_or_default();
        middle += usize::from(!into.is_empty() && !into.contains(" 0 images"));
        if middle == 2 {
            break;
        }
    }
    assert_eq!(middle, 2, "no run was killed in the middle of an epoch");
    std::fs::remove_dir_all(&unbroken).unwrap();
}

/// Waits for the end of `child`, or kills it after `time`.
fn wait(child: &mut std::process::Child, time: Duration, kill: bool) -> Option<std::process::ExitStatus> {
    let begun = std::time::Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if kill && begun.elapsed() > time {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A folder that is not there yet, for no other process.
fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("frostline-{name}-{}", std::process::id()))
}

#[test]
fn what_cannot_go_on_says_why() {
    let folder = data();
    let out = scratch("what-cannot-go-on");
    let said = |mut command: Command| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(said(resume(folder.path())).contains("is no run that can go on: it has no run.json"));
    assert!(train(folder.path(), &out).status().unwrap().success());
    assert!(resume(&out).status().unwrap().success(), "a complete run stays complete");
    std::fs::remove_file(out.join("last.safetensors")).unwrap();
    std::fs::remove_file(folder.path().join("warm/1.png")).unwrap();
    assert!(said(resume(&out)).contains("has changed since the run began"));
    std::fs::remove_dir_all(&out).unwrap();
}

/// The history that a checkpoint carries is the one beside it.
#[test]
fn a_history_survives_as_json() {
    let row = frostline::train::EpochRow { loss: 0.1 + 0.2, acc: 1.0 / 3.0, ..Default::default() };
    let history = History { rows: vec![row] };
    let text = serde_json::to_string(&history).unwrap();
    assert_eq!(serde_json::from_str::<History>(&text).unwrap(), history);
}
