//! The end of a run with a running average of the weights.

use crate::error::Result;
use crate::graph::store::state_name;
use crate::graph::{Graph, Store};
use crate::optim::Rule;

/// What trained becomes its average, where `rule` keeps one. Source: Keras `finalize_variable_values`.
///
/// # Errors
/// The device is lost.
pub fn adopt(graph: &Graph, rule: &dyn Rule, store: &mut Store) -> Result<()> {
    if rule.common().average.is_none() {
        return Ok(());
    }
    for param in graph.params.iter().filter(|param| param.trainable) {
        let average = store.read(&state_name(&param.name, rule.states()))?;
        store.write(&param.name, &average)?;
    }
    Ok(())
}
