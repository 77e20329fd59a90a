//! `frostline doctor` as a person meets it: on this machine, with a wrong choice, and with no adapter at all.

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

/// `frostline doctor`, free of what the person who runs the tests has set.
fn doctor() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_frostline"));
    command.env_remove("FROSTLINE_ADAPTER").env("NODEVICE_SELECT", "1").arg("doctor");
    command
}

/// The same where the Vulkan loader finds no driver.
fn doctor_without_drivers() -> Command {
    let mut command = doctor();
    command.env("VK_DRIVER_FILES", "/nonexistent").env("VK_ICD_FILENAMES", "/nonexistent");
    command
}

fn json(command: &mut Command) -> Value {
    let output = command.arg("--json").output().expect("the binary runs");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

#[test]
fn lists_the_adapters_and_proves_the_one_it_takes() {
    doctor()
        .assert()
        .success()
        .stdout(contains("0: ").and(contains("largest binding")).and(contains("Taken: ")))
        .stdout(contains("It works: conv2d"));
}

#[test]
fn json_tells_the_same() {
    let report = json(&mut doctor());
    let chosen = report["chosen"].as_u64().expect("an adapter is taken") as usize;
    let adapter = &report["adapters"][chosen];
    assert!(!adapter["name"].as_str().unwrap().is_empty());
    assert!(adapter["caps"]["max_binding"].as_u64().unwrap() >= 128 << 20);
    assert!(adapter["caps"]["matrices"].is_array());
    assert!(report["proof"]["rel_l2"].as_f64().unwrap() <= 1e-5);
    assert_eq!(report["problem"], Value::Null);
}

#[test]
fn a_wrong_choice_says_what_there_is() {
    doctor()
        .args(["--adapter", "no such card"])
        .assert()
        .code(1)
        .stdout(contains("0: "))
        .stderr(contains("no adapter's name contains 'no such card'").and(contains("choose one of 0: ")));
    doctor().env("FROSTLINE_ADAPTER", "99").assert().code(1).stderr(contains("no adapter number 99"));
}

/// The Vulkan loader of Linux takes its drivers from these variables; elsewhere they change nothing.
#[cfg(target_os = "linux")]
#[test]
fn without_an_adapter_it_says_how_to_get_one() {
    doctor_without_drivers()
        .assert()
        .code(1)
        .stdout("")
        // scripts/adapter.sh looks for this line.
        .stderr(contains("no graphics adapter found"))
        .stderr(contains("VK_DRIVER_FILES hides drivers: unset it"))
        .stderr(contains("then run 'frostline doctor'").and(contains("panicked").not()));
    let report = json(&mut doctor_without_drivers());
    assert_eq!((&report["adapters"], &report["chosen"]), (&Value::Array(Vec::new()), &Value::Null));
    assert!(report["problem"].as_str().unwrap().contains("no graphics adapter found"));
}
