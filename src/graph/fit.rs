//! The largest pass that an adapter and a memory budget hold.

use crate::error::{Error, Result};
use crate::gpu::Caps;
use crate::graph::builder::Graph;
use crate::graph::names;
use crate::graph::plan::Plan;
use crate::graph::settings::Settings;
use crate::graph::store::Store;

/// Plans `settings.batch` samples in one pass if they fit; else in micro-batches of nearly equal size whose gradients
/// accumulate, the fewest that fit. `memory` bounds the plan's bytes.
///
/// # Errors
/// Not even a single sample fits; the error of that plan, with its cure.
pub fn fit(graph: &Graph, caps: &Caps, settings: Settings, memory: u64) -> Result<Plan> {
    Search { graph, caps, memory, held: &|plan| plan.memory().total() }.fit(settings)
}

/// As [`fit`], on the kernels and in the precision of `store`, for a device that holds something already: `memory` bounds
/// all its bytes once the plan is bound to it.
///
/// # Errors
/// As [`fit`].
pub fn fit_beside(graph: &Graph, store: &Store, settings: Settings, memory: u64) -> Result<Plan> {
    let device = store.device();
    let held = |plan: &Plan| device.live_bytes() + names::allocates(graph, plan, |name| store.contains(name));
    Search { graph, caps: device.caps(), memory, held: &held }.fit(store.settings(settings))
}

/// Bytes that a device holds with a program of `first` bound to it and then one that [`fit_beside`] finds for the same
/// graph. `memory` bounds them.
///
/// # Errors
/// As [`fit`].
pub fn held_by_both(
    graph: &Graph,
    caps: &Caps,
    first: &Plan,
    settings: Settings,
    memory: u64,
) -> Result<u64> {
    let known = names::names(graph, first);
    let held =
        |plan: &Plan| first.memory().total() + names::allocates(graph, plan, |name| known.contains(name));
    Ok(held(&Search { graph, caps, memory, held: &held }.fit(settings)?))
}

/// The plan of the most samples, `settings.batch` at most, that fit in one pass.
///
/// # Errors
/// As [`fit`].
pub fn largest(graph: &Graph, caps: &Caps, settings: Settings, memory: u64) -> Result<Plan> {
    Search { graph, caps, memory, held: &|plan| plan.memory().total() }.largest(&settings)
}

struct Search<'a> {
    graph: &'a Graph,
    caps: &'a Caps,
    memory: u64,
    /// Bytes of the device with this plan bound to it.
    held: &'a dyn Fn(&Plan) -> u64,
}

impl Search<'_> {
    fn fit(&self, settings: Settings) -> Result<Plan> {
        let batch = settings.batch;
        match self.plan(&settings, batch) {
            Err(Error::TooLarge { .. }) if batch > 1 => {}
            found => return found,
        }
        let settings = Settings { batch: batch - 1, updates_at_end: true, ..settings };
        let largest = self.largest(&settings)?;
        let even = batch.div_ceil(batch.div_ceil(largest.settings.batch));
        // Fewer samples hardly ever take more memory; where they do, the largest pass is known to fit.
        self.plan(&settings, even).or(Ok(largest))
    }

    /// By bisection, between one sample and `settings.batch`.
    fn largest(&self, settings: &Settings) -> Result<Plan> {
        let mut best = self.plan(settings, 1)?;
        let mut too_large = settings.batch.max(1) + 1;
        while best.settings.batch + 1 < too_large {
            let middle = best.settings.batch.midpoint(too_large);
            match self.plan(settings, middle) {
                Ok(plan) => best = plan,
                Err(Error::TooLarge { .. }) => too_large = middle,
                Err(other) => return Err(other),
            }
        }
        Ok(best)
    }

    fn plan(&self, settings: &Settings, batch: usize) -> Result<Plan> {
        let plan = Plan::new(self.graph, self.caps, Settings { batch, ..settings.clone() })?;
        let needed = (self.held)(&plan);
        if needed <= self.memory {
            return Ok(plan);
        }
        let samples = if batch == 1 { "a single sample".to_owned() } else { format!("{batch} samples") };
        Err(Error::TooLarge {
            what: format!("a pass over {samples}"),
            needed,
            limit_name: "what is left of the memory budget (--memory)",
            limit: self.memory,
            cure: "use a smaller --input or head, or freeze more layers".to_owned(),
        })
    }
}
