//! `frostline check`: it passes here, and it catches kernels that are broken on purpose.

mod cli_support;
mod support;

use cli_support::frostline;
use frostline::gpu::adapter::Choice;
use frostline::gpu::device::Restrict;
use frostline::gpu::{Device, Edit};
use frostline::study::check::{Check, Report};
use predicates::prelude::*;
use predicates::str::contains;
use support::device;

/// What `frostline check --op OP` says of its case `pick` with one replacement in the shader `name`.
fn broken(name: &str, text: &str, (from, to): (&str, &str), op: &str, pick: &str) -> Report {
    let edited = text.replace(from, to);
    assert_ne!(edited, text, "shaders/{name}.wgsl no longer has '{from}'");
    let edit = Edit::new(name, &edited);
    let mut check = Check { differences: false, edit: Some(&edit), ..Check::of(op).unwrap() };
    check.cases.retain(|case| case.x[0].to_string() == pick);
    assert_eq!(check.cases.len(), 1, "{op} has a case {pick}");
    check.run(device(), |_| ())
}

const POOL: (&str, &str) = ("global_average_pool", include_str!("../shaders/global_average_pool.wgsl"));

/// What fails, and on which rungs.
fn failing(report: &Report) -> (Vec<&str>, String) {
    let rungs = report.rows.iter().filter(|row| !row.passed()).map(|row| row.rung).collect();
    (rungs, report.failures().cloned().collect::<Vec<_>>().join("\n"))
}

#[test]
fn padding_that_is_off_by_one_is_caught() {
    let change = ("let iy = oy * p.sh + ky - p.top;", "let iy = oy * p.sh + ky - p.top + 1u;");
    let report = broken("conv2d", include_str!("../shaders/conv2d.wgsl"), change, "conv2d", "1x5x3x3");
    let (rungs, failures) = failing(&report);
    assert!(rungs.contains(&"naive") && failures.contains("y is off by"), "{report}");
}

#[test]
fn a_missing_tail_is_caught() {
    // 100 columns: the last, ragged tile of the shared-memory product is never written.
    let change =
        ("if m >= p.m || n >= p.n { return; }", "if m >= p.m || n + TILE > p.n + n % TILE { return; }");
    let tiled = include_str!("../shaders/pieces/tiled_product.wgsl");
    let report = broken("tiled_product", tiled, change, "dense", "9x260");
    let (rungs, failures) = failing(&report);
    assert!(rungs == ["tiled"] && failures.contains("off by inf"), "{report}");
}

#[test]
fn a_missing_first_barrier_is_caught() {
    let tiled = include_str!("../shaders/gemm_tiled.wgsl");
    let at = tiled
        .find("        workgroupBarrier();\n        block")
        .expect("the barrier between loads and products");
    let edited = format!("{}{}", &tiled[..at], tiled[at..].replacen("        workgroupBarrier();\n", "", 1));
    let report = broken("gemm_tiled", tiled, (tiled, &edited), "dense", "9x260");
    assert!(failing(&report).0 == ["tiled"], "{report}");
}

#[test]
fn a_write_beside_the_tensor_is_caught() {
    let change = ("= y_type(sum * p.scale);", "= y_type(sum * p.scale); y[y_at + p.count] = y_type(1.0);");
    let report = broken(POOL.0, POOL.1, change, POOL.0, "3x3x5x7");
    assert!(
        report.rows[0].broken_guards > 0 && failing(&report).1.contains("beside its tensors"),
        "{report}"
    );
}

#[test]
fn a_kernel_that_does_not_compile_is_one_failure_and_not_the_end() {
    let report = broken(POOL.0, POOL.1, ("var sum = 0.0;", "var sum = nothing;"), POOL.0, "3x3x5x7");
    assert!(failing(&report).1.contains("does not compile"), "{report}");
}

#[test]
fn what_the_adapter_cannot_run_is_named_with_what_it_needs() {
    let restrict = Restrict { no_immediates: false, no_subgroups: true };
    let plain = Device::open_restricted(&Choice::Name(device().info().name.clone()), &restrict).unwrap();
    let mut check = Check { differences: false, ..Check::of("dense").unwrap() };
    check.cases.truncate(1);
    let text = check.run(&plain, |_| ()).to_string();
    assert!(text.contains("left out   subgroup: needs subgroups of exactly 8 lanes"), "{text}");
    assert!(text.contains("left out   coop: needs f16 and matrix units"), "{text}");
    assert!(text.contains("passed"), "{text}");
}

#[test]
fn an_op_passes_and_the_table_names_the_machine() {
    frostline(&["check"])
        .args(["--op", "global_average_pool"])
        .assert()
        .success()
        .stdout(contains("adapter    ").and(contains("driver     ")).and(contains("wgpu 3")))
        .stdout(contains("global_average_pool    naive           f32").and(contains("finite differences")))
        .stdout(contains("\npassed"));
}

#[test]
fn a_shape_of_ones_own_as_json() {
    let output =
        frostline(&["check"]).args(["--op", "max_pool2d", "--shape", "1x9x10x3", "--json"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let row = &report["rows"][0];
    assert_eq!((row["op"].as_str(), row["same_bits"].as_bool()), (Some("max_pool2d"), Some(true)));
    let elements: u64 =
        row["deviations"]["ulps"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
    assert!(elements > 0 && row["failures"].as_array().unwrap().is_empty());
}

#[test]
fn what_cannot_be_checked_says_why() {
    frostline(&["check"])
        .args(["--op", "conv3d"])
        .assert()
        .code(1)
        .stderr(contains("did you mean 'conv2d'?"));
    frostline(&["check"]).args(["--op", "conv2d", "--shape", "7x7"]).assert().code(1).stderr(
        contains("--shape 7x7 fits no case").and(contains("a convolution takes (n, h, w, channels)")),
    );
}
