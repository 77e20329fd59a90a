//! How large a run is: every stage is planned before anything is allocated.

use crate::error::Result;
use crate::gpu::Caps;
use crate::graph::fit::fit;
use crate::graph::{Graph, Settings};
use crate::ops::Dtype;
use crate::train::features;
use crate::train::features::transfer::Parts;
use crate::train::passes::{self, Setting};
use crate::train::run::Run;
use crate::train::run::setup;
use crate::train::schedule::stages::Stage;

/// What a run takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Images of the largest step that runs in one pass in every stage, the run's batch at most.
    pub one_pass: usize,
    /// Bytes of the device in the largest stage: a step, and the evaluation beside it.
    pub device: u64,
    /// Bytes of the frozen part's results, in the machine's memory.
    pub features: u64,
}

impl Size {
    /// The size of `run` on such an adapter, within `memory` bytes.
    ///
    /// # Errors
    /// Not even one image fits, with the cure.
    pub fn of(run: &Run, caps: &Caps, memory: u64) -> Result<Size> {
        let mut all = Size { one_pass: run.batch, device: 0, features: 0 };
        for stage in &run.stages {
            let size = Size::of_stage(run, stage, caps, memory)?;
            all.one_pass = all.one_pass.min(size.one_pass);
            all.device = all.device.max(size.device);
            all.features = all.features.max(size.features);
        }
        Ok(all)
    }

    fn of_stage(run: &Run, stage: &Stage, caps: &Caps, memory: u64) -> Result<Size> {
        let graph = setup::graph(run, stage)?;
        let (variants, images) = (setup::variants(run), setup::images(run));
        let Parts { cut, feature_bytes, memory, .. } =
            Parts::of(&graph, images, variants.as_ref(), caps, memory);
        // The parameters of one part stay on the device while the other runs.
        let beside = |part: &Graph| bytes_of_parameters(&graph) - bytes_of_parameters(part);
        let within = |part: &Graph| memory.saturating_sub(beside(part));
        if let Some(cut) = &cut {
            let precision = run.precision;
            let settings = Settings { precision, ..features::settings(&cut.prefix, &cut.crossing[0], 1)? };
            fit(&cut.prefix, caps, settings, within(&cut.prefix))?;
        }
        let trains = cut.as_ref().map_or(&graph, |cut| &cut.rest);
        let evaluation = match run.data.val {
            0 => 0,
            _ => passes::plan_evaluation(trains, caps, run.precision)?.memory().beside_parameters(),
        };
        let memory = within(trains).saturating_sub(evaluation);
        let step = Setting { rule: run.optimizer.rule(), batch: run.batch, precision: run.precision };
        let one_pass = passes::largest_batch(trains, caps, &step, memory)?;
        let step = passes::plan_step(trains, caps, &step, memory)?;
        let device = step.memory().total() + beside(trains) + evaluation;
        Ok(Size { one_pass, device, features: feature_bytes })
    }
}

fn bytes_of_parameters(graph: &Graph) -> u64 {
    graph.params.iter().map(|param| Dtype::F32.bytes(param.spec.shape.numel())).sum()
}
