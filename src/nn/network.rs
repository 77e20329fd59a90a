//! An architecture built into a graph, with handles to its ends.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::graph::role::Role;
use crate::graph::{Graph, NodeId, ValueId};
use crate::nn::architecture::Architecture;
use crate::nn::freeze::Freeze;
use crate::ops::Dtype;
use crate::ops::preprocess::Preprocess;
use crate::ops::softmax_cross_entropy::SoftmaxCrossEntropy;
use crate::shape::Shape;

/// Names of the graph's inputs.
pub const IMAGE: &str = "image";
pub const LABELS: &str = "labels";
pub const WEIGHTS: &str = "sample_weights";
/// Name of the loss node; its auxiliary result is the probabilities.
pub const LOSS: &str = "loss";

/// A graph from pixels to the loss. Cuts of it keep the names, so [`Ends::of`] finds the handles in each part.
#[derive(Clone, Debug)]
pub struct Network {
    pub architecture: Architecture,
    pub graph: Graph,
}

/// Handles to the ends of a graph that holds the loss.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    pub labels: ValueId,
    pub weights: ValueId,
    pub loss: NodeId,
    /// Mean loss is the sum of these over all samples, divided by their number.
    pub losses: Role,
    /// (n, classes), rows sum to one.
    pub probabilities: Role,
}

impl Network {
    /// Builds the graph: preprocessing, the layers, and the loss over integer labels with per-sample weights.
    ///
    /// # Errors
    /// A layer whose shapes do not fit, or a freezing choice that names no layer.
    pub fn new(architecture: Architecture, freeze: &Freeze, smoothing: f32) -> Result<Network> {
        let loss = SoftmaxCrossEntropy { smoothing, soft: false };
        Network::with_pixels(architecture, freeze, loss, |_, image| Ok(image))
    }

    /// As [`Network::new`], with what `augment` pushes between the image and the preprocessing: ops that give f32
    /// pixels of 0 to 255. Where the loss is soft the labels are targets (n, classes).
    ///
    /// # Errors
    /// As [`Network::new`], and those of `augment`.
    pub fn with_pixels(
        architecture: Architecture,
        freeze: &Freeze,
        loss: SoftmaxCrossEntropy,
        augment: impl FnOnce(&mut Graph, ValueId) -> Result<ValueId>,
    ) -> Result<Network> {
        let frozen = freeze.count(&architecture)?;
        let mut graph = Graph::default();
        let [h, w] = architecture.input;
        let image = graph.input(IMAGE, Shape::new(&[1, h, w, 3]), Dtype::U8);
        let pixels = augment(&mut graph, image)?;
        let dtype = graph.values[pixels.0].dtype;
        let p = architecture.preprocessing;
        let preprocess =
            Preprocess { order: p.source(), scale: p.scale(), offset: p.offset(), pixels: dtype };
        let mut x = graph.push("preprocess", Arc::new(preprocess), &[pixels])?;
        for layer in &architecture.layers {
            x = graph.push(&layer.name, layer.op(), &[x])?;
        }
        let (shape, dtype) = match loss.soft {
            true => (graph.values[x.0].shape, Dtype::F32),
            false => (Shape::new(&[1]), Dtype::U32),
        };
        let labels = graph.input(LABELS, shape, dtype);
        let weights = graph.input(WEIGHTS, Shape::new(&[1]), Dtype::F32);
        graph.push(LOSS, Arc::new(loss), &[x, labels, weights])?;
        let names: Vec<&str> =
            architecture.layers[..frozen].iter().map(|layer| layer.name.as_str()).collect();
        graph.set_trainable(|layer| !names.contains(&layer));
        Ok(Network { architecture, graph })
    }

    /// # Errors
    /// The model tells another number of classes than `classes`.
    pub fn check_classes(&self, classes: usize) -> Result<()> {
        let ends = Ends::of(&self.graph).expect("a network has a loss");
        let known = self.graph.values[self.graph.nodes[ends.loss.0].x[0].0].shape.last();
        match known == classes {
            true => Ok(()),
            false => Err(Error::Usage(format!("the model tells {known} classes, the data has {classes}"))),
        }
    }

    /// The layer whose output is the logits.
    pub fn logits(&self) -> &str {
        &self.architecture.layers.last().expect("a network has layers").name
    }
}

impl Ends {
    /// The handles of a graph that contains the loss; `None` for a prefix.
    pub fn of(graph: &Graph) -> Option<Ends> {
        let loss = graph.loss()?;
        Some(Ends {
            labels: graph.find(LABELS)?,
            weights: graph.find(WEIGHTS)?,
            loss,
            losses: Role::Activation(graph.nodes[loss.0].y),
            probabilities: Role::Aux(loss),
        })
    }
}
