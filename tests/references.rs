//! The plain-loop references are the specification: central differences prove each one's backward pass. No device.

use frostline::ops::cases::{self, Case, Inputs};
use frostline::ops::trial::LAYER;
use frostline::ops::{Array, Given};

const STEP: f64 = 1e-5;
const TOLERANCE: f64 = 1e-7;

fn given(inputs: &Inputs) -> Given<'_> {
    Given { x: &inputs.x, params: &inputs.params, now: &inputs.now, layer: LAYER }
}

/// What the gradients are gradients of: y weighed by d_y, or the mean that a loss is part of.
fn objective(case: &Case, inputs: &Inputs) -> f64 {
    let y = case.op.reference(given(inputs));
    if case.op.is_loss() {
        return y.data.iter().sum::<f64>() * f64::from(inputs.now.loss_scale);
    }
    y.data.iter().zip(&inputs.d_y.data).map(|(y, d_y)| y * d_y).sum()
}

/// Compares `gradient` with differences at up to `probes` elements of the array that `pick` finds.
fn probe(
    case: &Case,
    inputs: &mut Inputs,
    pick: impl Fn(&mut Inputs) -> &mut Array,
    gradient: &Array,
    probes: usize,
) {
    let elements = gradient.data.len();
    assert_eq!(pick(inputs).shape, gradient.shape, "{}", case.name());
    // A stride that is odd and not a multiple of a usual number of channels wanders over all positions.
    let stride = (elements / probes).max(1) | 1;
    for e in (0..elements).step_by(stride) {
        let value = pick(inputs).data[e];
        pick(inputs).data[e] = value + STEP;
        let above = objective(case, inputs);
        pick(inputs).data[e] = value - STEP;
        let below = objective(case, inputs);
        pick(inputs).data[e] = value;
        let difference = (above - below) / (2.0 * STEP);
        let off = (difference - gradient.data[e]).abs();
        assert!(
            off <= TOLERANCE * (1.0 + difference.abs()),
            "{} element {e} of {}: {} by hand, {difference} by differences",
            case.name(),
            gradient.shape,
            gradient.data[e]
        );
    }
}

#[test]
fn every_reference_backward_agrees_with_central_differences() {
    for case in cases::all() {
        let mut inputs = case.inputs(1);
        let y = case.op.reference(given(&inputs));
        assert_eq!(y.shape, case.y(), "{}", case.name());
        let gradients = case.op.reference_backward(given(&inputs), &y, &inputs.d_y);
        let probes = if case.op.macs(&case.x) > 200_000 { 12 } else { 150 };
        assert_eq!(gradients.d_x.len(), case.x.len(), "{}", case.name());
        for (i, d_x) in gradients.d_x.iter().enumerate() {
            assert_eq!(d_x.is_some(), case.op.differentiable(i), "{} input {i}", case.name());
            if let Some(d_x) = d_x {
                probe(&case, &mut inputs, |inputs| &mut inputs.x[i], d_x, probes);
            }
        }
        assert_eq!(gradients.d_params.len(), inputs.params.len(), "{}", case.name());
        for (i, d_param) in gradients.d_params.iter().enumerate() {
            probe(&case, &mut inputs, |inputs| &mut inputs.params[i], d_param, probes);
        }
    }
}
