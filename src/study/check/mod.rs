//! Proof that this machine computes rightly: every kernel and every rung on this adapter, between guard words, against
//! its f64 reference; twice, for the same bits; and every reference against finite differences.
//!
//! ```no_run
//! use frostline::gpu::{Device, adapter::Choice};
//! use frostline::ops::{Part, Rung, Rungs};
//! use frostline::shape::Shape;
//! use frostline::study::check::{Check, TOLERANCE, rel_errors};
//! let device = Device::open(&Choice::Best)?;
//! let check = Check::of("conv2d")?.at(Shape::new(&[2, 14, 14, 64]))?;
//! let errors = rel_errors(&device, &check.cases[0], Rungs::all(Rung::Naive))?;
//! assert!(errors[Part::DX as usize] <= TOLERANCE);
//! let report = check.run(&device, |case| println!("{case}"));
//! println!("{report}");
//! assert!(report.passed(), "{:?}", report.failures().collect::<Vec<_>>());
//! assert!(report.rows.iter().all(|row| row.passed() && row.same_bits));
//! # Ok::<(), frostline::error::Error>(())
//! ```

mod errors;
mod row;
mod table;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::gpu::{Caps, Device, Edit};
use crate::ops::cases::{self, Case};
use crate::ops::trial::{self, Trial};
use crate::ops::{Precision, Rung, Rungs, differences, gemm};
use crate::optim::{self, Rule, trial as rules};
use crate::shape::Shape;
use crate::study::kernels;

use self::row::{Trialled, row};

pub use errors::{TOLERANCE, rel_errors, tolerance};
pub use row::Row;
pub use table::Environment;

/// What is checked, and with which text.
#[derive(Clone, Debug)]
pub struct Check<'a> {
    pub cases: Vec<Case>,
    pub rules: bool,
    /// Finite differences of the cases' references, which need no device.
    pub differences: bool,
    /// An edited kernel in the place of the shipped one; only rungs that it touches are checked.
    pub edit: Option<&'a Edit>,
}

/// Finite differences of one op's references.
#[derive(Clone, Debug, Serialize)]
pub struct Differences {
    pub op: String,
    pub cases: usize,
    pub worst: f64,
    pub limit: f64,
    pub failures: Vec<String>,
}

/// The result of a check. Displayed, it is the table that `frostline check` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub environment: Environment,
    pub rows: Vec<Row>,
    /// What this adapter cannot run, and why.
    pub left_out: Vec<String>,
    pub differences: Vec<Differences>,
}

