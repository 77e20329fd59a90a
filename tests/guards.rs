//! Planted errors: guard words catch what drivers hide.

mod support;

use frostline::gpu::Kernel;
use frostline::ops::guarded::{Comparison, Guarded};
use frostline::ops::{Array, Dtype, Now, Operand, Part, Step, pieces};
use frostline::shape::Shape;
use support::device;

const SOURCE: &str = "
struct P { count: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(SIZE)
fn right(@builtin(local_invocation_index) i: u32) {
    if (i >= p.count) { return; }
    y[y_at + i] = x[x_at + i];
}

@compute @workgroup_size(SIZE)
fn reads_one_too_far(@builtin(local_invocation_index) i: u32) {
    if (i >= p.count) { return; }
    // Not 0.0 times it: drivers fold that to 0.0 whatever lies there.
    y[y_at + i] = x[x_at + i] + 1e-30 * x[x_at + i + 1u];
}

@compute @workgroup_size(SIZE)
fn writes_one_too_far(@builtin(local_invocation_index) i: u32) {
    if (i > p.count) { return; }
    y[y_at + i] = x[x_at + min(i, p.count - 1u)];
}

@compute @workgroup_size(SIZE)
fn writes_one_too_early(@builtin(local_invocation_index) i: u32) {
    if (i >= p.count) { return; }
    y[y_at + i] = x[x_at + i];
    y[y_at + i - 1u] = x[x_at + max(i, 1u) - 1u];
}

@compute @workgroup_size(SIZE)
fn forgets_the_last(@builtin(local_invocation_index) i: u32) {
    if (i + 1u >= p.count) { return; }
    y[y_at + i] = x[x_at + i];
}
";

/// Copies x to y with the kernel `entry` and compares y with x.
fn copied(entry: &'static str) -> Comparison {
    let shape = Shape::new(&[37]);
    let x = Array::new(shape, (0..37).map(f64::from).collect());
    let mut guarded = Guarded::new(device());
    guarded.place(Operand::X(0), shape, Dtype::F32, Some(&x)).unwrap();
    guarded.place(Operand::Y, shape, Dtype::F32, None).unwrap();
    let kernel = Kernel::new("planted", SOURCE, entry).piece(pieces::INDEX);
    let step = Step::new(kernel, Part::Forward).read("x", Operand::X(0)).write("y", Operand::Y).sizes(&[37]);
    guarded.run(&step.into(), &Now::default(), false).unwrap();
    guarded.compare(Operand::Y, &x, 1.0).unwrap()
}

#[test]
fn a_right_kernel_passes() {
    let found = copied("right");
    assert_eq!((found.rel_l2, found.broken_guards), (0.0, 0));
}

#[test]
fn a_read_behind_the_tensor_shows_in_the_output() {
    let found = copied("reads_one_too_far");
    assert!(found.rel_l2.is_infinite(), "{found:?}");
}

#[test]
fn a_write_behind_or_before_the_tensor_breaks_a_guard() {
    for entry in ["writes_one_too_far", "writes_one_too_early"] {
        let found = copied(entry);
        assert_eq!((found.rel_l2, found.broken_guards), (0.0, 1), "{entry}");
    }
}

#[test]
fn an_element_that_nobody_writes_shows() {
    assert!(copied("forgets_the_last").rel_l2.is_infinite());
}
