//! Trials of update rules: on a device and between guard words, against their plain-loop references.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::Result;
use crate::gpu::{Caps, Device, Edit};
use crate::ops::guarded::{Comparison, Guarded};
use crate::ops::{Array, Dtype, Now, Operand};
use crate::optim::{self, Rule, clip};
use crate::shape::Shape;

/// Largest relative distance from the reference, about four times what was measured.
pub const TOLERANCE: f64 = 1e-6;

/// Single elements, vectors that no vec4 divides, and those that it does.
pub fn shapes() -> [Shape; 5] {
    [&[1][..], &[7], &[20, 16], &[3, 3, 5, 7], &[3, 3, 16, 20]].map(Shape::new)
}

/// Uniform in -1..1, each exactly representable in f32.
pub fn random(rng: &mut ChaCha8Rng, shape: Shape) -> Array {
    let data = (0..shape.numel()).map(|_| f64::from(rng.random_range(-1.0f32..1.0))).collect();
    Array::new(shape, data)
}

/// Three steps with a fresh gradient each: the parameter and its states beside the reference, and how many guard words
/// of all tensors changed.
///
/// # Errors
/// A kernel does not compile, or the device is lost.
pub fn three_steps(
    device: &Device,
    rule: &dyn Rule,
    shape: Shape,
    caps: &Caps,
    edit: Option<&Edit>,
) -> Result<(Vec<Comparison>, usize)> {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut guarded = Guarded::new(device).edited(edit);
    let mut w = random(&mut rng, shape);
    let mut states = vec![Array::zeros(shape); optim::states(rule)];
    guarded.place(Operand::Param(0), shape, Dtype::F32, Some(&w))?;
    for (i, state) in states.iter().enumerate() {
        guarded.place(Operand::State(i), shape, Dtype::F32, Some(state))?;
    }
    for iteration in 0..3 {
        let now = Now { iteration, learning_rate: 0.125, ..Now::default() };
        let d_w = random(&mut rng, shape);
        guarded.place(Operand::DParam(0), shape, Dtype::F32, Some(&d_w))?;
        guarded.run(&optim::update(rule, shape, caps), &now, false)?;
        optim::reference(rule, &mut [(&mut w, d_w, &mut states)], &now);
    }
    let mut found = vec![guarded.compare(Operand::Param(0), &w, 1.0)?];
    for (i, state) in states.iter().enumerate() {
        found.push(guarded.compare(Operand::State(i), state, 1.0)?);
    }
    Ok((found, guarded.broken_guards()?))
}

/// Random gradients of these shapes, clipped by their joint norm: each beside the reference, and how many guard words
/// changed.
///
/// # Errors
/// A kernel does not compile, or the device is lost.
pub fn clip_by_norm(
    device: &Device,
    limit: f32,
    shapes: &[Shape],
    caps: &Caps,
    edit: Option<&Edit>,
) -> Result<(Vec<Comparison>, usize)> {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let mut gradients: Vec<Array> = shapes.iter().map(|&shape| random(&mut rng, shape)).collect();
    let mut guarded = Guarded::new(device).edited(edit);
    for (i, d_w) in gradients.iter().enumerate() {
        guarded.place(Operand::DParam(i), d_w.shape, Dtype::F32, Some(d_w))?;
    }
    guarded.run(&clip::by_norm(limit, shapes, caps), &Now::default(), false)?;
    clip::reference(limit, &mut gradients);
    let compare = |(i, d_w)| guarded.compare(Operand::DParam(i), d_w, 1.0);
    let found = gradients.iter().enumerate().map(compare).collect::<Result<Vec<_>>>()?;
    Ok((found, guarded.broken_guards()?))
}
