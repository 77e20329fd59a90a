//! Frostline: a from-scratch GPU kernel framework for transfer learning.
//!
//! Rooms, in the order in which they may know each other (`tests/house.rs` holds it):
//! `error, shape <- gpu <- ops, optim <- graph <- nn <- weights, data <- train <- study, report <- cli`.

pub mod cli;
pub mod data;
pub mod error;
pub mod gpu;
pub mod graph;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod report;
pub mod shape;
pub mod study;
pub mod train;
pub mod weights;