impl Check<'_> {
    /// Every case of every op, and the update rules.
    pub fn everything() -> Check<'static> {
        Check { cases: cases::all(), rules: true, differences: true, edit: None }
    }

    /// The cases of the op or rule `name`.
    ///
    /// # Errors
    /// Nothing has this name; the message suggests the nearest.
    pub fn of(name: &str) -> Result<Check<'static>> {
        let mut known: Vec<&str> = cases::all().iter().map(|case| case.op.kind()).collect();
        known.dedup();
        known.push("rules");
        if !known.contains(&name) {
            return Err(crate::error::unknown("op", name, &known));
        }
        let mut check = Check::everything();
        check.cases.retain(|case| case.op.kind() == name);
        check.rules = name == "rules";
        Ok(check)
    }

    /// The same cases over tensors of each of these precisions; update rules and references know none and are left out
    /// where f32 is not among them.
    pub fn over(mut self, precisions: &[Precision]) -> Self {
        let f32_too = precisions.contains(&Precision::F32);
        self.rules &= f32_too;
        self.differences &= f32_too;
        let at = |&precision| self.cases.iter().map(move |case| case.clone().at(precision));
        self.cases = precisions.iter().flat_map(at).collect();
        self
    }

    /// The same ops over a first input of `shape` (batch included); ops that it does not fit are left out.
    ///
    /// # Errors
    /// It fits no op; the message is the last op's.
    pub fn at(mut self, shape: Shape) -> Result<Self> {
        let (mut refused, mut cases) = (String::from("no op is left"), Vec::<Case>::new());
        for case in self.cases {
            let other = |x: &Shape| if *x == case.x[0] { shape } else { x.with_batch(shape.dims()[0]) };
            let moved = Case { x: case.x.iter().map(other).collect(), ..case };
            match moved.op.output(&moved.x) {
                Ok(_) if cases.iter().any(|known| format!("{known:?}") == format!("{moved:?}")) => {}
                Ok(_) => cases.push(moved),
                Err(what) => refused = format!("{}: {what}", moved.op.kind()),
            }
        }
        if cases.is_empty() {
            return Err(Error::Usage(format!("--shape {shape} fits no case: {refused}")));
        }
        (self.cases, self.rules) = (cases, false);
        Ok(self)
    }

    /// Runs everything; `progress` sees the name of each case before it runs. What fails stands in the report.
    pub fn run(&self, device: &Device, mut progress: impl FnMut(&str)) -> Report {
        let mut rows: Vec<Row> = Vec::new();
        for case in self.cases.iter().filter(|case| !case.op.is_view(true)) {
            progress(&case.name());
            for (rung, rungs) in trial::ladder(case, device.caps()) {
                if self.edit.is_some_and(|edit| !kernels::runs(case, device.caps(), rungs, edit)) {
                    continue;
                }
                let limit = |operand| trial::tolerance(case, rungs, operand);
                let row = row(&mut rows, case.op.kind(), rung.name(), case.precision);
                let runs = [(); 2].map(|()| one(device, case, rungs, self.edit));
                row.add(&case.name(), &case.op.params(&case.x), runs, limit);
            }
        }
        if self.rules {
            self.run_rules(device, &mut rows, &mut progress);
        }
        let differences = if self.differences { self.run_differences(&mut progress) } else { Vec::new() };
        let left_out = self.left_out(device.caps());
        Report { environment: Environment::of(device), rows, left_out, differences }
    }

    /// A line for each rung of the matrix products that does not run on an adapter, and one for half precision.
    fn left_out(&self, caps: &Caps) -> Vec<String> {
        let products = self.cases.iter().any(|case| case.op.macs(&case.x) > 0);
        let unmet = |rung: Rung| Some((rung.name(), gemm::unmet(rung, caps)?));
        let rungs = Rung::ALL.into_iter().filter_map(unmet).filter(|_| products);
        let half = (!caps.f16).then_some(("half precision", "f16"));
        rungs.chain(half).map(|(what, needs)| format!("{what}: needs {needs}")).collect()
    }

    fn run_rules(&self, device: &Device, rows: &mut Vec<Row>, progress: &mut impl FnMut(&str)) {
        for rule in optim::cases() {
            progress(rule.name());
            let row = row(rows, rule.name(), "naive", Precision::F32);
            for shape in rules::shapes() {
                let steps =
                    |rule: &dyn Rule| rules::three_steps(device, rule, shape, device.caps(), self.edit);
                let runs = [(); 2].map(|()| steps(&*rule));
                row.add(&format!("{rule:?} {shape}"), &[], runs, |_| rules::TOLERANCE);
            }
        }
        progress("clip");
        let row = row(rows, "clip", "naive", Precision::F32);
        for limit in [1.0, 1e6] {
            let clip = || rules::clip_by_norm(device, limit, &rules::shapes(), device.caps(), self.edit);
            row.add(&format!("clip at {limit}"), &[], [(); 2].map(|()| clip()), |_| rules::TOLERANCE);
        }
    }

    fn run_differences(&self, progress: &mut impl FnMut(&str)) -> Vec<Differences> {
        let mut all: Vec<Differences> = Vec::new();
        for case in self.cases.iter().filter(|case| case.precision == Precision::F32) {
            progress(&format!("{} by differences", case.name()));
            let op = case.op.kind();
            if all.last().is_none_or(|last| last.op != op) {
                let limit = differences::TOLERANCE;
                all.push(Differences { op: op.into(), cases: 0, worst: 0.0, limit, failures: Vec::new() });
            }
            let entry = all.last_mut().expect("pushed above");
            entry.cases += 1;
            match differences::worst(case) {
                Ok(off) if off <= entry.limit => entry.worst = entry.worst.max(off),
                Ok(off) => entry.failures.push(format!("{}: off by {off:.1e}", case.name())),
                Err(what) => entry.failures.push(what),
            }
        }
        all
    }
}

impl Report {
    /// Whether nothing failed.
    pub fn passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// How many cases were tried: on each rung, and by differences.
    pub fn cases(&self) -> usize {
        let differences = self.differences.iter().map(|d| d.cases);
        self.rows.iter().map(|row| row.cases).chain(differences).sum()
    }

    /// Every failure in words, case by case.
    pub fn failures(&self) -> impl Iterator<Item = &String> {
        let differences = self.differences.iter().flat_map(|d| &d.failures);
        self.rows.iter().flat_map(|row| &row.failures).chain(differences)
    }
}

/// One case forward and backward on the device: every result beside its reference, and how many guard words of all
/// tensors changed.
///
/// # Errors
/// A kernel does not compile, or the device is lost.
fn one(device: &Device, case: &Case, rungs: Rungs, edit: Option<&Edit>) -> Trialled {
    let inputs = case.inputs(1);
    let mut trial = Trial::new(device, case, rungs, &inputs)?.edited(edit);
    let found = trial.compare_all()?;
    Ok((found, trial.broken_guards()?))
}
