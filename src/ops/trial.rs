//! A trial runs one op alone on a device, between guard words, and compares it with the reference.

use std::ops::{Deref, DerefMut};

use crate::error::{Error, Result};
use crate::gpu::Device;
use crate::ops::cases::{Case, Inputs, LAYER};
use crate::ops::guarded::Guarded;
use crate::ops::reference::Given;
use crate::ops::{Dtype, Lowered, Operand, Rungs, Site, Wants};

pub use crate::ops::guarded::Comparison;

/// One op on one device, its tensors placed between guard words.
pub struct Trial<'a> {
    guarded: Guarded<'a>,
    case: &'a Case,
    site: Site<'a>,
}

impl<'a> Trial<'a> {
    /// # Errors
    /// The device has no memory left.
    pub fn new(device: &'a Device, case: &'a Case, rungs: Rungs, inputs: &Inputs) -> Result<Trial<'a>> {
        let site = case.site(device.caps(), rungs);
        let mut guarded = Guarded::new(device);
        for (i, x) in inputs.x.iter().enumerate() {
            guarded.place(Operand::X(i), x.shape, case.op.input_dtype(i), Some(x))?;
            guarded.place(Operand::DX(i), x.shape, Dtype::F32, None)?;
        }
        for (i, param) in inputs.params.iter().enumerate() {
            guarded.place(Operand::Param(i), param.shape, Dtype::F32, Some(param))?;
            guarded.place(Operand::DParam(i), param.shape, Dtype::F32, None)?;
        }
        guarded.place(Operand::Y, site.y, Dtype::F32, None)?;
        guarded.place(Operand::DY, site.y, Dtype::F32, Some(&inputs.d_y))?;
        if let Some((shape, dtype)) = case.op.aux(&case.x) {
            guarded.place(Operand::Aux, shape, dtype, None)?;
        }
        Ok(Trial { guarded, case, site })
    }

    pub fn forward_steps(&self) -> Lowered {
        self.case.op.forward(&self.site)
    }

    /// The backward steps for every gradient that exists.
    pub fn backward_steps(&self) -> Lowered {
        let d_x = (0..self.case.x.len()).map(|i| self.case.op.differentiable(i)).collect();
        let d_params = vec![true; self.case.op.params(&self.case.x).len()];
        self.case.op.backward(&self.site, &Wants { d_x, d_params })
    }
}

impl<'a> Deref for Trial<'a> {
    type Target = Guarded<'a>;

    fn deref(&self) -> &Guarded<'a> {
        &self.guarded
    }
}

impl DerefMut for Trial<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.guarded
    }
}

/// [`compare`] on random inputs.
///
/// # Errors
/// A kernel does not compile, the device is lost, or a guard changed.
pub fn compare_all(device: &Device, case: &Case, rungs: Rungs) -> Result<Vec<Comparison>> {
    compare(device, case, rungs, &case.inputs(1))
}

/// Runs a case forward and backward on a device and compares every result with the reference; then adds the
/// gradients once more onto themselves, which must double them. A view computes nothing, and nothing is compared.
///
/// # Errors
/// A kernel does not compile, the device is lost, or a guard changed.
pub fn compare(device: &Device, case: &Case, rungs: Rungs, inputs: &Inputs) -> Result<Vec<Comparison>> {
    if case.op.is_view(true) {
        return Ok(Vec::new());
    }
    let given = Given { x: &inputs.x, params: &inputs.params, now: &inputs.now, layer: LAYER };
    let y = case.op.reference(given);
    let gradients = case.op.reference_backward(given, &y, &inputs.d_y);
    let mut trial = Trial::new(device, case, rungs, inputs)?;
    let (forward, backward) = (trial.forward_steps(), trial.backward_steps());
    trial.run(&forward, &inputs.now, false)?;
    let mut found = vec![trial.compare(Operand::Y, &y, 1.0)?];
    for (accumulate, times) in [(false, 1.0), (true, 2.0)] {
        trial.run(&backward, &inputs.now, accumulate)?;
        for (i, d_x) in gradients.d_x.iter().enumerate() {
            if let Some(d_x) = d_x {
                found.push(trial.compare(Operand::DX(i), d_x, times)?);
            }
        }
        for (i, d_param) in gradients.d_params.iter().enumerate() {
            found.push(trial.compare(Operand::DParam(i), d_param, times)?);
        }
    }
    match trial.broken_guards()? {
        0 => Ok(found),
        broken => Err(Error::Device(format!("{}: {broken} guard words were overwritten", case.name()))),
    }
}
