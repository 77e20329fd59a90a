//! What looks at each epoch: the history, the figure that epochs are compared by, and what stops or slows a run.

pub mod early_stopping;
pub mod events;
pub mod history;
pub mod monitor;
pub mod plateau;

pub use early_stopping::EarlyStopping;
pub use history::{EpochRow, History};
pub use monitor::Monitor;
pub use plateau::Plateau;
