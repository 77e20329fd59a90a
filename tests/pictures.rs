//! The commands that show and take apart: show, step and sweep, on tiny networks; and the gradient behind the pictures.

mod cli_support;
mod support;

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use cli_support::{frostline, training, two_classes};
use frostline::graph::Store;
use frostline::nn::{Architecture, Freeze, Head, Network, Pool, Preprocessing, init, vgg};
use frostline::study::probe::{PREPROCESSED, Probe, Start};
use frostline::weights::{Outgoing, safetensors};
use predicates::prelude::*;
use predicates::str::contains;
use tempfile::TempDir;

fn trained(folder: &TempDir, seed: &str) -> PathBuf {
    let out = folder.path().join(format!("run{seed}"));
    let mut train = training(folder.path(), &out);
    assert!(train.args(["--freeze", "all", "--epochs", "1", "--seed", seed]).status().unwrap().success());
    out.join("best.safetensors")
}

/// Width and height of a picture that was written.
fn size(path: &Path) -> (u32, u32) {
    image::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).to_rgb8().dimensions()
}

/// The gradient with respect to the input, along itself, is what the score changes by.
#[test]
fn the_gradient_of_a_chosen_logit_predicts_how_it_moves() {
    let base = vgg::base("vgg11", &[4, 8, 8, 16, 16]).unwrap();
    let head = Head { pool: Pool::Avg, hidden: vec![12], dropout: 0.5, classes: 3, ..Head::default() };
    let architecture = Architecture::stack("vgg11", base, 32, Preprocessing::Tf, head.layers().unwrap());
    let network = Network::new(architecture, &Freeze::All, 0.0).unwrap();
    let mut store = Store::new(support::device().clone());
    init::parameters(&network.graph, &mut store, 1, |_| true).unwrap();
    let ends = (network.logits(), PREPROCESSED);
    let mut probe = Probe::new(&network, &mut store, ends, Start::Preprocessed, 1).unwrap();
    let x: Vec<f32> = (0..32 * 32 * 3).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
    let direction = [0.0, 1.0, 0.0];
    let mut score = |x: &[f32]| probe.run(bytemuck::cast_slice(x), &direction, 1).unwrap();
    let gradient = score(&x).gradient;
    let square: f32 = gradient.iter().map(|d| d * d).sum();
    let step = 1e-2 / square.sqrt();
    let moved = |sign: f32| x.iter().zip(&gradient).map(|(x, d)| x + sign * step * d).collect::<Vec<f32>>();
    let difference = (score(&moved(1.0)).scored[1] - score(&moved(-1.0)).scored[1]) / (2.0 * step);
    assert!((difference / square - 1.0).abs() < 0.02, "{difference} by differences, {square} by the sweep");
}

#[test]
fn sheets_of_filters_activations_attention_and_dreams() {
    let folder = two_classes(["cold", "warm"], (4, 2));
    let (checkpoint, image) = (trained(&folder, "1"), folder.path().join("val/cold/cold0.png"));
    let show = |args: &[&str], out: &str| {
        let out = folder.path().join("sheets").join(out);
        let mut command = frostline(&["show"]);
        command.args(args).arg("--from").arg(&checkpoint).arg("--out").arg(&out).assert().success();
        size(&out)
    };
    let image = image.to_str().unwrap();
    let (width, height) = show(&["filters"], "filters.png");
    assert!(width > 8 * 60 && height > 8 * 60, "64 filters on {width}x{height}");
    show(&["activations", image, "--layer", "block2_conv1", "--count", "6"], "activations.png");
    show(&["activations", image, "--layer", "dense"], "logits.png");
    show(&["gradcam", image, "--class", "warm"], "gradcam.png");
    show(&["gradcam", image, image, "--plus-plus", "--layer", "block4_conv2"], "plus.png");
    show(&["saliency", image], "saliency.png");
    let (width, _) =
        show(&["dream", "--layer", "block2_conv1", "--channel", "0,3", "--steps", "5"], "dream.png");
    assert!(width >= 2 * 32, "two dreams on {width} pixels");
}

#[test]
fn what_cannot_be_shown_says_why() {
    let folder = two_classes(["cold", "warm"], (4, 2));
    let (checkpoint, image) = (trained(&folder, "1"), folder.path().join("val/cold/cold0.png"));
    let show = |args: &[&str]| {
        let mut command = frostline(&["show"]);
        command.args(args).current_dir(folder.path());
        command.assert().code(1)
    };
    let (checkpoint, image) = (checkpoint.to_str().unwrap(), image.to_str().unwrap());
    show(&["gradcam", image, "--model", "vgg11", "--weights", "none", "--input", "32"])
        .stderr(contains("give a checkpoint with --from"));
    show(&["gradcam", image, "--from", checkpoint, "--class", "tepid"])
        .stderr(contains("unknown class 'tepid'").and(contains("cold, warm")));
    show(&["gradcam", image, "--from", checkpoint, "--layer", "dense"]).stderr(contains("has no places"));
    show(&["activations", image, "--from", checkpoint, "--layer", "block9"])
        .stderr(contains("unknown layer"));
    show(&["dream", "--from", checkpoint, "--layer", "block1_conv1", "--channel", "64"])
        .stderr(contains("has the channels 0 to 63, not 64"));
}

