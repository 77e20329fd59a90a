//! `frostline bench`, `frostline profile` and `--tune` as a user meets them. No test asserts a time.

mod cli_support;
mod support;

use std::ops::Range;
use std::path::Path;

use cli_support::frostline;
use predicates::str::contains;
use serde_json::Value;
use support::device;

/// The lines of JSON that a command prints.
fn lines(arguments: &[&str]) -> Vec<Value> {
    let output = frostline(arguments).assert().success();
    let text = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const SMALL: &str = "dense/forward 16x1024 1024x16";

#[test]
fn a_kernel_is_measured_on_every_rung_and_in_both_precisions_under_its_roofline() {
    measured("f32", 0.0..1e-5);
    if device().caps().f16 {
        measured("f16", 1e-5..1e-3); // one rounding
    } else {
        println!("left out: {} has no f16", device().info());
    }
}

fn measured(precision: &str, rel_error: Range<f64>) {
    let lines = lines(&["bench", "--json", "--full", "--filter", SMALL, "--precision", precision]);
    let number =
        |line: &Value, field: &str| line[field].as_f64().unwrap_or_else(|| panic!("{field}: {line}"));
    let peaks: Vec<&str> = lines[..2].iter().map(|line| line["name"].as_str().unwrap()).collect();
    assert_eq!(peaks, ["roofline/multiply_add", "roofline/copy"]);
    assert!(number(&lines[0], "gflops") > 0.0 && number(&lines[1], "gbytes") > 0.0);
    let rungs: Vec<&str> = lines[2..].iter().map(|line| line["variant"].as_str().unwrap()).collect();
    assert!(rungs.contains(&"naive") && rungs.len() > 1, "{rungs:?}");
    for line in &lines[2..] {
        assert_eq!((&line["name"], &line["shape"]), (&"dense/forward".into(), &"16x1024 1024x16".into()));
        assert_eq!(line["precision"], precision);
        assert!(number(line, "min_ms") <= number(line, "median_ms"), "{line}");
        assert!(number(line, "median_ms") <= number(line, "max_ms"), "{line}");
        assert!(rel_error.contains(&number(line, "rel_error")) && number(line, "gflops") > 0.0, "{line}");
        let flops = 2.0 * 16.0 * 1024.0 * 16.0;
        let gflops = flops / number(line, "median_ms") * 1e-6;
        assert!((number(line, "gflops") / gflops - 1.0).abs() < 1e-9, "{line}");
    }
}

#[test]
fn two_runs_are_compared_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old.json");
    let mut before = lines(&["bench", "--json", "--filter", SMALL]);
    // As if the kernels had taken no time at all, then: everything slowed.
    for line in &mut before[2..] {
        for field in ["min_ms", "median_ms", "max_ms"] {
            line[field] = 1e-9.into();
        }
    }
    std::fs::write(&old, before.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let compare = ["bench", "--filter", SMALL, "--compare", old.to_str().unwrap()];
    frostline(&compare)
        .assert()
        .success()
        .stdout(contains("median ms"))
        .stderr(contains("multiply-add peak"))
        .stderr(contains("SLOWER"))
        .stderr(contains(SMALL));
    std::fs::write(&old, "no json\n").unwrap();
    frostline(&compare).assert().code(1).stderr(contains("old.json, line 1: not a line of"));
}

#[test]
fn what_can_be_measured_is_listed_and_anything_else_is_refused() {
    frostline(&["bench", "--list"])
        .assert()
        .success()
        .stdout(contains("conv2d/d_w 1x224x224x64 3x3x64x64"))
        .stdout(contains("dense/forward 1024x1024 1024x1024"))
        .stdout(contains("step/vgg19/forward 1x224x224x3 default"))
        .stdout(contains("step/vgg19/layers5 8x64x64x3 default"));
    frostline(&["bench", "--filter", "conv3d"]).assert().code(1).stderr(contains("--list"));
}

#[test]
fn a_whole_pass_is_compared_with_the_reference_and_timed() {
    let lines = lines(&["bench", "--json", "--filter", "step/vgg19/forward 1x64x64x3"]);
    let [.., step] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(step["shape"], "1x64x64x3");
    assert!(step["rel_error"].as_f64().unwrap() < 1e-4, "{step}");
    // 39.0 GFLOP at 224 are 3.19 at 64, and convolutions are all of it.
    let flops = step["gflops"].as_f64().unwrap() * step["median_ms"].as_f64().unwrap() * 1e-3;
    assert!((flops - 3.19).abs() < 0.05, "{flops} GFLOP");
}

/// Two classes of a few images.
fn images(folder: &Path) {
    for class in ["cold", "warm"] {
        std::fs::create_dir_all(folder.join(class)).unwrap();
        for i in 0..5u8 {
            let shade = if class == "cold" { i } else { 200 + i };
            image::RgbImage::from_pixel(32, 32, image::Rgb([shade; 3]))
                .save(folder.join(class).join(format!("{i}.png")))
                .unwrap();
        }
    }
}

#[test]
fn a_profile_tells_every_layer_and_part_and_leaves_two_pictures() {
    let folder = tempfile::tempdir().unwrap();
    images(folder.path());
    let (data, out) = (folder.path().to_str().unwrap(), folder.path().join("profile"));
    let setting = ["--model", "vgg11", "--input", "32", "--batch", "3", "--steps", "2", "--weights", "none"];
    frostline(&["profile", data])
        .args(setting)
        .args(["--freeze-until", "block4_pool", "--out"])
        .arg(&out)
        .assert()
        .success()
        .stdout(contains("block5_conv2"))
        .stdout(contains("a step as always takes"));
    let svg = std::fs::read_to_string(out.join("flame.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("block5_conv1 forward"), "{svg}");
    let trace: Value = serde_json::from_slice(&std::fs::read(out.join("trace.json")).unwrap()).unwrap();
    let names: Vec<&str> =
        trace["traceEvents"].as_array().unwrap().iter().filter_map(|event| event["name"].as_str()).collect();
    for expected in ["block1_conv1 forward", "block5_conv1 d_w", "block5_conv2 d_x", "block5_conv2 update"] {
        assert!(names.contains(&expected), "no {expected}");
    }
    let skipped = ["block5_conv1 d_x", "block4_conv2 d_w", "block4_conv2 update"];
    assert!(skipped.iter().all(|name| !names.contains(name)), "work that freezing skips: {names:?}");
}

#[test]
fn tuning_before_training_finds_remembers_and_trains() {
    let folder = tempfile::tempdir().unwrap();
    images(folder.path());
    let cache = folder.path().join("cache");
    let train = |out: &str| {
        let data = folder.path().to_str().unwrap();
        let mut command = frostline(&["train", data, "--model", "vgg11", "--weights", "none"]);
        command.args(["--input", "32", "--pool", "avg", "--epochs", "1", "--batch", "4", "--tune", "quick"]);
        command.env("FROSTLINE_CACHE", &cache).arg("--out").arg(folder.path().join(out)).assert().success()
    };
    train("first").stderr(contains("tuned     conv2d 2x2x512 -> 2x2x512 3x3x512x512 forward"));
    let again = train("second");
    let said = String::from_utf8_lossy(&again.get_output().stderr).into_owned();
    assert!(!said.contains("tuned     "), "measured again: {said}");
}
