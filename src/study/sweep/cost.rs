//! What the experiment costs before it is run: operations, seconds, and the memory of its steps.

use std::sync::Arc;
use std::time::Instant;

use super::{FreezePoints, NOTHING, Taps};
use crate::error::Result;
use crate::graph::fit::fit;
use crate::graph::{Graph, Settings, Store, Sweep};
use crate::nn::init::Random;
use crate::nn::network::Ends;
use crate::nn::{Freeze, Network};
use crate::optim::{Adam, RuleRef};
use crate::train::pretrained::initialise;

impl FreezePoints<'_> {
    /// Floating-point operations of the whole experiment, two for each multiply-add.
    ///
    /// # Errors
    /// A point that is no layer of the base.
    pub fn flops(&self) -> Result<u64> {
        let (train, all) = (self.train.len() as u64, (self.train.len() + self.val.len()) as u64);
        let passes = 1 + self.seeds;
        let mut flops = passes * all * costs(&self.network(NOTHING)?).0;
        for point in self.points.iter().filter(|_| self.epochs > 0) {
            let network = self.network(point)?;
            let (forward, frozen, backward) = costs(&network);
            let epoch = train * (forward - frozen + backward) + (all - train) * (forward - frozen);
            flops += passes * all * frozen + 2 * self.seeds * self.epochs as u64 * epoch;
        }
        Ok(flops)
    }

    /// Seconds that the experiment will take on this device: its operations at the pace of one batch, measured now.
    ///
    /// # Errors
    /// No sample is readable, or the device.
    pub fn estimate(&self, store: &mut Store) -> Result<f64> {
        let network = self.network(NOTHING)?;
        initialise(&network, None, store, Random::new(0))?;
        let mut taps = Taps::new(&network, store, &self.points, self.batch, self.memory)?;
        let Some(batch) = self.train.in_order()?.next() else { return Ok(0.0) };
        let batch = batch?;
        taps.run(batch.bytes(), batch.len())?; // compiles
        let begun = Instant::now();
        taps.run(batch.bytes(), batch.len())?;
        let pace = begun.elapsed().as_secs_f64() / (batch.len() as u64 * costs(&network).0) as f64;
        Ok(pace * self.flops()? as f64)
    }

    /// Planned bytes of a step from pixels through the layers up to `point` and a head.
    pub(super) fn frozen_memory(&self, point: &str, store: &Store) -> Result<u64> {
        let mut architecture = self.architecture.clone();
        let base = &self.architecture.layers[..self.architecture.base];
        let kept = base.iter().position(|layer| layer.name == point).map_or(0, |i| i + 1);
        architecture.layers.drain(kept..architecture.base);
        architecture.base = kept;
        self.planned(&Network::new(architecture, &Freeze::All, 0.0)?.graph, store)
    }

    pub(super) fn planned(&self, graph: &Graph, store: &Store) -> Result<u64> {
        let ends = Ends::of(graph).expect("it has a loss");
        let rule: RuleRef = Arc::new(Adam::default());
        let outputs = vec![ends.losses, ends.probabilities];
        let settings =
            Settings { batch: self.batch, training: true, rule: Some(rule), outputs, ..Settings::default() };
        Ok(fit(graph, store.device().caps(), settings, u64::MAX)?.memory().total())
    }
}

/// Operations of one sample: forward, of that in frozen layers below the first one that trains, and backward.
fn costs(network: &Network) -> (u64, u64, u64) {
    let sweep = Sweep::of(&network.graph);
    let (mut forward, mut frozen, mut backward, mut below) = (0, 0, 0, true);
    for (node, decision) in network.graph.nodes.iter().zip(&sweep.nodes) {
        let flops = 2 * node.op.macs(&network.graph.x_shapes(node, 1));
        below &= !network.graph.trains(node);
        forward += flops;
        frozen += if below { flops } else { 0 };
        backward += flops * (u64::from(decision.wants.d_x[0]) + u64::from(decision.d_w.is_computed()));
    }
    (forward, frozen, backward)
}
