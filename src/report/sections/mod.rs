//! The parts of the page: each is plain data and a function that draws it.

pub mod calibration;
pub mod classes;
pub mod confusion;
pub mod curves;
pub mod freeze;
pub mod layers;
pub mod losses;
pub mod receipt;
pub mod samples;
pub mod setting;
pub mod shares;
pub mod summary;
