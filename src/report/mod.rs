//! What a run leaves for people to look at.

pub mod profile;
pub mod sheet;
pub mod svg;
