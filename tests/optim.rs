//! Every update rule on a device and between guard words, three steps long, against its plain-loop reference.

mod support;

use frostline::gpu::Caps;
use frostline::ops::guarded::Guarded;
use frostline::ops::{Array, Dtype, Now, Operand};
use frostline::optim::{Common, Rule, Sgd};
use frostline::shape::Shape;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::device;

/// About four times the largest distance that was measured.
const TOLERANCE: f64 = 1e-6;

fn rules() -> Vec<Box<dyn Rule>> {
    let (plain, strict) = (Common::default(), Common { weight_decay: 0.01, clip_value: Some(0.5) });
    vec![
        Box::new(Sgd { momentum: 0.0, nesterov: false, common: plain }),
        Box::new(Sgd { momentum: 0.9, nesterov: false, common: plain }),
        Box::new(Sgd { momentum: 0.9, nesterov: true, common: strict }),
        Box::new(Sgd { momentum: 0.0, nesterov: false, common: strict }),
    ]
}

fn random(rng: &mut ChaCha8Rng, shape: Shape) -> Array {
    let data = (0..shape.numel()).map(|_| f64::from(rng.random_range(-1.0f32..1.0))).collect();
    Array::new(shape, data)
}

/// Three steps with a fresh gradient each; the worst relative distance of the parameter and its states.
fn three_steps(rule: &dyn Rule, shape: Shape, caps: &Caps) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut guarded = Guarded::new(device());
    let mut w = random(&mut rng, shape);
    let mut states = vec![Array::zeros(shape); rule.states()];
    guarded.place(Operand::Param(0), shape, Dtype::F32, Some(&w)).unwrap();
    for (i, state) in states.iter().enumerate() {
        guarded.place(Operand::State(i), shape, Dtype::F32, Some(state)).unwrap();
    }
    for iteration in 0..3 {
        let now = Now { iteration, learning_rate: 0.125, ..Now::default() };
        let d_w = random(&mut rng, shape);
        guarded.place(Operand::DParam(0), shape, Dtype::F32, Some(&d_w)).unwrap();
        guarded.run(&rule.lower(shape, caps), &now, false).unwrap();
        rule.reference(&mut w, &d_w, &mut states, &now);
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
    for rule in rules() {
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
    for rule in rules() {
        for elements in [1000, 1001] {
            let shape = Shape::new(&[elements]);
            assert_eq!(rule.lower(shape, &caps).steps.len(), 4, "{rule:?}");
            let worst = three_steps(rule.as_ref(), shape, &caps);
            assert!(worst <= TOLERANCE, "{rule:?} {elements}: {worst:e}");
        }
    }
}
