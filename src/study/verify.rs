//! Whether a kernel computes what its reference says: asked before it is timed, and before it is chosen.

use crate::error::Result;
use crate::gpu::Device;
use crate::ops::{Case, Operand, Part, Rungs, trial};

/// Largest relative distance from the reference that rounding explains, Winograd's included.
pub const TOLERANCE: f64 = 1e-5;

/// The largest relative error of the results of one part: infinite where one is not a number, or where the op left a
/// trace outside of its tensors.
///
/// # Errors
/// A kernel does not compile, or the device is lost.
pub fn rel_error(device: &Device, case: &Case, rungs: Rungs, part: Part) -> Result<f64> {
    Ok(rel_errors(device, case, rungs)?[part as usize])
}

/// [`rel_error`] of forward, `d_x` and `d_w`, in this order.
///
/// # Errors
/// A kernel does not compile, or the device is lost.
pub fn rel_errors(device: &Device, case: &Case, rungs: Rungs) -> Result<[f64; 3]> {
    let mut errors = [0f64; 3];
    for found in trial::compare_all(device, case, rungs)? {
        let part = match found.operand {
            Operand::DX(_) => Part::DX,
            Operand::DParam(_) => Part::DW,
            _ => Part::Forward,
        };
        let error =
            if found.rel_l2.is_nan() || found.broken_guards > 0 { f64::INFINITY } else { found.rel_l2 };
        errors[part as usize] = errors[part as usize].max(error);
    }
    Ok(errors)
}
