//! Weight files as a user meets them: inspected, converted, evaluated and trained on, whatever kind they are.

mod cli_support;

use std::path::{Path, PathBuf};

use cli_support::frostline;
use frostline::weights;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

const MODEL: &str = "tests/fixtures/keras/mini32/model.keras";
const NESTED: &str = "tests/fixtures/keras/mini64_nested/model.keras";
const CLASSES: usize = 10;

fn json(arguments: &[&str]) -> Value {
    let run = frostline(arguments).assert().success();
    serde_json::from_slice(&run.get_output().stdout).unwrap()
}

/// Ten classes of stripes, two images each for training and one for validation.
fn data() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (split, count) in [("train", 2), ("val", 1)] {
        for class in 0..CLASSES {
            let to = folder.path().join(format!("{split}/class{class}"));
            std::fs::create_dir_all(&to).unwrap();
            for i in 0..count {
                let pixel = |x: u32, y: u32| (x * (class as u32 + 1) * 9 + y * (i + 1) * 5) as u8;
                let picture =
                    image::RgbImage::from_fn(32, 32, |x, y| image::Rgb([pixel(x, y), pixel(y, x), 90]));
                picture.save(to.join(format!("{i}.png"))).unwrap();
            }
        }
    }
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_model_is_the_same_in_every_kind_of_file() {
    let folder = data();
    let at = |name: &str| folder.path().join(name);
    let loss = |file: &str| json(&["eval", "--json", file, text(folder.path())])["loss"].as_f64().unwrap();
    let expected = loss(MODEL);
    let mut before = PathBuf::from(MODEL);
    for name in ["a.h5", "b.keras", "c.safetensors", "d.keras", "e.h5", "f.safetensors"] {
        frostline(&["convert", text(&before), text(&at(name))]).assert().success();
        assert_eq!(loss(text(&at(name))), expected, "{name}");
        before = at(name);
    }
}

#[test]
fn a_nested_model_keeps_its_tensors_and_its_nesting() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("nested.keras");
    frostline(&["convert", NESTED, text(&out)]).assert().success();
    let (before, after) = (json(&["inspect", "--json", NESTED]), json(&["inspect", "--json", text(&out)]));
    assert_eq!(before["tensors"], after["tensors"]);
    assert_eq!(before["model"], after["model"]);
    assert_eq!(before["model"]["architecture"]["layers"][0]["name"], "block1_conv1");
    assert!(
        before["tensors"][0]["stored_as"].as_str().unwrap().contains("functional"),
        "{}",
        before["tensors"][0]
    );
}

#[test]
fn a_normalised_model_goes_to_keras_and_back() {
    let folder = data();
    let out = folder.path().join("run");
    let model = ["--layers", "conv4,bn,pool,conv8,bn,pool", "--head", "6", "--batch-norm", "--input", "32"];
    let train = ["train", text(folder.path()), "--weights", "none", "--freeze-until", "block1_pool"];
    let more = ["--batch", "6", "--epochs", "2", "--lr", "0.05", "--out", text(&out)];
    frostline(&[&train[..], &model, &more].concat()).assert().success();
    let (best, back) = (out.join("best.safetensors"), folder.path().join("back.keras"));
    frostline(&["convert", text(&best), text(&back)]).assert().success();
    let eval = |file: &Path| json(&["eval", "--json", text(file), text(folder.path())]);
    assert_eq!(eval(&best), eval(&back));
    let found = json(&["inspect", "--json", text(&best)])["tensors"].as_array().unwrap().clone();
    let mean =
        |name: &str| found.iter().find(|tensor| tensor["name"] == name).unwrap()["mean"].as_f64().unwrap();
    assert_eq!(mean("block1_bn1/moving_variance"), 1.0, "a frozen one stays as it began");
    assert_ne!(mean("block2_bn1/moving_variance"), 1.0, "one that trains moves");
    assert_ne!(mean("batch_normalization/moving_mean"), 0.0, "of the head too");
}

#[test]
fn the_optimizers_state_travels_with_its_model() {
    let folder = tempfile::tempdir().unwrap();
    let trained = "tests/fixtures/keras/mini32/train/sgd_momentum.first5_frozen.model.keras";
    let [h5, keras, plain] = ["a.h5", "b.keras", "c.safetensors"].map(|name| folder.path().join(name));
    frostline(&["convert", trained, text(&h5)]).assert().success();
    frostline(&["convert", text(&h5), text(&keras)]).assert().success();
    let expected = json(&["inspect", "--json", trained])["optimizer"].clone();
    assert_eq!(expected["iteration"], 20);
    for file in [&h5, &keras] {
        assert_eq!(json(&["inspect", "--json", text(file)])["optimizer"], expected, "{}", file.display());
    }
    let left_out = contains("left out  the optimizer's state");
    frostline(&["convert", text(&keras), text(&plain)]).assert().success().stderr(left_out);
}

