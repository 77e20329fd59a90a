//! One line of a check's report: what the cases of one op on one rung have given.

use serde::Serialize;

use crate::error::Result;
use crate::ops::deviations::Deviations;
use crate::ops::trial::Comparison;
use crate::ops::{Operand, ParamSpec, Precision};

/// All cases of one op on one rung, or all of one rule's.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub op: String,
    pub rung: &'static str,
    pub precision: Precision,
    pub cases: usize,
    /// The largest `|result - reference| / |reference|` in the Euclidean norm, and what it may be.
    pub worst: f64,
    pub limit: f64,
    /// Every element of every result.
    pub deviations: Deviations,
    /// Two runs gave the same bits.
    pub same_bits: bool,
    /// Words beside the tensors that changed.
    pub broken_guards: usize,
    /// What went wrong, a line for each case; none where all is well.
    pub failures: Vec<String>,
}

impl Row {
    /// Whether every case passed.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// Adds two runs of one case with these parameters, each of whose results may be off by `limit`.
    pub(super) fn add(
        &mut self,
        case: &str,
        params: &[ParamSpec],
        runs: [Trialled; 2],
        limit: impl Fn(Operand) -> f64,
    ) {
        self.cases += 1;
        let [(found, broken), (again, _)] = match runs {
            [Ok(first), Ok(second)] => [first, second],
            [Err(error), _] | [_, Err(error)] => return self.stopped(case, &error.to_string()),
        };
        self.broken_guards += broken;
        let mut wrong = Vec::new();
        // A gradient is compared twice: written, and added to what is there.
        let mut said = Vec::new();
        for result in &found {
            let limit = limit(result.operand);
            self.worst = self.worst.max(result.rel_l2);
            self.limit = self.limit.max(limit);
            self.deviations.join(&result.deviations);
            let off = result.rel_l2.is_nan() || result.rel_l2 > limit;
            if off && !said.contains(&result.operand) {
                wrong.push(format!("{} is off by {:.1e}", result.operand.called(params), result.rel_l2));
                said.push(result.operand);
            }
        }
        if broken > 0 {
            wrong.push(format!("{broken} words beside its tensors changed"));
        }
        if found.iter().zip(&again).any(|(a, b)| a.bits != b.bits) {
            self.same_bits = false;
            wrong.push("two runs gave different bits".to_owned());
        }
        if !wrong.is_empty() {
            self.failures.push(format!("{case}: {}", wrong.join(", ")));
        }
    }

    /// A case that could not run; most often a kernel does not compile, for every case anew.
    fn stopped(&mut self, case: &str, why: &str) {
        let known = self.failures.iter().any(|failure| failure.ends_with(why));
        self.failures.push(format!("{case}: {}", if known { "the same" } else { why }));
    }
}

/// The row of this op, rung and precision, added where it is missing.
pub(super) fn row<'r>(
    rows: &'r mut Vec<Row>,
    op: &str,
    rung: &'static str,
    precision: Precision,
) -> &'r mut Row {
    let same = |row: &Row| (row.op.as_str(), row.rung, row.precision) == (op, rung, precision);
    let known = rows.iter().position(same);
    let index = known.unwrap_or_else(|| {
        rows.push(Row {
            op: op.to_owned(),
            rung,
            precision,
            cases: 0,
            worst: 0.0,
            limit: 0.0,
            deviations: Deviations::default(),
            same_bits: true,
            broken_guards: 0,
            failures: Vec::new(),
        });
        rows.len() - 1
    });
    &mut rows[index]
}

/// What one run of a case gives: its results beside their references, and how many guard words changed.
pub(super) type Trialled = Result<(Vec<Comparison>, usize)>;
