//! Looking inside: what is computed, what is skipped and why, what a kernel costs, and proof that it is right.

pub mod check;
pub mod edges;
pub mod explain;
pub mod kernels;
pub mod lab;
