//! Looking inside: what is computed, what is skipped, and why.

pub mod explain;
