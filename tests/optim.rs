//! Every update rule on a device and between guard words, three steps long, against its plain-loop reference.

mod support;

use frostline::gpu::Caps;
use frostline::ops::guarded::{Comparison, Guarded};
use frostline::ops::{Array, Dtype, Now, Operand};
use frostline::optim::trial::{self, TOLERANCE, random};
use frostline::optim::{self, Rule, Scaling, scaling};
use frostline::shape::Shape;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use support::device;

fn worst((found, broken_guards): (Vec<Comparison>, usize)) -> f64 {
    assert_eq!(broken_guards, 0, "{found:?}");
    found.iter().map(|c| c.rel_l2).fold(0.0, f64::max)
}

/// The worst relative distance of the parameter and its states.
fn three_steps(rule: &dyn Rule, shape: Shape, caps: &Caps) -> f64 {
    worst(trial::three_steps(device(), rule, shape, caps, None).unwrap())
}

#[test]
fn every_rule_matches_its_reference() {
    for rule in optim::cases() {
        for shape in trial::shapes() {
            let worst = three_steps(rule.as_ref(), shape, device().caps());
            println!("{worst:8.1e}  {rule:?} {shape}");
            assert!(worst <= TOLERANCE, "{rule:?} {shape}: {worst:e}");
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
    let worst = worst(trial::clip_by_norm(device(), limit, shapes, caps, None).unwrap());
    println!("{worst:8.1e}  clip at {limit} {shapes:?}");
    assert!(worst <= TOLERANCE, "limit {limit}: {worst:e}");
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

/// Six steps, the third and the fifth with a gradient that is not finite: only the others count. The factor doubles after
/// two that do.
#[test]
fn an_overflow_skips_the_step_and_halves_the_factor() {
    let scaling = Scaling { initial: 8.0, largest: 32.0, interval: 2 };
    let shapes = [Shape::new(&[7]), Shape::new(&[20, 16])];
    for (rule, shape) in optim::cases().into_iter().flat_map(|rule| shapes.map(|shape| (rule.clone(), shape)))
    {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let (mut w, mut numbers) = (random(&mut rng, shape), [0.0; scaling::NUMBERS]);
        let mut states = vec![Array::zeros(shape); optim::states(rule.as_ref())];
        let mut guarded = Guarded::new(device());
        let array = |numbers: [f64; 4]| Array::new(Shape::new(&[scaling::NUMBERS]), numbers.to_vec());
        guarded.place(Operand::Param(0), shape, Dtype::F32, Some(&w)).unwrap();
        guarded.place(Operand::Scaling, array(numbers).shape, Dtype::F32, Some(&array(numbers))).unwrap();
        for (i, state) in states.iter().enumerate() {
            guarded.place(Operand::State(i), shape, Dtype::F32, Some(state)).unwrap();
        }
        let mut factors = Vec::new();
        for (iteration, planted) in [0.0, 0.0, f64::INFINITY, 0.0, f64::NAN, 0.0].into_iter().enumerate() {
            let now = Now { iteration: iteration as u32, learning_rate: 0.125, ..Now::default() };
            let mut d_w = [random(&mut rng, shape)];
            d_w[0].data[5] += planted;
            guarded.place(Operand::DParam(0), shape, Dtype::F32, Some(&d_w[0])).unwrap();
            guarded.run(&scaling.unscale(&[shape], device().caps()), &now, false).unwrap();
            let update = optim::update(rule.as_ref(), shape, device().caps());
            guarded.run(&scaling::only_if_it_counts(rule.as_ref(), update), &now, false).unwrap();
            let before = (w.clone(), states.clone());
            let counts = scaling.reference(&mut numbers, &mut d_w);
            let [d_w] = d_w;
            optim::reference(rule.as_ref(), &mut [(&mut w, d_w, &mut states)], &now);
            if !counts {
                (w, states) = before;
                if let Some(ema) = rule.common().average {
                    ema.reference(&mut w, &mut states[rule.states()], &now);
                }
            }
            factors.push(numbers[0]);
        }
        assert_eq!(factors, [8.0, 16.0, 8.0, 8.0, 4.0, 4.0]);
        let scaled = array(numbers);
        let all = [(Operand::Param(0), &w), (Operand::Scaling, &scaled)];
        let all =
            all.into_iter().chain(states.iter().enumerate().map(|(i, state)| (Operand::State(i), state)));
        for (operand, expected) in all {
            let found = guarded.compare(operand, expected, 1.0).unwrap();
            assert!(found.rel_l2 <= TOLERANCE, "{rule:?} {shape}: {found:?}");
        }
        assert_eq!(guarded.broken_guards().unwrap(), 0, "{rule:?} {shape}");
    }
}
