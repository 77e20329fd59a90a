//! Single kernels: each part of each case of the table, on each rung that runs here.

use std::collections::HashMap;

use super::record::{Record, Work};
use super::{Bench, LEAST_RUNS, SECONDS};
use crate::error::Result;
use crate::gpu::Device;
use crate::ops::{Case, Lowered, Part, Precision, Rung, Rungs, cases};
use crate::shape::Shape;
use crate::study::bound::{Bound, lower};
use crate::study::check;
use crate::study::cost::Cost;
use crate::study::timing::{Times, sample};

const PARTS: [Part; 3] = [Part::Forward, Part::DX, Part::DW];

/// Relative errors by small case and rungs: many cases share their small one.
type Checked = HashMap<(String, Rungs), [f64; 3]>;

/// Measures what is selected and gives its number.
pub fn run(bench: &mut Bench) -> Result<usize> {
    let (mut selected, mut checked) = (0, Checked::new());
    for of in all(bench.options.precision) {
        let wanted: Vec<Kernel> = kernels(bench.device, &of.case)
            .into_iter()
            .filter(|kernel| bench.options.selects(&kernel.work.label(), of.quick, kernel.fast))
            .collect();
        if wanted.is_empty() {
            continue;
        }
        selected += wanted.len();
        for kernel in wanted {
            one(bench, &of.case, &kernel, &mut checked)?;
        }
    }
    Ok(selected)
}

pub fn list(device: &Device, precision: Precision) -> Vec<String> {
    all(precision).iter().flat_map(|of| kernels(device, &of.case)).map(|kernel| kernel.work.label()).collect()
}

fn all(precision: Precision) -> Vec<cases::Bench> {
    let at = |of: cases::Bench| cases::Bench { case: of.case.at(precision), ..of };
    cases::bench().into_iter().map(at).collect()
}

/// One part of one case on one rung.
struct Kernel {
    part: Part,
    rungs: Rungs,
    work: Work,
    /// Expected to be faster than the naive rung here, or the only one.
    fast: bool,
}

fn kernels(device: &Device, case: &Case) -> Vec<Kernel> {
    let mut all = Vec::new();
    for part in PARTS {
        let site = case.site(device.caps(), Rungs::all(Rung::Naive));
        let able = case.op.rungs(part, &site);
        if lower(device, case, Rungs::all(able[0]), part).is_none_or(|lowered| lowered.steps.is_empty()) {
            continue;
        }
        let fast = able.iter().position(|rung| *rung == Rung::Naive).unwrap_or(able.len()).max(1);
        for (i, &rung) in able.iter().enumerate() {
            let rungs = everywhere(case, device, rung);
            all.push(Kernel { part, rungs, work: work(case, part, rung.name()), fast: i < fast });
        }
    }
    all
}

/// `rung` for every part that has it, else the part's default: one check then serves all parts.
fn everywhere(case: &Case, device: &Device, rung: Rung) -> Rungs {
    let site = case.site(device.caps(), Rungs::all(Rung::Naive));
    let pick = |part| {
        let able = case.op.rungs(part, &site);
        if able.contains(&rung) { rung } else { able[0] }
    };
    Rungs { forward: pick(Part::Forward), d_x: pick(Part::DX), d_w: pick(Part::DW) }
}

/// What one part of a case is called and costs; `variant` is the rung, or says more.
pub(in crate::study) fn work(case: &Case, part: Part, variant: &str) -> Work {
    let cost = Cost::of(case, part);
    let kernel = case.op.params(&case.x).first().map(|kernel| kernel.shape);
    let shapes: Vec<String> = case.x.iter().chain(&kernel).map(Shape::to_string).collect();
    Work {
        name: format!("{}/{}", case.op.kind(), part.name()),
        shape: shapes.join(" "),
        variant: variant.to_owned(),
        precision: case.precision,
        flops: cost.flops,
        bytes: Some(cost.bytes),
    }
}

fn one(bench: &mut Bench, case: &Case, kernel: &Kernel, checked: &mut Checked) -> Result<()> {
    let rel_error = check(bench, &case.small(), kernel, checked)?;
    if !bench.matches(&kernel.work.label(), rel_error, check::tolerance(case, kernel.part)) {
        return Ok(());
    }
    let lowered = lower(bench.device, case, kernel.rungs, kernel.part).expect("listed because it exists");
    let times = time(bench.device, case, &lowered, (LEAST_RUNS, SECONDS))?;
    (bench.report)(&Record::new(&kernel.work, &times, &bench.roofline, Some(rel_error)));
    Ok(())
}

/// Times of these steps of a case over tensors of their own: at least so many runs, and more until so many seconds
/// have passed.
pub(in crate::study) fn time(
    device: &Device,
    case: &Case,
    lowered: &Lowered,
    (least, seconds): (usize, f64),
) -> Result<Times> {
    let mut bound = Bound::of(device, case)?;
    let launches = bound.prepare(lowered)?;
    device.wait()?;
    let mut times = Times::default();
    sample(&mut times, least, seconds, || device.time(&launches))?;
    Ok(times)
}

/// The relative error of the kernel's part; asked once for all parts of a rung.
fn check(bench: &Bench, small: &Case, kernel: &Kernel, checked: &mut Checked) -> Result<f64> {
    let key = (small.name(), kernel.rungs);
    if let Some(errors) = checked.get(&key) {
        return Ok(errors[kernel.part as usize]);
    }
    let errors = check::rel_errors(bench.device, small, kernel.rungs)?;
    Ok(checked.entry(key).or_insert(errors)[kernel.part as usize])
}
