//! Looking inside: what is computed, what is skipped and why; what a network has learnt and looks at; what a kernel
//! costs, and proof that it is right.

pub mod bench;
pub mod bound;
pub mod check;
pub mod cost;
pub mod explain;
pub mod kernels;
pub mod lab;
pub mod layers;
pub mod probe;
pub mod profile;
pub mod roofline;
pub mod show;
pub mod sweep;
pub mod timing;
pub mod trace;
pub mod tune;
