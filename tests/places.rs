//! What goes wrong where a run is written to: a full disk, a file system that is read only, a folder without permission or
//! with another run in it. Each ends in one or two lines that say what happened and what to do, and no half file stays.
#![cfg(target_os = "linux")]

mod cli_support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::assert::Assert;
use cli_support::{program, training, two_classes};
use predicates::prelude::*;
use predicates::str::contains;
use tempfile::TempDir;

/// Six small images, and a place for a run beside them.
fn data() -> (TempDir, PathBuf) {
    let folder = two_classes(["cold", "warm"], (3, 1));
    let out = folder.path().join("run");
    (folder, out)
}

/// The checkpoint of this run takes 36 MB.
fn train(data: &TempDir, out: &Path, epochs: &str) -> Command {
    let mut command = training(data.path(), out);
    command.args(["--epochs", epochs]);
    command
}

/// The command behind other words, as in `unshare --user COMMAND`.
fn behind(words: &[&str], command: &Command) -> Command {
    let mut outer = Command::new(words[0]);
    outer.args(&words[1..]).arg(command.get_program()).args(command.get_args());
    outer.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer
}

/// The command ends with code 1 and in order.
fn fails(command: Command) -> Assert {
    let panics = contains("panicked").or(contains("a bug in Frostline"));
    assert_cmd::Command::from_std(command).assert().code(1).stderr(panics.not())
}

/// Makes a file system of its own at $0, runs the words behind it, shows each file that it left there, and ends with
/// the words' code. What is a checkpoint must be whole.
const MOUNTED: &str = r#"
    mount -t tmpfs -o "$OPTIONS" tmpfs "$0" || exit 9
    "$@"; code=$?
    ls -A "$0"
    for file in "$0"/run/*; do echo "${file##*/}"; done
    for file in "$0"/run/*.safetensors; do
        if [ -e "$file" ]; then "$1" inspect "$file" > /dev/null || exit 8; fi
    done
    exit $code
"#;

/// The run on a file system that is mounted with these options, where only it can see it.
fn mounted(options: &str) -> Option<Assert> {
    let (folder, at) = data();
    std::fs::create_dir(&at).unwrap();
    let words =
        ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c", MOUNTED, at.to_str().unwrap()];
    let mut command = behind(&words, &train(&folder, &at.join("run"), "2"));
    if behind(&words, &Command::new("true"))
        .env("OPTIONS", options)
        .output()
        .is_ok_and(|o| o.status.success())
    {
        return Some(fails({
            command.env("OPTIONS", options);
            command
        }));
    }
    println!("skipped: this system lets nobody mount a file system in a namespace of their own");
    None
}

/// Two megabytes hold the run's description, and no checkpoint.
#[test]
fn a_full_file_system_ends_the_run_and_leaves_no_half_file() {
    let Some(ended) = mounted("size=2m") else { return };
    ended
        .stderr(contains("cannot write").and(contains("No space left on device")))
        .stderr(contains("safetensors").and(contains("free some space")))
        .stdout(contains("run.json").and(contains(".part").or(contains(".safetensors")).not()));
}

/// The first checkpoint fits, the second does not: the first stays, and is whole.
#[test]
fn a_file_system_that_fills_up_keeps_what_was_saved() {
    let Some(ended) = mounted("size=60m") else { return };
    ended
        .stderr(contains("No space left on device").and(contains("free some space")))
        .stdout(contains("best.safetensors").and(contains(".part").not()));
}

#[test]
fn a_file_system_that_is_read_only_is_refused_before_the_run() {
    let Some(ended) = mounted("ro") else { return };
    ended.stderr(contains("cannot make the folder").and(contains("Read-only file system")));
}

/// The system lets no file grow beyond 100 KiB, which it tells a program as a full disk is told.
#[test]
fn a_file_that_may_not_grow_ends_the_run_and_leaves_no_half_file() {
    let (folder, out) = data();
    let words = ["bash", "-c", "trap '' XFSZ; ulimit -f 100; exec \"$@\"", "bash"];
    fails(behind(&words, &train(&folder, &out, "2")))
        .stderr(contains("cannot write").and(contains("safetensors")).and(contains("free some space")));
    let left: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let half = |name: &&std::ffi::OsString| {
        let name = name.to_string_lossy();
        name.ends_with(".part") || name.ends_with(".safetensors")
    };
    assert_eq!(left.iter().find(half), None);
}

/// `/proc` takes no folder, from nobody.
#[test]
fn a_place_that_takes_no_folder_is_refused_before_the_run() {
    let (folder, _) = data();
    fails(train(&folder, Path::new("/proc/run"), "2")).stderr(contains("cannot make the folder /proc/run"));
}

/// In a user namespace without a map nobody is above permissions, root neither.
#[test]
fn a_folder_without_permission_is_refused_before_the_run() {
    let (folder, out) = data();
    std::fs::create_dir(&out).unwrap();
    std::fs::set_permissions(&out, std::fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = train(&folder, &out, "2");
    if std::fs::write(out.join("probe"), b"").is_ok() {
        let words = ["unshare", "--user"];
        if !behind(&words, &Command::new("true")).output().is_ok_and(|output| output.status.success()) {
            return println!("skipped: root may write everywhere, and this system has no user namespaces");
        }
        command = behind(&words, &command);
    }
    fails(command).stderr(contains("Permission denied").and(contains("choose another place")));
}

#[test]
fn a_folder_that_holds_a_run_is_refused_unless_it_is_to_be_replaced() {
    let (folder, out) = data();
    let epochs = || std::fs::read_to_string(out.join("history.csv")).unwrap().lines().count() - 1;
    assert!(train(&folder, &out, "2").output().unwrap().status.success());
    let before = std::fs::read(out.join("best.safetensors")).unwrap();
    fails(train(&folder, &out, "2"))
        .stderr(contains("holds a run already").and(contains("best.safetensors")).and(contains("--resume")));
    assert!(std::fs::read(out.join("best.safetensors")).unwrap() == before);
    assert_eq!(epochs(), 2);
    let again = train(&folder, &out, "1").arg("--overwrite").output().unwrap();
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(epochs(), 1);
}

/// The second of two runs in one folder is refused, and so is taking up a run that still goes on.
#[test]
fn two_runs_at_once_do_not_share_a_folder() {
    let (folder, out) = data();
    assert!(train(&folder, &out, "2").output().unwrap().status.success());
    let lock = std::fs::File::create(out.join(".lock")).unwrap();
    lock.lock().unwrap();
    let refused = || contains("another run is writing into").and(contains("--out"));
    fails(train(&folder, &out, "2")).stderr(refused());
    let mut resume = program();
    resume.args(["train", "--resume"]).arg(&out);
    fails(resume).stderr(refused());
}
