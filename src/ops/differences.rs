//! Central differences, which prove that a reference's backward pass is the derivative of its forward pass. In f64, on
//! the host.

use crate::ops::Array;
use crate::ops::cases::{Case, Inputs};

/// Half the distance between the two points of a difference.
const STEP: f64 = 1e-5;
/// Largest disagreement that rounding and the curvature of the losses explain.
pub const TOLERANCE: f64 = 1e-7;

/// The largest `|by hand - by differences| / (1 + |by differences|)` over all gradients of a case, each probed at up to
/// 150 elements (12 where the case is large). `Err` says in words which gradient is missing or has the wrong shape.
///
/// ```
/// use frostline::ops::{Case, GlobalAveragePool, differences};
/// let case = Case::new(GlobalAveragePool, &[&[2, 3, 3, 5]]);
/// assert!(differences::worst(&case).unwrap() <= differences::TOLERANCE);
/// ```
pub fn worst(case: &Case) -> Result<f64, String> {
    let mut inputs = case.inputs(1);
    let y = case.op.reference(case.given(&inputs));
    let gradients = case.op.reference_backward(case.given(&inputs), &y, &inputs.d_y);
    let exist: Vec<bool> = gradients.d_x.iter().map(Option::is_some).collect();
    let wants = case.wants();
    if y.shape != case.y() || exist != wants.d_x || gradients.d_params.len() != inputs.params.len() {
        return Err(format!("{}: the reference gives results of another shape or number", case.name()));
    }
    let mut worst = 0f64;
    for (i, d_x) in gradients.d_x.iter().enumerate() {
        if let Some(d_x) = d_x {
            worst = worst.max(probe(case, &mut inputs, |inputs| &mut inputs.x[i], d_x)?);
        }
    }
    for (i, d_param) in gradients.d_params.iter().enumerate().filter(|(i, _)| wants.d_params[*i]) {
        worst = worst.max(probe(case, &mut inputs, |inputs| &mut inputs.params[i], d_param)?);
    }
    Ok(worst)
}

/// How much each output counts in what the gradients are gradients of: d_y, or a loss's share of the mean.
fn weights(case: &Case, inputs: &Inputs) -> Vec<f64> {
    match case.op.is_loss() {
        true => vec![f64::from(inputs.now.loss_scale); inputs.d_y.data.len()],
        false => inputs.d_y.data.clone(),
    }
}

/// Compares `gradient` with differences at some elements of the array that `pick` finds.
fn probe(
    case: &Case,
    inputs: &mut Inputs,
    pick: impl Fn(&mut Inputs) -> &mut Array,
    gradient: &Array,
) -> Result<f64, String> {
    if pick(inputs).shape != gradient.shape {
        return Err(format!("{}: a gradient has the shape {}", case.name(), gradient.shape));
    }
    let elements = gradient.data.len();
    let probes = if case.op.macs(&case.x) > 200_000 { 12 } else { 150 };
    // A stride that is odd and not a multiple of a usual number of channels wanders over all positions.
    let stride = (elements / probes).max(1) | 1;
    let weights = weights(case, inputs);
    let mut worst = 0f64;
    for e in (0..elements).step_by(stride) {
        let value = pick(inputs).data[e];
        pick(inputs).data[e] = value + STEP;
        let above = case.op.reference(case.given(inputs));
        pick(inputs).data[e] = value - STEP;
        let below = case.op.reference(case.given(inputs));
        pick(inputs).data[e] = value;
        // Output by output, so that those that did not move cancel exactly.
        let moved = above.data.iter().zip(&below.data).map(|(above, below)| above - below);
        let difference = moved.zip(&weights).map(|(moved, w)| moved * w).sum::<f64>() / (2.0 * STEP);
        let off = (difference - gradient.data[e]).abs() / (1.0 + difference.abs());
        worst = worst.max(if off.is_nan() { f64::INFINITY } else { off });
    }
    Ok(worst)
}
