//! The program as a user meets it: training, evaluating, predicting, and every kind of bad input.

mod cli_support;

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use cli_support::{frostline, training, two_classes};
use predicates::prelude::*;
use predicates::str::contains;
use tempfile::TempDir;

fn train(data: &Path, out: &Path) -> Command {
    train_at("0.001", data, out)
}

fn train_at(rate: &str, data: &Path, out: &Path) -> Command {
    let mut command = Command::from_std(training(data, out));
    command.args(["--epochs", "3", "--lr", rate]);
    command
}

fn trained() -> (TempDir, PathBuf) {
    let folder = two_classes(["cold", "warm"], (6, 3));
    let out = folder.path().join("run");
    train(folder.path(), &out).assert().success();
    (folder, out.join("best.safetensors"))
}

#[test]
fn train_eval_predict() {
    let (folder, checkpoint) = trained();
    let history = std::fs::read_to_string(folder.path().join("run/history.csv")).unwrap();
    assert_eq!(history.lines().count(), 4, "{history}");
    let eval = frostline(&[]).args(["eval", "--json"]).arg(&checkpoint).arg(folder.path()).assert().success();
    let found: serde_json::Value = serde_json::from_slice(&eval.get_output().stdout).unwrap();
    assert_eq!(found["images"], 6);
    assert_eq!(found["top_k"], 1.0, "two classes, five guesses");
    let recall: f64 =
        found["classes"].as_array().unwrap().iter().map(|c| c["recall"].as_f64().unwrap()).sum();
    assert!(
        (recall / 2.0 - found["accuracy"].as_f64().unwrap()).abs() < 1e-9,
        "classes of one size: {found}"
    );
    assert!(found["top_losses"][0]["image"].as_str().unwrap().contains("val"), "{found}");
    let best: Vec<&str> = history.lines().skip(1).map(|l| l.split(',').nth(5).unwrap()).collect();
    let accuracy = found["accuracy"].as_f64().unwrap();
    assert!(
        best.iter().any(|acc| (acc.parse::<f64>().unwrap() - accuracy).abs() < 1e-6),
        "{best:?} {accuracy}"
    );
    let image = folder.path().join("val/cold/cold0.png");
    let predict = frostline(&[]).args(["predict", "--json"]).arg(&checkpoint).arg(&image).assert().success();
    let line: serde_json::Value = serde_json::from_slice(&predict.get_output().stdout).unwrap();
    let sum: f64 =
        line["classes"].as_array().unwrap().iter().map(|c| c["probability"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-5, "{line}");
}

#[test]
fn the_same_seed_gives_the_same_file() {
    let folder = two_classes(["cold", "warm"], (6, 3));
    let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
    for out in [&a, &b] {
        train(folder.path(), out).args(["--freeze", "none", "--seed", "3"]).assert().success();
    }
    let bytes = |out: &Path| std::fs::read(out.join("best.safetensors")).unwrap();
    assert!(bytes(&a) == bytes(&b), "two runs differ");
}

/// Six images of one class and two of the other: balanced, each of the two counts three times as much, and no run is
/// the one without weights.
#[test]
fn rare_classes_count_more_when_they_are_balanced() {
    let folder = two_classes(["cold", "warm"], (6, 3));
    (2..6).for_each(|i| std::fs::remove_file(folder.path().join(format!("train/warm/warm{i}.png"))).unwrap());
    let run = |name: &str, options: &[&str]| {
        let out = folder.path().join(name);
        train(folder.path(), &out).args(options).assert().success();
        let run: serde_json::Value =
            serde_json::from_slice(&std::fs::read(out.join("run.json")).unwrap()).unwrap();
        (run["weighting"]["classes"].clone(), std::fs::read(out.join("best.safetensors")).unwrap())
    };
    let (plain, balanced) = (run("plain", &[]), run("balanced", &["--balance"]));
    let by_hand = run("by-hand", &["--class-weights", "cold=0.6666667,warm=2"]);
    assert_eq!(plain.0, serde_json::json!([]));
    assert_eq!(balanced.0, by_hand.0);
    assert!(balanced.1 == by_hand.1 && balanced.1 != plain.1);
}

#[test]
fn training_goes_on_from_a_checkpoint() {
    let (folder, checkpoint) = trained();
    let out = folder.path().join("more");
    frostline(&[])
        .arg("train")
        .arg(folder.path())
        .arg("--from")
        .arg(&checkpoint)
        .args(["--epochs", "1", "--freeze", "all", "--out"])
        .arg(&out)
        .assert()
        .success();
    assert!(out.join("best.safetensors").exists());
}

/// A full-width VGG19 file of random values, as the converter writes it.
#[test]
fn a_vgg19_file_trains() {
    use frostline::nn::{Freeze, Head, Network, Preprocessing, init, vgg};
    use frostline::weights::{Outgoing, safetensors};
    let folder = two_classes(["cold", "warm"], (6, 3));
    let file = folder.path().join("vgg19.safetensors");
    let head = Head { classes: 2, ..Head::default() };
    let architecture = vgg::with_head("vgg19", 32, Preprocessing::Caffe, &head).unwrap();
    let params = Network::new(architecture, &Freeze::All, 0.0).unwrap().graph.params;
    let base: Vec<_> = params.iter().filter(|p| p.name.starts_with("block")).collect();
    let tensors: Vec<_> = base.iter().map(|p| Outgoing::f32(&p.name, p.spec.shape.dims())).collect();
    safetensors::write(&file, &Default::default(), &tensors, &mut |i| {
        Ok(init::glorot_uniform(base[i], 1).into())
    })
    .unwrap();
    let train = |model: &str| {
        let mut command = frostline(&[]);
        command.arg("train").arg(folder.path()).args(["--model", model, "--weights"]).arg(&file);
        command.args(["--input", "32", "--epochs", "1", "--out"]).arg(folder.path().join(model));
        command
    };
    train("vgg19").assert().success();
    train("vgg16")
        .assert()
        .failure()
        .stderr(contains("vgg19.safetensors").and(contains("is it for another --model?")));
}

#[test]
fn weights_that_are_missing_or_truncated() {
    let folder = two_classes(["cold", "warm"], (6, 3));
    let out = folder.path().join("run");
    let with = |weights: &Path| {
        let mut command = frostline(&[]);
        command.arg("train").arg(folder.path()).arg("--weights").arg(weights);
        command.args(["--input", "32", "--out"]).arg(&out);
        command
    };
    with(Path::new("nowhere.safetensors"))
        .assert()
        .code(1)
        .stderr(contains("no weight file nowhere.safetensors").and(contains("--weights none")));
    let cut = folder.path().join("cut.safetensors");
    let whole = std::fs::read("weights/vgg16_imagenet_notop.f16.safetensors").unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    with(&cut).assert().code(1).stderr(contains("cut.safetensors"));
    assert!(!out.exists(), "a failed start leaves no folder behind");
}

#[test]
fn folders_that_cannot_be_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    train(folder.path(), &out)
        .assert()
        .code(1)
        .stderr(contains("expected a folder with one folder of images"));
    std::fs::create_dir_all(folder.path().join("train/only")).unwrap();
    image::RgbImage::new(8, 8).save(folder.path().join("train/only/a.png")).unwrap();
    train(folder.path(), &out).assert().code(1).stderr(contains("class"));
    train(&folder.path().join("gone"), &out).assert().code(1).stderr(contains("gone"));
}

