//! The largest pass that an adapter and a memory budget hold.

use crate::error::{Error, Result};
use crate::gpu::Caps;
use crate::graph::builder::Graph;
use crate::graph::plan::{Plan, Settings};

/// Plans `settings.batch` samples in one pass if they fit; else in micro-batches of nearly equal size whose gradients
/// accumulate, the fewest that fit. `memory` bounds the plan's bytes.
///
/// # Errors
/// Not even a single sample fits; the error of that plan, with its cure.
pub fn fit(graph: &Graph, caps: &Caps, settings: Settings, memory: u64) -> Result<Plan> {
    let mut passes = 1;
    loop {
        let micro = settings.batch.div_ceil(passes).max(1);
        let settings = Settings { batch: micro, updates_at_end: passes > 1, ..settings.clone() };
        match Plan::new(graph, caps, settings.clone()).and_then(|plan| within(plan, memory)) {
            Err(Error::TooLarge { .. }) if micro > 1 => passes = next(passes, micro, passes * micro),
            plan => return plan,
        }
    }
}

/// The next number of passes that makes them smaller.
fn next(passes: usize, micro: usize, batch: usize) -> usize {
    (passes + 1).max(batch.div_ceil(micro - 1).min(passes * 2))
}

fn within(plan: Plan, memory: u64) -> Result<Plan> {
    let needed = plan.memory().total();
    if needed <= memory {
        return Ok(plan);
    }
    Err(Error::TooLarge {
        what: format!("a pass over {} samples", plan.settings.batch),
        needed,
        limit_name: "the memory budget (--memory)",
        limit: memory,
        cure: "use a smaller --input or head, or freeze more layers".to_owned(),
    })
}
