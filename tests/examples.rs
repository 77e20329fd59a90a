//! Presets, scenarios and the examples of `--help`, run as a user runs them, on few and small images.

mod cli_support;

use std::path::Path;

use cli_support::frostline;
use predicates::prelude::*;
use predicates::str::contains;

/// A network of a blink's size in place of a VGG; its names are VGG's.
const SMALL: &str = "--layers conv4,pool,conv4,pool,conv4,pool,conv4,pool,conv4,pool --weights none --input 32 \
                     --limit-images 16 --batch 8";

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn train(options: &str, out: &Path) -> assert_cmd::assert::Assert {
    let mut command =
        frostline(&words(&format!("train examples/clipart8 {options} {SMALL} --cache-limit 0 --out")));
    command.arg(out).assert().success()
}

#[test]
fn each_scenario_trains() {
    let folder = tempfile::tempdir().unwrap();
    let out = |name: &str| folder.path().join(name);
    train("--scenario 1 --epochs 2", &out("1")).stderr(contains("frozen: all of the base"));
    train("--scenario 2 --stages head:1,block5:1,block2:1", &out("2")).stderr(
        contains("epochs 1 to 1, frozen: all of the base")
            .and(contains("epochs 2 to 2, frozen: until block4_pool"))
            .and(contains("epochs 3 to 3, frozen: until block1_pool")),
    );
    train("--scenario 3 --epochs 2", &out("3")).stderr(contains("cached    global_average_pooling2d: "));
    train("--scenario 4 --epochs 2", &out("4")).stderr(contains("frozen: none"));
}

/// A trained base stands for a pretrained one.
#[test]
fn a_scenario_is_recommended_with_reasons_and_done() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    train("--pool avg --epochs 1", &first);
    let best = first.join("best.safetensors");
    let small = SMALL.replace("--weights none", "");
    let auto = |options: &str, which: &str| {
        let line = format!("train examples/clipart8 {options} --scenario auto --epochs 1 --cache-limit 0");
        let mut command = frostline(&words(&line));
        command.arg("--out").arg(&second).arg(which).arg(&best).assert()
    };
    let advice =
        contains("advice    16 images of 8 classes, 2 each: few").and(contains("advice    scenario "));
    auto(&small, "--weights").success().stderr(advice).stdout(contains("best      epoch 1"));
    auto("--limit-images 16", "--from").failure().stderr(contains("--from brings one"));
    auto("--input 48", "--from").failure().stderr(contains("--input: --from goes on with chain at 32x32"));
}

#[test]
fn both_forms_of_the_recipe_train() {
    let folder = tempfile::tempdir().unwrap();
    let out = |name: &str| folder.path().join(name);
    let run = |name: &str| -> serde_json::Value {
        train(&format!("--preset {name} --epochs 1 --head 8,8"), &out(name))
            .stderr(contains("preset    ").and(contains("--rotation-range 30")))
            .stderr(contains("--model vgg19").not());
        serde_json::from_slice(&std::fs::read(out(name).join("run.json")).unwrap()).unwrap()
    };
    let (published, mended) = (run("seed"), run("seed-fixed"));
    assert_eq!(published["augment_validation"], true);
    assert_eq!(mended["augment_validation"], false);
    assert_eq!(published["architecture"]["preprocessing"], "rescale");
    assert_eq!(mended["architecture"]["preprocessing"], "caffe");
    assert_eq!(
        (&published["data"]["resize"], &mended["data"]["resize"]),
        (&"nearest".into(), &"bilinear".into())
    );
    for run in [&published, &mended] {
        assert_eq!(run["stages"][0]["freeze"]["index"], 5, "{run}");
        assert_eq!(run["stopping"]["patience"], 10);
        assert_eq!(run["augmentation"]["zoom_range"], serde_json::json!([0.7, 1.3]));
        let layers = run["architecture"]["layers"].as_array().unwrap();
        assert_eq!(
            layers.iter().filter(|layer| layer["op"] == "dropout").count(),
            1,
            "behind the first layer only"
        );
    }
}

#[test]
fn what_the_seed_preset_mends_is_said() {
    let folder = tempfile::tempdir().unwrap();
    train("--preset seed-fixed --epochs 1 --head 8,8", folder.path())
        .stderr(contains("mended    ").count(5).and(contains("the recipe augmented them")));
}

#[test]
fn a_run_as_json_lines() {
    let folder = tempfile::tempdir().unwrap();
    let found = train("--epochs 2 --json --tensorboard", folder.path());
    let text = String::from_utf8(found.get_output().stdout.clone()).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[1]["epoch"] == 1 && lines[1]["val_loss"].is_number() && lines[1]["weights"].is_string());
    assert!(lines[2]["checkpoint"].as_str().unwrap().ends_with("best.safetensors"));
    let names = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().starts_with("events.out.tfevents.")).count(), 1);
}

#[test]
fn rates_are_found_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("lr.svg");
    let mut command =
        frostline(&words(&format!("lr-find examples/clipart8 {SMALL} --pool avg --steps 12 --json --out")));
    let found = command.arg(&plot).assert().success();
    let found: serde_json::Value = serde_json::from_slice(&found.get_output().stdout).unwrap();
    let points = found["points"].as_array().unwrap();
    assert!(points.len() > 3 && points[0]["rate"].as_f64().unwrap() < 2e-6, "{found}");
    assert!(std::fs::read_to_string(plot).unwrap().contains("learning rate"));
}

#[test]
fn shells_complete() {
    frostline(&["completions", "bash"])
        .assert()
        .success()
        .stdout(contains("lr-find").and(contains("--scenario")));
}
