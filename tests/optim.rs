//! Every update rule on a device and between guard words, three steps long, against its plain-loop reference.

mod support;

use frostline::gpu::Caps;
use frostline::ops::guarded::Guarded;
use frostline::ops::{Array, Dtype, Now, Operand};
use frostline::optim::{self, Rule, clip};
use frostline::shape::Shape;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::device;

/// About four times the largest distance that was measured.
const TOLERANCE: f64 = 1e-6;

fn random(rng: &mut ChaCha8Rng, shape: Shape) -> Array {
    let data = (0..shape.numel()).map(|_| f64::from(rng.random_range(-1.0f32..1.0))).collect();
    Array::new(shape, data)
}

/// Three steps with a fresh gradient each; the worst relative distance of the parameter and its states.
fn three_steps(rule: &dyn Rule, shape: Shape, caps: &Caps) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut guarded = Guarded::new(device());
    let mut w = random(&mut rng, shape);
    let mut states = vec![Array::zeros(shape); optim::states(rule)];
    guarded.place(Operand::Param(0), shape, Dtype::F32, Some(&w)).unwrap();
    for (i, state) in states.iter().enumerate() {
        guarded.place(Operand::State(i), shape, Dtype::F32, Some(state)).unwrap();
    }
    for iteration in 0..3 {
        let now = Now { iteration, learning_rate: 0.125, ..Now::default() };
        let d_w = random(&mut rng, shape);
        guarded.place(Operand::DParam(0), shape, Dtype::F32, Some(&d_w)).unwrap();
        guarded.run(&optim::update(rule, shape, caps), &now, false).unwrap();
        optim::reference(rule, &mut [(&mut w, d_w, &mut states)], &now);
    }
    assert_eq!(guarded.broken_guards().unwrap(), 0, "{rule:?} {shape}");
    let mut worst = guarded.compare(Operand::Param(0), &w, 1.0).unwrap().rel_l2;
    for (i, state) in states.iter().enumerate() {
        worst = worst.max(guarded.compare(Operand::State(i), state, 1.0).unwrap().rel_l2);
    }
    worst
}

#[test]
fn every_rule_matches_its_reference() {
    for rule in optim::cases() {
        for shape in [&[1][..], &[7], &[20, 16], &[3, 3, 5, 7], &[3, 3, 16, 20]] {
            let worst = three_steps(rule.as_ref(), Shape::new(shape), device().caps());
            println!("{worst:8.1e}  {rule:?} {shape:?}");
            assert!(worst <= TOLERANCE, "{rule:?} {shape:?}: {worst:e}");
        }
    }
}

#[test]
fn a_parameter_larger_than_a_binding_is_updated_in_windows() {
    let caps = Caps { max_binding: 1024, ..device().caps().clone() };
    for rule in optim::cases() {
        for elements in [1000, 1001] {
            let shape = Shape::new(&[elements]);
            let averages = 4 * usize::from(rule.common().average.is_some());
            assert_eq!(optim::update(rule.as_ref(), shape, &caps).steps.len(), 4 + averages, "{rule:?}");
            let worst = three_steps(rule.as_ref(), shape, &caps);
            assert!(worst <= TOLERANCE, "{rule:?} {elements}: {worst:e}");
        }
    }
}

#[test]
fn the_bias_correction_of_adam_holds_late_in_training() {
    let shape = Shape::new(&[64]);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for iteration in [0, 1, 10, 100, 499, 500, 1000, 5000, 100_000] {
        let rule = optim::Adam::default();
        let now = Now { iteration, learning_rate: 1.0, ..Now::default() };
        let (mut w, d_w) = (Array::zeros(shape), random(&mut rng, shape));
        let mut states = [Array::zeros(shape), Array::zeros(shape)];
        let mut guarded = Guarded::new(device());
        let operands = [Operand::Param(0), Operand::DParam(0), Operand::State(0), Operand::State(1)];
        for (operand, array) in operands.into_iter().zip([&w, &d_w, &states[0], &states[1]]) {
            guarded.place(operand, shape, Dtype::F32, Some(array)).unwrap();
        }
        guarded.run(&rule.lower(shape, device().caps()), &now, false).unwrap();
        rule.reference(&mut w, &d_w, &mut states, &now);
        let found = guarded.compare(Operand::Param(0), &w, 1.0).unwrap();
        println!("{:8.1e}  adam at iteration {iteration}", found.rel_l2);
        assert!(found.rel_l2 <= TOLERANCE, "iteration {iteration}: {found:?}");
    }
}

/// Gradients between guard words, clipped on the device and in plain loops.
fn clip_by_norm(limit: f32, shapes: &[Shape], caps: &Caps) {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let mut gradients: Vec<Array> = shapes.iter().map(|&shape| random(&mut rng, shape)).collect();
    let mut guarded = Guarded::new(device());
    for (i, d_w) in gradients.iter().enumerate() {
        guarded.place(Operand::DParam(i), d_w.shape, Dtype::F32, Some(d_w)).unwrap();
    }
    guarded.run(&clip::by_norm(limit, shapes, caps), &Now::default(), false).unwrap();
    clip::reference(limit, &mut gradients);
    for (i, d_w) in gradients.iter().enumerate() {
        let found = guarded.compare(Operand::DParam(i), d_w, 1.0).unwrap();
        println!("{:8.1e}  clip at {limit} {}", found.rel_l2, d_w.shape);
        assert!(found.rel_l2 <= TOLERANCE, "limit {limit}, tensor {i}: {found:?}");
    }
    assert_eq!(guarded.broken_guards().unwrap(), 0);
}

#[test]
fn the_joint_norm_is_clipped() {
    let shapes = [&[7][..], &[3, 3, 16, 20], &[1], &[20_001], &[130, 64]].map(Shape::new);
    let narrow = Caps { max_binding: 16_384, ..device().caps().clone() };
    for caps in [device().caps(), &narrow] {
        clip_by_norm(1.0, &shapes, caps);
        clip_by_norm(1e6, &shapes, caps);
        clip_by_norm(0.01, &shapes[..1], caps);
    }
}
