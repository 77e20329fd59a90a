//! Looking inside: what is computed, what is skipped, and why; and how long it takes.

pub mod bench;
pub mod bound;
pub mod cost;
pub mod explain;
pub mod profile;
pub mod roofline;
pub mod timing;
pub mod tune;
pub mod verify;
