//! What a run leaves for people to look at.

pub mod sheet;
pub mod svg;
