//! `frostline features` and `frostline augment` as a user meets them.

mod cli_support;
mod data_support;

use std::process::Stdio;

use cli_support::{frostline, training, two_classes};
use data_support::fill;
use frostline::train::Samples;
use frostline::train::features::file::FeatureFile;
use predicates::prelude::*;
use predicates::str::contains;

#[test]
fn features_of_a_folder_are_written_and_what_cannot_be_is_said() {
    let folder = tempfile::tempdir().unwrap();
    for (class, id) in [("ant", 0), ("bee", 100)] {
        fill(folder.path(), &format!("data/{class}"), 5, id);
    }
    let out = folder.path().join("f.safetensors");
    let features = |layer: &str, out: &std::path::Path| {
        let mut command = frostline(&["features"]);
        command.arg(folder.path().join("data")).args(["--layer", layer, "--pool", "avg", "--out"]).arg(out);
        command.args(["--model", "vgg11", "--weights", "none", "--input", "32"]);
        command
    };
    features("block2_pool", &out).assert().success().stdout(contains("10 rows of 128"));
    let file = FeatureFile::open(&out).unwrap();
    assert_eq!(file.classes(), ["ant", "bee"]);
    assert_eq!((file.part(false, 4).len(), file.part(true, 4).len()), (8, 2));
    assert_eq!(file.class_counts(), [4, 4]);
    let few = FeatureFile::meant(&out, Some(3)).unwrap().unwrap();
    assert_eq!((few.part(false, 4).len(), few.class_counts()), (3, vec![2, 1]));

    let run = folder.path().join("run");
    let train = |options: &[&str]| {
        let mut command = frostline(&["train"]);
        command
            .arg(&out)
            .args(["--epochs", "2", "--lr", "0.01", "--head", "6", "--out"])
            .arg(&run)
            .args(options);
        command
    };
    let said = contains("global_average_pooling2d: ").and(contains("results of the frozen part").not());
    train(&[]).assert().success().stderr(said);
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("2 rows of features that were not trained on"), "the page does not judge");
    let (best, image) = (run.join("best.safetensors"), folder.path().join("data/ant/000.png"));
    frostline(&["predict"]).arg(&best).arg(&image).assert().success().stdout(contains("ant"));
    let otherwise = ["--model", "vgg16", "--input", "64", "--resize", "nearest", "--overwrite"];
    let refused =
        contains("--model, --input, --resize: these features are of vgg11 at 32x32 up to block2_pool");
    train(&otherwise).assert().failure().stderr(refused.and(contains("frostline features")));
    train(&["--freeze", "none", "--overwrite"]).assert().failure().stderr(contains("--freeze all"));
    let few = ["--overwrite", "--limit-images", "3", "--balance", "--precision", "f16", "--input", "32"];
    let said = contains("3 images to train on, 2 to validate")
        .and(contains("features were made in f32 and the head trains in f16"));
    train(&few).assert().success().stderr(said);
    let run: serde_json::Value =
        serde_json::from_slice(&std::fs::read(run.join("run.json")).unwrap()).unwrap();
    assert_eq!(run["weighting"]["classes"], serde_json::json!([0.75, 1.5]));
    frostline(&["lr-find"])
        .arg(&out)
        .args(["--steps", "4", "--out"])
        .arg(folder.path().join("lr.svg"))
        .assert()
        .success();

    for needs_images in [&["profile"][..], &["train", "--scenario", "auto"]] {
        let mut command = frostline(needs_images);
        command.arg(&out).assert().failure().stderr(contains("this needs images"));
    }
    let h5 = folder.path().join("f.h5");
    features("block2_pool", &h5).assert().success();
    let mut on_h5 = frostline(&["train"]);
    on_h5.arg(&h5).args(["--epochs", "1", "--out"]).arg(folder.path().join("on_h5"));
    on_h5.assert().success().stderr(contains("8 images to train on, 2 to validate"));

    features("block2_pol", &out).assert().failure().stderr(contains("did you mean 'block2_pool'"));
    features("block2_pool", &folder.path().join("f.csv")).assert().failure().stderr(contains(".npz"));
}

/// Two processes at a time over one cache: neither disturbs the other, and what they leave serves a third.
#[test]
fn two_processes_fill_one_cache_at_a_time() {
    let folder = two_classes(["cold", "warm"], (12, 6));
    let cache = folder.path().join("cache");
    let train = |name: &str| {
        let mut command = training(folder.path(), &folder.path().join(name));
        command.args(["--epochs", "3"]).env("FROSTLINE_CACHE", &cache);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let both = ["first", "second"].map(|name| train(name).spawn().unwrap());
    for run in both {
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let third = train("third").output().unwrap();
    let said = String::from_utf8_lossy(&third.stderr);
    assert!(third.status.success() && said.contains("36 of 36"), "{said}");
    let best = |name: &str| std::fs::read(folder.path().join(name).join("best.safetensors")).unwrap();
    assert!(best("first") == best("second") && best("second") == best("third"), "the runs differ");
}

#[test]
fn augment_draws_a_sheet_and_refuses_ranges_that_make_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), "data", 1, 7);
    let image = folder.path().join("data/000.png");
    let sheet = folder.path().join("sheet.png");
    let augment = |options: &[&str]| {
        let mut command = frostline(&["augment"]);
        command.arg(&image).args(["--input", "48", "-n", "8", "--out"]).arg(&sheet).args(options);
        command
    };
    augment(&["--preset", "seed", "--hue-range", "40", "--mixup-alpha", "0.4"]).assert().success();
    let drawn = image::open(&sheet).unwrap();
    assert!(drawn.width() > 3 * 48 && drawn.height() > 3 * 48, "nine tiles in three rows");
    augment(&["--zoom-range", "1.3,0.7"]).assert().failure().stderr(contains("zoom_range 1.3,0.7"));
    augment(&["--preset", "sed"]).assert().failure().stderr(contains("'seed'"));
    augment(&["--fill-mode", "mirror"]).assert().failure().stderr(contains("known: nearest"));
}
