//! The plain-loop references are the specification: central differences prove each one's backward pass. No device.

use frostline::ops::cases::LAYER;
use frostline::ops::cases::{self, Case, Inputs};
use frostline::ops::{Array, Given};

const STEP: f64 = 1e-5;
const TOLERANCE: f64 = 1e-7;

fn given(inputs: &Inputs) -> Given<'_> {
    Given { x: &inputs.x, params: &inputs.params, now: &inputs.now, layer: LAYER }
}

/// How much each output counts in what the gradients are gradients of: d_y, or a loss's share of the mean.
fn weights(case: &Case, inputs: &Inputs) -> Vec<f64> {
    match case.op.is_loss() {
        true => vec![f64::from(inputs.now.loss_scale); inputs.d_y.data.len()],
        false => inputs.d_y.data.clone(),
    }
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
    let weights = weights(case, inputs);
    for e in (0..elements).step_by(stride) {
        let value = pick(inputs).data[e];
        pick(inputs).data[e] = value + STEP;
        let above = case.op.reference(given(inputs));
        pick(inputs).data[e] = value - STEP;
        let below = case.op.reference(given(inputs));
        pick(inputs).data[e] = value;
        // Output by output, so that those that did not move cancel exactly.
        let moved = above.data.iter().zip(&below.data).map(|(above, below)| above - below);
        let difference = moved.zip(&weights).map(|(moved, w)| moved * w).sum::<f64>() / (2.0 * STEP);
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