#[test]
fn two_checkpoints_side_by_side_and_units_that_never_fire() {
    let folder = two_classes(["cold", "warm"], (4, 2));
    let (a, b) = (trained(&folder, "1"), trained(&folder, "2"));
    let svg = folder.path().join("drift.svg");
    let mut drift = frostline(&["show"]);
    drift
        .arg("drift")
        .arg(&a)
        .arg(&a)
        .assert()
        .success()
        .stdout(predicate::str::is_match(r"dense/kernel +0.00000 +1.0").unwrap());
    let mut drift = frostline(&["show"]);
    drift.arg("drift").arg(&a).arg(&b).arg("--out").arg(&svg).assert().success();
    assert!(std::fs::read_to_string(svg).unwrap().contains("block5_conv2"));
    let images = folder.path().join("val");
    let mut same = frostline(&["show"]);
    same.arg("similarity").arg(&a).arg(&a).arg(&images).assert().success().stdout(contains("units  1.000"));
    let mut dead = frostline(&["show"]);
    let dead = dead.arg("dead").arg(&images).arg("--from").arg(&a).assert().success();
    let found = String::from_utf8_lossy(&dead.get_output().stdout).into_owned();
    let layers: Vec<&str> = found.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(
        layers.len(),
        8,
        "the convolutions have a ReLU; pools, preprocessing and logits have none: {found}"
    );
    assert!(layers.iter().all(|layer| layer.contains("_conv")), "{found}");
}

/// `step` on a random VGG11 at 32x32.
fn step(data: &Path, weights: &str) -> Command {
    let mut command = frostline(&["step"]);
    command.arg(data).args(["--model", "vgg11", "--input", "32", "--batch", "2", "--weights", weights]);
    command
}

#[test]
fn a_step_taken_apart() {
    let folder = two_classes(["cold", "warm"], (4, 2));
    let (picture, trace) = (folder.path().join("y.png"), folder.path().join("trace.jsonl"));
    step(folder.path(), "none")
        .args(["--freeze", "block4_pool", "--trace"])
        .arg(&trace)
        .assert()
        .success()
        .stdout(predicate::str::is_match(r"(?m)^y +block1_conv1 +2x32x32x64").unwrap())
        .stdout(predicate::str::is_match(r"(?m)^d_y +block5_conv1 +2x2x2x512").unwrap())
        .stdout(contains("block5_conv1/kernel").and(contains("d_y  block4_pool").not()));
    let lines = std::fs::read_to_string(&trace).unwrap();
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((last["name"].as_str(), last["way"].as_str()), (Some("block5_conv1/bias"), Some("parameter")));
    step(folder.path(), "none")
        .args(["--layer", "block2_conv1", "--image"])
        .arg(&picture)
        .assert()
        .success()
        .stdout(contains("elements  65536").and(contains("rms")));
    assert!(size(&picture).0 > 100);
    step(folder.path(), "none")
        .args(["--layer", "block2_conv1", "--backward"])
        .assert()
        .code(1)
        .stderr(contains("nothing at or below it trains"));
    step(folder.path(), "none").args(["--break-on", "nan"]).assert().success();
}

/// A VGG11 base file of random values, with a NaN in the kernel of `poisoned`.
fn weights_file(path: &Path, poisoned: Option<&str>) {
    let head = Head { classes: 2, ..Head::default() };
    let architecture = vgg::with_head("vgg11", 32, Preprocessing::Caffe, &head).unwrap();
    let params = Network::new(architecture, &Freeze::All, 0.0).unwrap().graph.params;
    let base: Vec<_> = params.iter().filter(|p| p.name.starts_with("block")).collect();
    let tensors: Vec<_> = base.iter().map(|p| Outgoing::f32(&p.name, p.spec.shape.dims())).collect();
    safetensors::write(path, &Default::default(), &tensors, &mut |i| {
        let mut values = init::glorot_uniform(base[i], 1);
        if poisoned.is_some_and(|name| name == base[i].name) {
            values[0] = f32::NAN;
        }
        Ok(values.into())
    })
    .unwrap();
}

#[test]
fn the_first_layer_that_makes_a_nan_is_named() {
    let folder = two_classes(["cold", "warm"], (4, 2));
    let file = folder.path().join("poisoned.safetensors");
    weights_file(&file, Some("block3_conv1/kernel"));
    step(folder.path(), file.to_str().unwrap())
        .args(["--break-on", "nan"])
        .assert()
        .code(1)
        .stderr(contains("y of block3_conv1 is the first tensor that holds a NaN"));
}

#[test]
fn a_small_sweep() {
    let folder = two_classes(["cold", "warm"], (4, 2));
    let (file, out) = (folder.path().join("vgg11.safetensors"), folder.path().join("sweep"));
    weights_file(&file, None);
    let mut sweep = frostline(&["sweep"]);
    sweep.arg(folder.path()).args(["--model", "vgg11", "--input", "32", "--seeds", "2", "--epochs", "1"]);
    sweep
        .args(["--points", "block4_pool,block5_pool", "--batch", "4", "--weights"])
        .arg(&file)
        .arg("--out")
        .arg(&out);
    sweep
        .assert()
        .success()
        .stderr(contains("2 points, 16 runs").and(contains("about")))
        .stdout(contains("pretrained, fine-tuned").and(contains("random, frozen")));
    let csv = std::fs::read_to_string(out.join("sweep.csv")).unwrap();
    assert_eq!(csv.lines().count(), 17, "{csv}");
    assert!(csv.starts_with("point,origin,mode,seed,accuracy,seconds_per_epoch,memory"), "{csv}");
    assert!(std::fs::read_to_string(out.join("sweep.svg")).unwrap().contains("random, fine-tuned"));
    assert!(size(&out.join("sweep.png")).0 > 400);
    let mut wrong = frostline(&["sweep"]);
    wrong.arg(folder.path()).args(["--model", "vgg11", "--input", "32", "--points", "block9"]);
    wrong.arg("--weights").arg(&file).assert().code(1).stderr(contains("unknown layer 'block9'"));
}
