//! Whole Keras models as checkpoints: their layers, and the state of their optimizers.

pub mod compiled;
pub mod model;
pub mod state;
pub mod trained;