#[test]
fn an_unreadable_image_is_named_and_skipped_or_refused() {
    let folder = two_classes(["cold", "warm"], (6, 3));
    std::fs::write(folder.path().join("train/warm/broken.png"), b"not a picture").unwrap();
    let out = folder.path().join("run");
    train(folder.path(), &out)
        .assert()
        .success()
        .stderr(contains("broken.png").and(contains("1 unreadable")));
    train(folder.path(), &out)
        .args(["--strict", "--overwrite"])
        .assert()
        .code(1)
        .stderr(contains("broken.png"));
}

#[test]
fn a_loss_that_is_not_a_number_stops_the_run_and_keeps_the_best() {
    let folder = two_classes(["cold", "warm"], (6, 3));
    let out = folder.path().join("run");
    train_at("3e38", folder.path(), &out)
        .assert()
        .code(1)
        .stderr(contains("the loss is not a number at about step").and(contains("try --lr")));
    let left: Vec<_> = std::fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    let plan = |args: &[&str]| frostline(&[]).arg("plan").args(args).assert().code(1);
    plan(&["--model", "vgg6"]).stderr(contains("did you mean 'vgg16'?"));
    plan(&["--freeze-until", "block3_poll"]).stderr(contains("did you mean 'block3_pool'?"));
    plan(&["--freeze", "99"]).stderr(contains("use 'all'"));
    plan(&["--input", "16"]).stderr(contains("at least 32"));
    let folder = two_classes(["cold", "warm"], (6, 3));
    let mut train = train(folder.path(), &folder.path().join("out"));
    train.args(["--optimizer", "adm"]).assert().code(1).stderr(contains("did you mean 'adam'?"));
}

#[test]
fn the_plan_of_the_recipe_says_what_is_skipped_and_why() {
    let recipe = ["plan", "--model", "vgg19", "--input", "256", "--batch", "16", "--freeze", "5"];
    let mut command = frostline(&[]);
    command.args(recipe).args(["--head", "1024,1024", "--classes", "16"]);
    command.assert().success().stdout(
        contains("parameters 54,645,840, frozen 112,576, trainable 54,533,264").and(
            predicate::str::is_match(r"block2_conv2 .* trains .* yes +no: nothing below it trains").unwrap(),
        ),
    );
    let json = command.arg("--json").assert().success();
    let plan: serde_json::Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    assert_eq!(plan["totals"]["trainable"], 54_533_264);
}

#[test]
fn checkpoints_that_are_none() {
    let folder = two_classes(["cold", "warm"], (6, 3));
    let weights = "weights/vgg16_imagenet_notop.f16.safetensors";
    frostline(&[])
        .args(["eval", weights])
        .arg(folder.path())
        .assert()
        .code(1)
        .stderr(contains("holds weights but no model"));
    frostline(&[])
        .args(["eval", "gone.safetensors"])
        .arg(folder.path())
        .assert()
        .code(1)
        .stderr(contains("gone"));
}

/// Ctrl-C finishes the step, saves, and says how to go on.
#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_says_how_to_go_on() {
    use std::io::{BufRead, BufReader};
    let folder = two_classes(["cold", "warm"], (6, 3));
    let out = folder.path().join("run");
    let mut child = training(folder.path(), &out)
        .args(["--lr", "0.0001", "--epochs", "100000"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("epoch"), "the run has begun");
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    lines.by_ref().for_each(drop);
    let end = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&end.stderr).into_owned();
    assert_eq!(end.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!("saved; go on with: frostline train --resume {}", out.display())),
        "{said}"
    );
    frostline(&[]).args(["eval"]).arg(out.join("last.safetensors")).arg(folder.path()).assert().success();
}
