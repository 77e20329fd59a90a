//! Training: samples in, a checkpoint out.

pub mod advise;
pub mod augment;
pub mod average;
pub mod callbacks;
pub mod checkpoint;
pub mod convert;
pub mod digest;
pub mod evaluate;
pub mod features;
pub mod fit;
pub mod interrupt;
pub mod keras;
pub mod lr_find;
pub mod metrics;
pub mod passes;
pub mod pretrained;
pub mod progress;
pub mod receipt;
pub mod run;
pub mod samples;
pub mod schedule;
pub mod scores;
pub mod shares;
pub mod weighting;

pub use callbacks::{EarlyStopping, EpochRow, History, Monitor, Plateau};
pub use checkpoint::Checkpoint;
pub use fit::{Fit, Observer};
pub use metrics::Metrics;
pub use progress::Progress;
pub use run::{Run, Session, Size, Watcher};
pub use samples::{FeatureSamples, ImageSamples, Minibatch, Samples};
pub use schedule::{Curve, Schedule, Stage};
pub use shares::Shares;
pub use weighting::Weighting;
