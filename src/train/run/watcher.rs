//! What a run says of itself while it goes on.

use crate::train::fit::Observer;
use crate::train::schedule::stages::Stage;

/// Who watches a session.
pub trait Watcher: Observer {
    /// Before a stage; `first` is its first epoch, counted from 0.
    fn stage(&mut self, _stage: &Stage, _first: usize) {}

    /// While the frozen part runs over `images` images.
    fn features(&mut self, _done: usize, _images: usize) {}

    /// What ran ahead of the stage and from where its results came, or why nothing did.
    fn cached(&mut self, _about: &str) {}
}

/// Nobody watches.
impl Observer for () {}
impl Watcher for () {}
