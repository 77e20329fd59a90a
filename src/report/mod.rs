//! What a run leaves for people to look at.

pub mod gradients;
pub mod sheet;
