//! How large a run is: every stage is planned before anything is allocated.

use crate::error::Result;
use crate::gpu::Caps;
use crate::graph::cut::Cut;
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
    /// Bytes of the device in the largest stage: its frozen part, or a step with the evaluation beside it, or the whole
    /// network judging one image at the end.
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
        if let Some(layer) = &run.data.layer {
            return Size::of_head(run, &graph, &setup::behind(run, &graph, layer)?.rest, caps, memory);
        }
        let (variants, images) = (setup::variants(run), setup::images(run));
        let Parts { cut, feature_bytes, memory, .. } =
            Parts::of(&graph, images, variants.as_ref(), caps, memory);
        // The parameters of one part stay on the device while the other runs.
        let beside = |part: &Graph| bytes_of_parameters(&graph) - bytes_of_parameters(part);
        let frozen = match &cut {
            None => 0,
            Some(cut) => {
                let beside = beside(&cut.prefix);
                beside + of_frozen(run, cut, caps, memory.saturating_sub(beside))?
            }
        };
        let trains = cut.as_ref().map_or(&graph, |cut| &cut.rest);
        let (one_pass, step) = of_training(run, trains, caps, memory.saturating_sub(beside(trains)))?;
        let device = frozen.max(step + beside(trains)).max(of_judging(run, &graph, caps)?);
        Ok(Size { one_pass, device, features: feature_bytes })
    }

    /// Of a stage over a file of features, whose rows are read as they are needed: nothing but `head` runs, while the
    /// parameters of all of `graph` stay on the device.
    fn of_head(run: &Run, graph: &Graph, head: &Graph, caps: &Caps, memory: u64) -> Result<Size> {
        let beside = bytes_of_parameters(graph) - bytes_of_parameters(head);
        let (one_pass, step) = of_training(run, head, caps, memory.saturating_sub(beside))?;
        Ok(Size { one_pass, device: beside + step.max(of_judging(run, head, caps)?), features: 0 })
    }

    /// Bytes of the machine's memory and the device's.
    pub fn total(&self) -> u64 {
        self.device + self.features
    }
}

/// Bytes of the device while the frozen part runs ahead.
fn of_frozen(run: &Run, cut: &Cut, caps: &Caps, memory: u64) -> Result<u64> {
    let settings = features::settings(&cut.prefix, &cut.crossing[0], run.batch)?;
    let settings = Settings { precision: run.precision, ..settings };
    Ok(fit(&cut.prefix, caps, settings, memory)?.memory().total())
}

/// Images of the largest step that runs in one pass, and bytes of a step with the evaluation beside it.
fn of_training(run: &Run, graph: &Graph, caps: &Caps, memory: u64) -> Result<(usize, u64)> {
    let validates = run.data.val > 0;
    let least = match validates {
        false => 0,
        true => passes::plan_evaluation(graph, caps, run.precision)?.memory().beside_parameters(),
    };
    let for_step = memory.saturating_sub(least);
    let step = Setting { rule: run.optimizer.rule(), batch: run.batch, precision: run.precision };
    let one_pass = passes::largest_batch(graph, caps, &step, for_step)?;
    let step = passes::plan_step(graph, caps, &step, for_step)?;
    let bytes = match validates {
        false => step.memory().total(),
        true => passes::with_evaluation(graph, caps, &step, memory)?,
    };
    Ok((one_pass, bytes))
}

/// Bytes of the device while the network of the best epoch judges one image. Nothing trains then, so what kernels make of
/// its weights is made once and kept.
fn of_judging(run: &Run, graph: &Graph, caps: &Caps) -> Result<u64> {
    let mut judging = graph.clone();
    judging.set_trainable(|_| false);
    Ok(passes::plan_evaluation(&judging, caps, run.precision)?.memory().total())
}

fn bytes_of_parameters(graph: &Graph) -> u64 {
    graph.params.iter().map(|param| Dtype::F32.bytes(param.spec.shape.numel())).sum()
}
