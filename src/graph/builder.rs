//! The graph: append-only, so that the order of indices is a topological order. Shapes are for one sample.

use crate::error::{Error, Result};
use crate::ops::{Dtype, OpRef, ParamSpec, Precision};
use crate::shape::Shape;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParamId(pub usize);

/// An edge of the graph: an input, or the output of a node.
#[derive(Clone, Debug)]
pub struct Value {
    /// The name of the input or of the layer that makes it.
    pub name: String,
    /// Shape of one sample, with a leading 1.
    pub shape: Shape,
    pub dtype: Dtype,
    /// The node that makes it; `None` for an input.
    pub node: Option<NodeId>,
}

/// One layer: an op applied to values.
#[derive(Clone, Debug)]
pub struct Node {
    pub name: String,
    pub op: OpRef,
    pub x: Vec<ValueId>,
    pub params: Vec<ParamId>,
    pub y: ValueId,
}

/// A weight of a layer.
#[derive(Clone, Debug)]
pub struct Param {
    /// `block1_conv1/kernel`
    pub name: String,
    pub spec: ParamSpec,
    pub trainable: bool,
    /// The share of the learning rate that it takes.
    pub rate: f32,
}

/// A static graph of layers. See [`Graph::push`].
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub values: Vec<Value>,
    pub nodes: Vec<Node>,
    pub params: Vec<Param>,
    /// Values whose gradient somebody asks for, whatever trains. See [`Graph::want_gradient`].
    pub wanted: Vec<ValueId>,
}

impl Graph {
    /// Adds an input whose samples have `shape` (a leading 1 stands for the batch).
    pub fn input(&mut self, name: &str, shape: Shape, dtype: Dtype) -> ValueId {
        self.value(name, shape, dtype, None)
    }

    /// Appends a layer and gives its output. Its parameters start trainable, where gradients move them at all.
    ///
    /// # Errors
    /// The op's shape rule, naming op and layer; or a name that is taken.
    pub fn push(&mut self, name: &str, op: OpRef, x: &[ValueId]) -> Result<ValueId> {
        let shapes: Vec<Shape> = x.iter().map(|v| self.values[v.0].shape).collect();
        let refuse = |what| Error::Shape { op: op.kind(), layer: name.to_owned(), what };
        if self.nodes.iter().any(|node| node.name == name) {
            return Err(refuse("another layer has this name; names must differ".to_owned()));
        }
        let y = op.output(&shapes).map_err(refuse)?;
        let first = self.params.len();
        for spec in op.params(&shapes) {
            let name = format!("{name}/{}", spec.name);
            self.params.push(Param { name, spec, trainable: spec.learnt, rate: 1.0 });
        }
        let params = (first..self.params.len()).map(ParamId).collect();
        let y = self.value(name, y, Dtype::F32, Some(NodeId(self.nodes.len())));
        self.nodes.push(Node { name: name.to_owned(), op, x: x.to_vec(), params, y });
        Ok(y)
    }

    fn value(&mut self, name: &str, shape: Shape, dtype: Dtype, node: Option<NodeId>) -> ValueId {
        self.values.push(Value { name: name.to_owned(), shape, dtype, node });
        ValueId(self.values.len() - 1)
    }

    /// Sets which layers train; `trains` sees the layer's name.
    pub fn set_trainable(&mut self, trains: impl Fn(&str) -> bool) {
        for node in &self.nodes {
            let trainable = trains(&node.name);
            for param in &node.params {
                let param = &mut self.params[param.0];
                param.trainable = trainable && param.spec.learnt;
            }
        }
    }

    /// Sets the share of the learning rate that the parameters of `layer` take; nothing where there is no such layer.
    pub fn set_rate(&mut self, layer: &str, rate: f32) {
        for node in self.nodes.iter().filter(|node| node.name == layer) {
            node.params.iter().for_each(|param| self.params[param.0].rate = rate);
        }
    }

    /// Asks for the gradient of the loss with respect to a value: the sweep computes it although nothing below trains.
    /// A plan keeps it where its outputs hold [`crate::graph::role::Role::Gradient`] of the value.
    pub fn want_gradient(&mut self, value: ValueId) {
        self.wanted.push(value);
    }

    /// The value that the layer or input `name` makes.
    pub fn find(&self, name: &str) -> Option<ValueId> {
        self.values.iter().position(|value| value.name == name).map(ValueId)
    }

    pub fn shape(&self, value: ValueId, n: usize) -> Shape {
        self.values[value.0].shape.with_batch(n)
    }

    /// Input shapes of a node for `n` samples.
    pub fn x_shapes(&self, node: &Node, n: usize) -> Vec<Shape> {
        node.x.iter().map(|&x| self.shape(x, n)).collect()
    }

    /// Whether any weight of this node trains.
    pub fn trains(&self, node: &Node) -> bool {
        node.params.iter().any(|p| self.params[p.0].trainable)
    }

    pub fn inputs(&self) -> impl Iterator<Item = ValueId> {
        (0..self.values.len()).map(ValueId).filter(|v| self.values[v.0].node.is_none())
    }

    /// The loss node, where the graph has one.
    pub fn loss(&self) -> Option<NodeId> {
        self.nodes.iter().position(|node| node.op.is_loss()).map(NodeId)
    }

    /// How a layer's output and its gradient, or the gradient of an input, are stored. What a loss reads is f32 whatever
    /// the precision.
    pub fn stored(&self, value: ValueId, training: bool, precision: Precision) -> Dtype {
        let value = self.root(value, training);
        let losses = self.nodes.iter().filter(|node| node.op.is_loss());
        let is_logits = losses.flat_map(|node| &node.x).any(|&x| self.root(x, training) == value);
        match self.values[value.0].node {
            Some(node) if !is_logits => precision.output(&*self.nodes[node.0].op),
            _ => Dtype::F32,
        }
    }

    /// The value under which a view's data really lies.
    pub fn root(&self, value: ValueId, training: bool) -> ValueId {
        match self.values[value.0].node {
            Some(node) if self.nodes[node.0].op.is_view(training) => {
                self.root(self.nodes[node.0].x[0], training)
            }
            _ => value,
        }
    }
}
