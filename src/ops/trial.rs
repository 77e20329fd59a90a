//! A trial runs one op alone on a device, between guard words, and compares it with the reference.

use std::ops::{Deref, DerefMut};

use crate::error::{Error, Result};
use crate::gpu::{Caps, Device, Edit};
use crate::ops::cases::{Case, Inputs};
use crate::ops::guarded::Guarded;
use crate::ops::{Dtype, Lowered, Operand, Part, Rung, Rungs, Site};

pub use crate::ops::guarded::Comparison;

/// One op on one device, its tensors placed between guard words.
pub struct Trial<'a> {
    guarded: Guarded<'a>,
    case: &'a Case,
    inputs: &'a Inputs,
    site: Site<'a>,
}

impl<'a> Trial<'a> {
    /// # Errors
    /// The device has no memory left.
    pub fn new(device: &'a Device, case: &'a Case, rungs: Rungs, inputs: &'a Inputs) -> Result<Trial<'a>> {
        let site = case.site(device.caps(), rungs);
        let mut guarded = Guarded::new(device);
        for (i, x) in inputs.x.iter().enumerate() {
            guarded.place(Operand::X(i), x.shape, case.dtype(Operand::X(i)), Some(x))?;
            guarded.place(Operand::DX(i), x.shape, case.dtype(Operand::DX(i)), None)?;
        }
        for (i, param) in inputs.params.iter().enumerate() {
            guarded.place(Operand::Param(i), param.shape, Dtype::F32, Some(param))?;
            guarded.place(Operand::DParam(i), param.shape, Dtype::F32, None)?;
        }
        guarded.place(Operand::Y, site.y, case.dtype(Operand::Y), None)?;
        guarded.place(Operand::DY, site.y, case.dtype(Operand::DY), Some(&inputs.d_y))?;
        if let Some((shape, dtype)) = case.op.aux(&case.x) {
            guarded.place(Operand::Aux, shape, dtype, None)?;
        }
        Ok(Trial { guarded, case, inputs, site })
    }

    /// Runs an edited text where a kernel has it.
    pub fn edited(mut self, edit: Option<&'a Edit>) -> Self {
        self.guarded = self.guarded.edited(edit);
        self
    }

    pub fn forward_steps(&self) -> Lowered {
        self.case.op.forward(&self.site)
    }

    /// The backward steps for every gradient that exists.
    pub fn backward_steps(&self) -> Lowered {
        self.case.op.backward(&self.site, &self.case.wants())
    }

    /// Runs forward and backward and compares every result with the reference; then adds the gradients once more onto
    /// themselves, which must double them. A view computes nothing, and nothing is compared.
    ///
    /// # Errors
    /// A kernel does not compile, or the device is lost.
    pub fn compare_all(&mut self) -> Result<Vec<Comparison>> {
        let (case, inputs) = (self.case, self.inputs);
        if case.op.is_view(true) {
            return Ok(Vec::new());
        }
        let (given, wants) = (case.given(inputs), case.wants());
        let y = case.op.reference(given);
        let gradients = case.op.reference_backward(given, &y, &inputs.d_y);
        let (forward, backward) = (self.forward_steps(), self.backward_steps());
        self.run(&forward, &inputs.now, false)?;
        let mut found = vec![self.compare(Operand::Y, &y, 1.0)?];
        for (i, moved) in case.op.reference_moved(given) {
            found.push(self.compare(Operand::Param(i), &moved, 1.0)?);
        }
        for (accumulate, times) in [(false, 1.0), (true, 2.0)] {
            self.run(&backward, &inputs.now, accumulate)?;
            for (i, d_x) in gradients.d_x.iter().enumerate() {
                if let Some(d_x) = d_x {
                    found.push(self.compare(Operand::DX(i), d_x, times)?);
                }
            }
            for (i, d_param) in gradients.d_params.iter().enumerate().filter(|(i, _)| wants.d_params[*i]) {
                found.push(self.compare(Operand::DParam(i), d_param, times)?);
            }
        }
        Ok(found)
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

/// [`Trial::compare_all`] on given inputs; a guard word that changed is an error.
///
/// # Errors
/// A kernel does not compile, the device is lost, or a guard changed.
pub fn compare(device: &Device, case: &Case, rungs: Rungs, inputs: &Inputs) -> Result<Vec<Comparison>> {
    let mut trial = Trial::new(device, case, rungs, inputs)?;
    let found = trial.compare_all()?;
    match trial.broken_guards()? {
        0 => Ok(found),
        broken => Err(Error::Device(format!("{}: {broken} guard words were overwritten", case.name()))),
    }
}

/// Each rung that some part of a case can take; parts that cannot take it stay on their default.
pub fn ladder(case: &Case, caps: &Caps) -> Vec<(Rung, Rungs)> {
    let site = case.site(caps, Rungs::all(Rung::Naive));
    let of = |part| case.op.rungs(part, &site);
    let (forward, d_x, d_w) = (of(Part::Forward), of(Part::DX), of(Part::DW));
    let pick = |known: &[Rung], rung| if known.contains(&rung) { rung } else { known[0] };
    let mut all: Vec<Rung> = [forward.clone(), d_x.clone(), d_w.clone()].concat();
    all.sort();
    all.dedup();
    let choose = |rung| Rungs { forward: pick(&forward, rung), d_x: pick(&d_x, rung), d_w: pick(&d_w, rung) };
    all.into_iter().map(|rung| (rung, choose(rung))).collect()
}

/// Rounding to f16 moves a value by at most this share of it.
pub const HALF: f64 = 1.0 / 2048.0;

/// Largest relative distance of `operand` from the reference, three times and more what was measured: 3e-7 for sums of
/// products, 1.4e-7 for the others, and nothing for a pool, which only copies and adds. Winograd's transforms add and
/// subtract what nearly cancels (Lavin and Gray 2015, section 6): 2.3e-6. What is stored as f16 is rounded once, and once
/// more where a gradient of half the size lies there already.
pub fn tolerance(case: &Case, rungs: Rungs, operand: Operand) -> f64 {
    let computed = match case.op.kind() {
        "max_pool2d" => 1e-7,
        _ if rungs.any(|rung| matches!(rung, Rung::Winograd4 | Rung::Winograd4Tiled)) => 4e-6,
        _ => 1e-6,
    };
    computed + rounding(case.dtype(operand))
}

/// What storing a result, and adding a gradient to a stored one, may move it by.
pub fn rounding(dtype: Dtype) -> f64 {
    if dtype == Dtype::F16 { 1.5 * HALF } else { 0.0 }
}
