//! The freeze-point experiment: how far do the features of each layer carry over? For each point up to which the base is
//! frozen, from pretrained and from random weights, over several seeds:
//!
//! - *frozen*: nothing above the point is used; a linear head trains on the averaged features of the point.
//! - *fine-tuned*: the whole base; what lies above the point trains for a few epochs, under a head that was trained on
//!   the frozen base before.
//!
//! Source: Yosinski et al. 2014, *How transferable are features in deep neural networks?*, section 3.
//!
//! ```
//! use frostline::error::Result;
//! use frostline::graph::Store;
//! use frostline::nn::Architecture;
//! use frostline::study::sweep::{FreezePoints, Taps};
//! use frostline::train::{Samples, pretrained::Pretrained};
//! fn experiment(
//!     (architecture, weights): (Architecture, &Pretrained),
//!     (train, val): (&dyn Samples, &dyn Samples),
//!     store: &mut Store,
//! ) -> Result<()> {
//!     let points = FreezePoints::usual(&architecture);
//!     let (seeds, epochs, batch, memory) = (3, 0, 16, u64::MAX);
//!     let sweep = FreezePoints { architecture, points, train, val, weights, seeds, epochs, batch, memory };
//!     sweep.check()?;
//!     println!("{} operations, about {} s", sweep.flops()?, sweep.estimate(store)?);
//!     let runs = sweep.run(store, |run| println!("{}: {}", run.point, run.accuracy))?;
//!     assert_eq!(runs.len(), 2 * 3 * sweep.points.len());
//!     Ok(())
//! }
//! ```

mod cost;
mod features;
mod runs;

use std::sync::Arc;

use crate::error::{Error, Result, unknown};
use crate::graph::{Graph, Store};
use crate::nn::init::Random;
use crate::nn::network::{LABELS, LOSS, WEIGHTS};
use crate::nn::{Architecture, Freeze, Network, init};
use crate::ops::dense::Dense;
use crate::ops::{Dtype, SoftmaxCrossEntropy};
use crate::optim::{Adam, RuleRef};
use crate::shape::Shape;
use crate::train::features::transfer::{Staged, Staging, stage};
use crate::train::pretrained::{Pretrained, initialise};
use crate::train::{Fit, History, Samples, interrupt};

pub use features::{Point, Taps};
pub use runs::{Mode, Origin, Run, spread};

/// The point before the first layer: nothing is frozen, and the features are the mean colours.
pub const NOTHING: &str = "none";

/// The experiment's setting.
pub struct FreezePoints<'a> {
    /// A base of any depth under a head that pools by the average, for the data's classes.
    pub architecture: Architecture,
    /// [`NOTHING`] or layers of the base, from the pixels up; the last one is where the head of the fine-tuned runs is
    /// trained first.
    pub points: Vec<String>,
    pub train: &'a dyn Samples,
    pub val: &'a dyn Samples,
    /// Pretrained weights of the base.
    pub weights: &'a Pretrained,
    pub seeds: u64,
    /// Epochs of fine-tuning; 0 leaves the fine-tuned runs out.
    pub epochs: usize,
    pub batch: usize,
    /// Bytes that the device may hold.
    pub memory: u64,
}

/// Training of heads: on cached features an epoch takes a blink. The decay takes out what a head's random start put
/// where few images determine anything.
const HEAD: (usize, f32, f32) = (100, 0.003, 1.0);
/// Small steps, so that pretrained weights are bent and not broken.
const TUNE_RATE: f32 = 3e-5;