#[test]
fn a_keras_model_trains_on_and_goes_back_to_keras() {
    let folder = data();
    let out = folder.path().join("run");
    let train =
        ["train", text(folder.path()), "--from", MODEL, "--epochs", "1", "--batch", "4", "--freeze", "5"];
    let more = [
        "--label-smoothing",
        "0.1",
        "--class-weights",
        "balanced",
        "--optimizer",
        "adam",
        "--out",
        text(&out),
    ];
    frostline(&train).args(more).assert().success();
    let best = out.join("best.safetensors");
    let back = folder.path().join("back.keras");
    frostline(&["convert", text(&best), text(&back)]).assert().success();
    let eval = |file: &Path| json(&["eval", "--json", text(file), text(folder.path())]);
    assert_eq!(eval(&best), eval(&back));
    let tensors = json(&["inspect", "--json", text(&back)])["tensors"].clone();
    let start = json(&["inspect", "--json", MODEL])["tensors"].clone();
    let same = |i: usize| ["min", "mean", "max"].iter().all(|key| tensors[i][key] == start[i][key]);
    // layers[:5] are the input, block1_conv1, block1_conv2, block1_pool and block2_conv1: six tensors.
    assert_eq!((0..8).map(same).collect::<Vec<_>>(), [true, true, true, true, true, true, false, false]);
}

/// Two steps here, their state through a `.keras`, a third step from there: it is the third of three steps.
#[test]
fn a_run_goes_on_from_the_keras_file_that_it_became() {
    let folder = data();
    for optimizer in [&["--optimizer", "adam"][..], &["--optimizer", "rmsprop", "--momentum", "0.5"]] {
        let at = |name: &str| folder.path().join(optimizer[1]).join(name);
        let train = |from: &Path, epochs, out: &Path| {
            let train =
                ["train", text(folder.path()), "--from", text(from), "--epochs", epochs, "--out", text(out)];
            // The batch is the whole set: an epoch is a step.
            let same = ["--batch", "20", "--freeze", "5", "--lr", "0.001", "--label-smoothing", "0.25"];
            frostline(&train).args(same).args(optimizer).assert().success();
            out.join("last.safetensors")
        };
        let (start, keras) = (Path::new(MODEL), at("after_two.keras"));
        let after_two = train(start, "2", &at("two"));
        let written = contains("tensors of the optimizer's state").and(contains(".keras"));
        frostline(&["convert", text(&after_two), text(&keras)]).assert().success().stdout(written);
        let about = json(&["inspect", "--json", text(&keras)]);
        assert_eq!(
            (&about["optimizer"]["iteration"], &about["optimizer"]["learning_rate"]),
            (&2.into(), &f64::from(0.001f32).into())
        );
        let (third, three) = (train(&keras, "1", &at("third")), train(start, "3", &at("three")));
        assert_close(&third, &three, 1e-5);
    }
}

/// Each tensor of `a` is that of `b` but for a `share` of its norm.
fn assert_close(a: &Path, b: &Path, share: f32) {
    let (mut a, mut b) = (weights::open(a).unwrap(), weights::open(b).unwrap());
    assert_eq!(a.entries(), b.entries());
    for i in 0..a.entries().len() {
        let (x, y) = (a.read(i).unwrap(), b.read(i).unwrap());
        let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>().sqrt();
        let (off, norm) = (norm(&mut x.iter().zip(&y).map(|(x, y)| x - y)), norm(&mut y.iter().copied()));
        assert!(off <= share * norm, "{}: off by {off} of {norm}", a.entries()[i].name);
    }
}

