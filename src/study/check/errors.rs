//! One number for each part of a case: asked before a kernel is timed, and before it is chosen.

use super::one;
use crate::error::Result;
use crate::gpu::Device;
use crate::ops::trial::rounding;
use crate::ops::{Case, Operand, Part, Rungs};

/// Largest relative distance from the reference that rounding explains in the longest sums, Winograd's included.
pub const TOLERANCE: f64 = 1e-5;

/// [`TOLERANCE`], and what rounding to half precision adds where this part's result is stored so.
pub fn tolerance(case: &Case, part: Part) -> f64 {
    let result = match part {
        Part::DX => Operand::DX(0),
        Part::DW => Operand::DParam(0),
        Part::Forward | Part::Update => Operand::Y,
    };
    TOLERANCE + rounding(case.dtype(result))
}

/// The largest relative errors of forward, `d_x` and `d_w`, in this order: infinite where a result is not a number, or
/// where the op left a trace outside of its tensors.
///
/// # Errors
/// A kernel does not compile, or the device is lost.
pub fn rel_errors(device: &Device, case: &Case, rungs: Rungs) -> Result<[f64; 3]> {
    let (found, broken) = one(device, case, rungs, None)?;
    let mut errors = [if broken > 0 { f64::INFINITY } else { 0.0 }; 3];
    for result in found {
        let part = match result.operand {
            Operand::DX(_) => Part::DX,
            Operand::DParam(_) => Part::DW,
            _ => Part::Forward,
        };
        let error = if result.rel_l2.is_nan() { f64::INFINITY } else { result.rel_l2 };
        errors[part as usize] = errors[part as usize].max(error);
    }
    Ok(errors)
}
