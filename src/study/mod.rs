//! Looking inside: what is computed, what is skipped and why, what a kernel costs, and proof that it is right.

pub mod bench;
pub mod bound;
pub mod check;
pub mod cost;
pub mod edges;
pub mod explain;
pub mod kernels;
pub mod lab;
pub mod profile;
pub mod roofline;
pub mod timing;
pub mod tune;
pub mod verify;