#[test]
fn pixels_are_prepared_as_the_weights_expect_or_a_warning_says_so() {
    let folder = data();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let train = |from: &[&str], out: &str| {
        let train = ["train", text(folder.path()), "--epochs", "1", "--batch", "20", "--out", &at(out)];
        let mut command = frostline(&train);
        command.args(from);
        command.assert().success()
    };
    let chain = ["--layers", "conv4,conv4,pool,conv6,pool", "--input", "32"];
    let [torch, keras] = ["torchvision.safetensors", "torchvision.h5"].map(at);
    let stored = "tests/fixtures/small/torchvision.stored.safetensors";
    std::fs::copy(stored, &torch).unwrap();
    // What torchvision's weights expect is known, and goes with them into other files.
    frostline(&["convert", &torch, &keras]).assert().success();
    assert_eq!(json(&["inspect", "--json", &keras])["preprocessing"], "torch");
    for file in [&torch, &keras] {
        let right = contains("torch preprocessing").and(contains("expect --preprocessing").not());
        train(&[&["--weights", file], &chain[..]].concat(), "right").stderr(right);
        std::fs::remove_dir_all(at("right")).unwrap();
    }
    let wrong = [&["--weights", &keras, "--preprocessing", "rescale"], &chain[..]].concat();
    train(&wrong, "wrong").stderr(contains("warning   these weights expect --preprocessing torch"));
    // Now there is a file of one's own that says rescale.
    let own = at("wrong/best.safetensors");
    let other = ["--from", &own, "--preprocessing", "tf"];
    train(&other, "other").stderr(contains("warning   the model of --from expects --preprocessing rescale"));
    let weights = [&["--weights", &own, "--preprocessing", "tf"], &chain[..]].concat();
    train(&weights, "weights").stderr(contains("warning   these weights expect --preprocessing rescale"));
    // Keras' own files say nothing, but VGG's names do.
    let keras = ["--weights", "tests/fixtures/keras/mini32/model.weights.h5", "--by-name", "--skip-mismatch"];
    let keras = [&keras[..], &["--preprocessing", "rescale"], &chain].concat();
    train(&keras, "keras").stderr(contains("warning   weights of Keras' VGG expect --preprocessing caffe"));
}

#[test]
fn what_has_no_place_in_a_keras_file_is_named() {
    let folder = data();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let train = ["train", text(folder.path()), "--from", MODEL, "--epochs", "1", "--out", &at("run")];
    let more =
        ["--freeze", "5", "--schedule", "cosine", "--block-factor", "0.5", "--class-weights", "balanced"];
    frostline(&train).args(more).assert().success();
    let last = at("run/last.safetensors");
    let outside = ["schedule of the learning rate", "rates of single blocks", "weights of classes"];
    for name in ["last.keras", "last.h5"] {
        let mut done = frostline(&["convert", &last, &at(name)]).assert().success();
        for what in outside {
            done = done.stderr(contains("left out  the ").and(contains(what)));
        }
        done.stderr(contains("left out  the caffe preprocessing").and(contains("augmentation").not()));
    }
}

#[test]
fn what_cannot_be_done_says_why() {
    let folder = data();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let data = text(folder.path());
    let weights = "tests/fixtures/keras/mini32/model.legacy_tf1names.h5";
    frostline(&["convert", weights, &at("a.keras")])
        .assert()
        .failure()
        .stderr(contains("needs the model's configuration"));
    frostline(&["convert", weights, &at("a.onnx")]).assert().failure().stderr(contains("end the name in"));
    std::fs::copy(MODEL, at("same.keras")).unwrap();
    let itself = contains("is the file that is being read");
    frostline(&["convert", &at("same.keras"), &at("same.keras")]).assert().failure().stderr(itself);
    frostline(&["eval", NESTED, data])
        .assert()
        .failure()
        .stderr(contains("tells 16 classes, the data has 10"));
    let tiny = "tests/fixtures/small/tiny_adam.keras";
    frostline(&["eval", tiny, data]).assert().failure().stderr(contains("cannot be rebuilt"));
    frostline(&["inspect", tiny]).assert().success();
    let by_name = ["--by-name", "--skip-mismatch", "--model", "vgg11", "--input", "32", "--pool", "avg"];
    let train = ["train", data, "--weights", weights, "--epochs", "1", "--out", &at("run")];
    frostline(&train).args(by_name).assert().success().stderr(contains("random    block1_conv1/kernel"));
    let train = ["train", data, "--weights", weights, "--epochs", "1", "--out", &at("refused")];
    frostline(&train).args(&by_name[2..]).assert().failure().stderr(contains("--by-name"));
}

#[test]
fn imagenet_weights_come_from_the_cache() {
    let folder = data();
    let train = ["train", text(folder.path()), "--weights", "imagenet", "--model", "vgg19", "--input", "32"];
    let run = || {
        let mut command = frostline(&train);
        command.env("FROSTLINE_CACHE", folder.path().join("cache"));
        command
    };
    run().assert().failure().stderr(contains("run 'frostline fetch vgg19'"));
    let file = folder.path().join("cache/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "").unwrap();
    run().assert().failure().stderr(contains("notop.h5: is empty"));
    frostline(&["fetch", "vgg91"]).assert().failure().stderr(contains("did you mean 'vgg19'"));
    let offline = ("FROSTLINE_MIRROR", "http://127.0.0.1:9");
    let fetch = frostline(&["fetch", "vgg16"])
        .envs([offline])
        .env("FROSTLINE_CACHE", folder.path())
        .assert()
        .failure();
    fetch.stderr(contains("cannot download http://127.0.0.1:9/vgg16/"));
}
