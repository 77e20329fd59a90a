//! How far a run is: all that changes while it goes on, apart from the tensors on the device. A checkpoint holds it.

use serde::{Deserialize, Serialize};

use crate::train::callbacks::early_stopping::Waiting;
use crate::train::callbacks::history::History;
use crate::train::callbacks::plateau::Flatness;
use crate::train::metrics::Metrics;
use crate::train::shares::Shares;

/// Together with the weights and the optimizer's state this is enough to go on with the same bits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The stage under way, from 0; the number of stages once the run is complete.
    pub stage: usize,
    pub in_stage: InStage,
    pub in_epoch: InEpoch,
    /// The epochs of all stages that are complete.
    pub history: History,
}

/// What a new stage begins anew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InStage {
    /// Complete epochs.
    pub epochs: usize,
    /// Steps of the optimizer.
    pub iteration: u32,
    /// Samples of one pass; `None` before the first step.
    pub micro: Option<usize>,
    /// The full learning rate as plateaus have left it; `None` before the first step.
    pub rate: Option<f32>,
    pub waiting: Waiting,
    pub flatness: Flatness,
}

/// What a new epoch begins anew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InEpoch {
    /// Places of the epoch's order that are done with.
    pub place: usize,
    pub metrics: Metrics,
    /// The rate of the latest step; in a saved run, of the next one.
    pub rate: f32,
    pub seconds: f64,
    pub shares: Shares,
}

impl Progress {
    /// The epoch under way, counted over all stages: the key of its order.
    pub fn epoch(&self) -> usize {
        self.history.rows.len()
    }

    /// Whether the optimizer has no state yet.
    pub fn stage_is_new(&self) -> bool {
        self.in_stage == InStage::default() && self.in_epoch == InEpoch::default()
    }

    /// On to the next stage; gives what the one before had come to.
    pub fn next_stage(&mut self) -> InStage {
        self.stage += 1;
        self.in_epoch = InEpoch::default();
        std::mem::take(&mut self.in_stage)
    }
}
