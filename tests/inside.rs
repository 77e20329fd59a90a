//! The commands that look inside, as a user meets them: explain and kernel.

mod cli_support;

use std::path::Path;

use assert_cmd::Command;
use cli_support::frostline;
use predicates::prelude::*;
use predicates::str::contains;

/// The recipe of the post: VGG19 at 256, `layers[:5]` frozen.
fn explain_recipe() -> Command {
    let mut command = frostline(&["explain"]);
    command.args(["--model", "vgg19", "--input", "256", "--head", "1024,1024", "--classes", "16"]);
    command
}

#[test]
fn the_recipe_computes_d_w_and_d_b_but_no_d_x_of_its_first_trained_layer() {
    let line = |pattern: &str| predicate::str::is_match(format!("(?m)^{pattern}")).unwrap();
    explain_recipe()
        .args(["--freeze", "5"])
        .assert()
        .success()
        .stdout(line("d_w of block2_conv2 +computed +it trains"))
        .stdout(line("d_b of block2_conv2 +computed +it trains"))
        .stdout(line("d_x of block2_conv2 +skipped +nothing below it trains"))
        .stdout(line("d_x of block3_conv1 +computed +block2_conv2 trains"))
        .stdout(contains("12.8 % of its multiply-adds saved"));
}

#[test]
fn the_gradient_graph_as_json_dot_and_svg() {
    let folder = tempfile::tempdir().unwrap();
    let (dot, svg) = (folder.path().join("new/graph.dot"), folder.path().join("new/graph.svg"));
    let mut command = explain_recipe();
    command.args(["--freeze", "5", "--json", "--dot"]).arg(&dot).arg("--svg").arg(&svg);
    let output = command.assert().success();
    let found: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    let row = found["rows"].as_array().unwrap().iter().find(|row| row["layer"] == "block2_conv2").unwrap();
    let computed = |i: usize| row["edges"][i]["computed"].as_bool().unwrap();
    assert_eq!((computed(0), computed(1), computed(2)), (true, true, false), "{row}");
    let dot = std::fs::read_to_string(dot).unwrap();
    assert!(dot.starts_with("digraph") && dot.contains("\"block2_conv2\" -> \"block2_pool\";"), "{dot}");
    assert!(
        dot.contains("\"block2_conv2\" -> \"block2_conv1\" [label=\"d_x: nothing below it trains\""),
        "{dot}"
    );
    let svg = std::fs::read_to_string(svg).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && !svg.contains("href"), "{svg}");
    assert!(svg.contains("12.8 % of the base"), "{svg}");
}

#[test]
fn two_freezing_choices_side_by_side() {
    explain_recipe()
        .args(["--diff", "5", "block2_pool"])
        .assert()
        .success()
        .stdout(contains("only A  d_w of block2_conv2").and(contains("only A  d_x of block3_conv1")))
        .stdout(contains("else nothing below it trains"));
    explain_recipe().args(["--diff", "5", "5"]).assert().success().stdout(contains("the same gradients"));
    explain_recipe()
        .args(["--diff", "5", "block9"])
        .assert()
        .code(1)
        .stderr(contains("unknown layer 'block9'"));
}

#[test]
fn kernels_are_listed_and_shown() {
    frostline(&["kernel"])
        .arg("list")
        .assert()
        .success()
        .stdout(predicate::str::is_match(r"conv2d +conv2d naive \(d_w, d_x, forward\)").unwrap())
        .stdout(contains("pieces that stand in front of kernels").and(contains("adam")));
    let shipped = include_str!("../shaders/dense.wgsl");
    frostline(&["kernel"]).args(["show", "dense"]).assert().success().stdout(shipped);
    frostline(&["kernel"])
        .args(["show", "dense", "--module"])
        .assert()
        .success()
        .stdout(contains("x_at: u32 = 0u;"));
    let spirv = frostline(&["kernel"]).args(["show", "dense", "--spirv"]).output().unwrap().stdout;
    assert_eq!(spirv[..4], 0x0723_0203u32.to_le_bytes());
    frostline(&["kernel"]).args(["show", "dens"]).assert().code(1).stderr(contains("did you mean 'dense'?"));
}

/// `kernel try` of an edited global_average_pool.
fn attempt(file: &Path) -> Command {
    let mut command = frostline(&["kernel"]);
    command.arg("try").arg(file).args(["--kernel", "global_average_pool", "--op", "global_average_pool"]);
    command
}

#[test]
fn an_edited_kernel_is_proven_and_timed_or_caught() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.wgsl");
    let shipped = include_str!("../shaders/global_average_pool.wgsl");
    std::fs::write(&file, shipped.replace("sum * p.scale", "p.scale * sum")).unwrap();
    attempt(&file)
        .assert()
        .success()
        .stdout(contains("passed").and(contains("edited naive")).and(contains("% of the roofline")))
        .stdout(contains(" d_x\n").not());
    std::fs::write(&file, format!("// mine\n{shipped}")).unwrap();
    attempt(&file).assert().success().stdout(contains("nothing to time"));
    std::fs::write(&file, shipped.replace("pixel < p.pixels", "pixel + 1u < p.pixels")).unwrap();
    attempt(&file).assert().code(1).stdout(contains("FAIL").and(contains("y is off by")));
    std::fs::write(&file, shipped.replace("var sum", "var summe")).unwrap();
    let line = 1 + shipped.lines().position(|line| line.contains("var sum")).unwrap();
    attempt(&file)
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("mine.wgsl does not compile").and(contains(format!("mine.wgsl:{}:", line + 2))));
    std::fs::write(&file, shipped).unwrap();
    let mut nameless = frostline(&["kernel"]);
    nameless.arg("try").arg(&file).args(["--op", "dense"]);
    nameless.assert().code(1).stderr(contains("unknown kernel 'mine'").and(contains("--kernel NAME")));
    attempt(&file)
        .args(["--case", "99x99"])
        .assert()
        .code(1)
        .stderr(contains("no case of global_average_pool contains"));
}

#[test]
fn a_watched_kernel_is_tried_again_when_it_is_saved() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.wgsl");
    let shipped = include_str!("../shaders/global_average_pool.wgsl");
    std::fs::write(&file, shipped).unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_frostline"))
        .args(["kernel", "try", "--watch", "--no-time", "--kernel", "global_average_pool", "--op"])
        .args(["global_average_pool", "--case", "1x9x1x5"])
        .arg(&file)
        .env("NODEVICE_SELECT", "1")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "passed"));
    std::fs::write(&file, shipped.replace("sum * p.scale", "sum")).unwrap();
    assert!(lines.any(|line| line.starts_with("failed: ")));
    child.kill().unwrap();
    child.wait().unwrap();
}
