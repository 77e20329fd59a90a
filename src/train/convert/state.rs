//! The state of an optimizer in a file of either kind: Keras names its tensors, a run's checkpoint numbers them.

use crate::error::Result;
use crate::optim::keras::Described;
use crate::train::checkpoint::state_of;
use crate::train::keras::state::kinds;
use crate::train::keras::trained::Trained;
use crate::weights::{Entry, Source};

/// The state of an optimizer, wherever the source has it.
pub(super) struct Found {
    pub iteration: u64,
    /// `None` for a schedule.
    pub learning_rate: Option<f32>,
    pub slots: Vec<Slot>,
}

/// One tensor of it, under Keras' name: `block2_conv2/kernel/momentum`.
#[derive(Clone)]
pub(super) struct Slot {
    pub name: String,
    pub shape: Vec<usize>,
    pub place: Place,
}

#[derive(Clone, Copy)]
pub(super) enum Place {
    Entry(usize),
    Slot(usize),
}

impl Place {
    pub fn read(self, source: &mut dyn Source) -> Result<Vec<f32>> {
        match self {
            Place::Entry(index) => source.read(index),
            Place::Slot(index) => source.read_slot(index),
        }
    }
}

impl Found {
    /// A Keras file says it itself; a run's checkpoint has numbered tensors, which `trained` names.
    pub fn of(source: &dyn Source, trained: Option<&Trained>) -> Option<Found> {
        if let Some(state) = source.optimizer() {
            let slot = |(i, entry): (usize, &Entry)| Slot::new(&entry.name, entry, Place::Slot(i));
            let slots = state.slots.iter().enumerate().map(slot).collect();
            return Some(Found { iteration: state.iteration, learning_rate: state.learning_rate, slots });
        }
        let trained = trained?;
        let Described { optimizer, learning_rate } = &trained.compiled.described;
        let rule = optimizer.rule();
        let kinds = kinds(rule.as_ref());
        let slot = |(i, entry): (usize, &Entry)| {
            let (param, kind) = state_of(&entry.name)?;
            Some(Slot::new(&format!("{param}/{}", kinds.get(kind)?), entry, Place::Entry(i)))
        };
        let slots = source.entries().iter().enumerate().filter_map(slot).collect();
        let scheduled = rule.common().decay > 0.0;
        let learning_rate = learning_rate.filter(|_| !scheduled);
        Some(Found { iteration: trained.iteration.into(), learning_rate, slots })
    }
}

impl Slot {
    fn new(name: &str, entry: &Entry, place: Place) -> Slot {
        Slot { name: name.to_owned(), shape: entry.shape.clone(), place }
    }
}
