//! Training: samples in, a checkpoint out.

pub mod augment;
pub mod average;
pub mod checkpoint;
pub mod convert;
pub mod evaluate;
pub mod features;
pub mod fit;
pub mod history;
pub mod interrupt;
pub mod keras_model;
pub mod keras_state;
pub mod metrics;
pub mod passes;
pub mod pretrained;
pub mod samples;
pub mod transfer;
pub mod weighting;

pub use checkpoint::Checkpoint;
pub use fit::{Fit, Observer};
pub use history::{EpochRow, History};
pub use metrics::Metrics;
pub use samples::{FeatureSamples, ImageSamples, Minibatch, Samples};
pub use weighting::Weighting;
