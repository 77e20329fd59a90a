//! The optimizer's state under Keras' names, so that a run begun in Keras goes on here, and the other way round.

use crate::error::{Error, Result};
use crate::graph::store::state_name;
use crate::graph::{Graph, Store};
use crate::optim::{Rule, average};
use crate::weights::Source;

/// One state tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// `block2_conv2/kernel/momentum`
    pub keras: String,
    /// Its name on the device.
    pub stored: String,
    pub shape: Vec<usize>,
}

/// Keras' names of the state tensors that a parameter has, in the order in which they are numbered here.
pub fn kinds(rule: &dyn Rule) -> Vec<&'static str> {
    let mut kinds = rule.slots();
    kinds.extend(rule.common().average.map(|_| average::SLOT));
    kinds
}

/// Every state tensor that `rule` keeps for what trains in `graph`.
pub fn slots(graph: &Graph, rule: &dyn Rule) -> Vec<Slot> {
    let kinds = kinds(rule);
    let trained = graph.params.iter().filter(|param| param.trainable);
    let of = |param: &crate::graph::Param| -> Vec<Slot> {
        let slot = |(i, kind): (usize, &&str)| Slot {
            keras: format!("{}/{kind}", param.name),
            stored: state_name(&param.name, i),
            shape: param.spec.shape.dims().to_vec(),
        };
        kinds.iter().enumerate().map(slot).collect()
    };
    trained.flat_map(of).collect()
}

/// Puts the optimizer's state of a Keras file onto the device and gives the number of steps that it has taken.
///
/// # Errors
/// The file holds no state, or one of another optimizer or of other trained layers; nothing is half loaded then.
pub fn restore(source: &mut dyn Source, graph: &Graph, rule: &dyn Rule, store: &mut Store) -> Result<u32> {
    let Some(state) = source.optimizer().cloned() else {
        return Err(Error::weights(source.path(), "holds no optimizer state; start with a fresh one"));
    };
    let find = |slot: &Slot| {
        let found =
            state.slots.iter().position(|entry| entry.name == slot.keras && entry.shape == slot.shape);
        found.ok_or_else(|| {
            let what = format!(
                "its optimizer state has no '{}': it is of another optimizer, or other layers trained; use the \
                 same --optimizer and --freeze, or start with a fresh state",
                slot.keras
            );
            Error::weights(source.path(), what)
        })
    };
    let wanted = slots(graph, rule);
    let found = wanted.iter().map(find).collect::<Result<Vec<usize>>>()?;
    for (slot, index) in wanted.iter().zip(found) {
        store.write(&slot.stored, &source.read_slot(index)?)?;
    }
    Ok(u32::try_from(state.iteration).unwrap_or(u32::MAX))
}