impl FreezePoints<'_> {
    /// The six points of a VGG: nothing, and each block's pooling.
    pub fn usual(architecture: &Architecture) -> Vec<String> {
        let base = architecture.layers[..architecture.base].iter().map(|layer| layer.name.clone());
        std::iter::once(NOTHING.to_owned()).chain(base.filter(|name| name.ends_with("_pool"))).collect()
    }

    /// # Errors
    /// A point that is no layer of the base, no point, or no seed.
    pub fn check(&self) -> Result<()> {
        let base = self.architecture.layers[..self.architecture.base].iter().map(|layer| layer.name.as_str());
        let known: Vec<&str> = std::iter::once(NOTHING).chain(base).collect();
        if let Some(point) = self.points.iter().find(|point| !known.contains(&point.as_str())) {
            return Err(unknown("layer", point, &known));
        }
        if self.points.is_empty() || self.seeds == 0 {
            return Err(Error::Usage("a sweep takes at least one point and one seed".into()));
        }
        Ok(())
    }

    fn network(&self, point: &str) -> Result<Network> {
        let freeze = if point == NOTHING { Freeze::None } else { Freeze::Until(point.to_owned()) };
        Network::new(self.architecture.clone(), &freeze, 0.0)
    }

    /// Runs everything; `each` sees every run as it ends.
    ///
    /// # Errors
    /// A weight file of another model, no readable sample, a loss that is not a number, Ctrl-C, or the device.
    pub fn run(&self, store: &mut Store, mut each: impl FnMut(&Run)) -> Result<Vec<Run>> {
        self.check()?;
        let mut runs = Vec::new();
        for origin in [Origin::Pretrained, Origin::Random] {
            let heads = self.frozen(origin, store, &mut |run| {
                each(&run);
                runs.push(run);
            })?;
            for point in self.points.iter().filter(|_| self.epochs > 0) {
                self.fine_tuned(origin, point, &heads, store, &mut |run| {
                    each(&run);
                    runs.push(run);
                })?;
            }
        }
        Ok(runs)
    }

    /// The frozen runs of all points, whose features come from one pass; gives for each seed the head on the last point.
    fn frozen(&self, origin: Origin, store: &mut Store, each: &mut dyn FnMut(Run)) -> Result<Vec<Head>> {
        let (mut heads, mut features) = (Vec::new(), None);
        for seed in 0..self.seeds {
            if features.is_none() || origin == Origin::Random {
                let network = self.network(NOTHING)?;
                initialise(&network, self.file(origin), store, Random::new(seed))?;
                let mut taps = Taps::new(&network, store, &self.points, self.batch, self.memory)?;
                features = Some((taps.collect(self.train)?, taps.collect(self.val)?));
            }
            let (train, val) = features.as_ref().expect("collected above");
            for (i, point) in self.points.iter().enumerate() {
                let graph = self.head_graph(train[i].width)?;
                let mut head = Store::new(store.device().clone());
                init::parameters(&graph, &mut head, seed, |_| true)?;
                let history = self.fit(&graph, (&train[i], &val[i]), HEAD, seed, &mut head)?;
                let memory = self.frozen_memory(point, store)?;
                each(Run::of(point, origin, Mode::Frozen, seed, &history, memory));
                if i + 1 == self.points.len() {
                    heads.push(Head { kernel: head.read(KERNEL)?, bias: head.read(BIAS)? });
                }
            }
        }
        Ok(heads)
    }

    /// The fine-tuned runs of one point. Pretrained features below it are the same for every seed.
    fn fine_tuned(
        &self,
        origin: Origin,
        point: &str,
        heads: &[Head],
        store: &mut Store,
        each: &mut dyn FnMut(Run),
    ) -> Result<()> {
        let network = self.network(point)?;
        let logits = network.logits();
        let mut staged: Option<Staged> = None;
        for (seed, head) in (0..).zip(heads) {
            initialise(&network, self.file(origin), store, Random::new(seed))?;
            let kernel = format!("{logits}/kernel");
            // A head that was trained on another layer's features does not fit this base; then it starts at random.
            if store.read(&kernel)?.len() == head.kernel.len() {
                store.write(&kernel, &head.kernel)?;
                store.write(&format!("{logits}/bias"), &head.bias)?;
            }
            if staged.is_none() || origin == Origin::Random {
                let staging = Staging { batch: self.batch, memory: self.memory, cache: None, variants: None };
                staged = Some(stage(&network.graph, store, self.train, Some(self.val), &staging, |_| ())?);
            }
            let parts = staged.as_ref().expect("staged above");
            let samples = (&*parts.train, parts.val.as_deref().expect("validation samples were given"));
            let history = self.fit(&parts.graph, samples, (self.epochs, TUNE_RATE, 0.0), seed, store)?;
            let memory = self.planned(&parts.graph, store)?;
            each(Run::of(point, origin, Mode::FineTuned, seed, &history, memory));
        }
        Ok(())
    }

    fn file(&self, origin: Origin) -> Option<&Pretrained> {
        (origin == Origin::Pretrained).then_some(self.weights)
    }

    fn fit(
        &self,
        graph: &Graph,
        (train, val): (&dyn Samples, &dyn Samples),
        (epochs, learning_rate, decay): (usize, f32, f32),
        seed: u64,
        store: &mut Store,
    ) -> Result<History> {
        let rule: RuleRef = Arc::new(Adam::with_decay(decay));
        let (val, batch, memory) = (Some(val), self.batch, self.memory);
        let base = Fit::new(graph, train, rule);
        let fit = Fit { val, epochs, batch, learning_rate, seed, memory, ..base };
        let result = fit.run(store, &mut ());
        match interrupt::asked() {
            true => Err(Error::Interrupted("stopped; the runs so far are in the CSV file".into())),
            false => result,
        }
    }

    /// One dense layer under a loss, over features of this width.
    fn head_graph(&self, width: usize) -> Result<Graph> {
        let classes = self.architecture.layers.last().and_then(|layer| match layer.kind {
            crate::nn::LayerKind::Dense { units, .. } => Some(units),
            _ => None,
        });
        let classes = classes.ok_or_else(|| Error::Usage("the last layer is not dense".into()))?;
        let mut graph = Graph::default();
        let x = graph.input("features", Shape::new(&[1, width]), Dtype::F32);
        let y = graph.push("head", Arc::new(Dense::new(classes, false)), &[x])?;
        let labels = graph.input(LABELS, Shape::new(&[1]), Dtype::U32);
        let weights = graph.input(WEIGHTS, Shape::new(&[1]), Dtype::F32);
        graph.push(LOSS, Arc::new(SoftmaxCrossEntropy::default()), &[y, labels, weights])?;
        Ok(graph)
    }
}

const KERNEL: &str = "head/kernel";
const BIAS: &str = "head/bias";

/// A trained head's weights.
struct Head {
    kernel: Vec<f32>,
    bias: Vec<f32>,
}
