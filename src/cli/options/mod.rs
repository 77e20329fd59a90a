//! Groups of options that several subcommands take.

pub mod batch;
pub mod cache;
pub mod fitting;
pub mod loss;
pub mod model;
pub mod optimizer;
pub mod precision;
pub mod presets;
pub mod setup;
pub mod subject;
pub mod tune;
pub mod weights;
