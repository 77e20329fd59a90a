//! An architecture as plain data: what a checkpoint carries, what Keras' config becomes, and what builds a network.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::nn::Preprocessing;
use crate::ops::conv2d::{Conv2d, Padding};
use crate::ops::dense::Dense;
use crate::ops::dropout::Dropout;
use crate::ops::flatten::Flatten;
use crate::ops::global_average_pool::GlobalAveragePool;
use crate::ops::max_pool2d::MaxPool2d;
use crate::ops::{Op, OpRef};

/// One layer of a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    pub name: String,
    #[serde(flatten)]
    pub kind: LayerKind,
}

/// What a layer does. Names and meanings are Keras'.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum LayerKind {
    Conv2d {
        filters: usize,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: Padding,
        bias: bool,
        relu: bool,
    },
    MaxPool2d {
        window: [usize; 2],
        stride: [usize; 2],
        padding: Padding,
    },
    GlobalAveragePool,
    Flatten,
    Dense {
        units: usize,
        bias: bool,
        relu: bool,
    },
    Dropout {
        rate: f32,
    },
}

impl Layer {
    pub fn new(name: impl Into<String>, kind: LayerKind) -> Layer {
        Layer { name: name.into(), kind }
    }

    /// The op that computes this layer.
    pub fn op(&self) -> OpRef {
        fn shared(op: impl Op + 'static) -> OpRef {
            Arc::new(op)
        }
        match self.kind {
            LayerKind::Conv2d { filters, kernel, stride, padding, bias, relu } => {
                shared(Conv2d { filters, kernel, stride, padding, bias, relu })
            }
            LayerKind::MaxPool2d { window, stride, padding } => {
                shared(MaxPool2d { window, stride, same: padding == Padding::Same })
            }
            LayerKind::GlobalAveragePool => shared(GlobalAveragePool),
            LayerKind::Flatten => shared(Flatten),
            LayerKind::Dense { units, bias, relu } => shared(Dense { units, bias, relu }),
            LayerKind::Dropout { rate } => shared(Dropout { rate }),
        }
    }
}

/// A chain of layers from pixels to logits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Architecture {
    /// The base's name, such as `vgg16`.
    pub model: String,
    /// (height, width) of the input in pixels; three channels.
    pub input: [usize; 2],
    pub preprocessing: Preprocessing,
    /// Base and head, in order. The last layer gives the logits.
    pub layers: Vec<Layer>,
    /// How many of `layers` are the base; the rest is the head.
    pub base: usize,
}

/// How feature maps become a vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// Global average: (h, w, c) becomes (c).
    Avg,
    /// All of them in a row: (h, w, c) becomes (h*w*c).
    #[default]
    Flatten,
}

/// What stands on the base: pooling, hidden layers with ReLU and dropout, then one unit per class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Head {
    pub pool: Pool,
    /// Units of the hidden layers.
    pub hidden: Vec<usize>,
    /// Dropout behind each hidden layer, or before the classifier where there is none; 0 for none.
    pub dropout: f32,
    pub classes: usize,
}

impl Head {
    /// The head's layers under the names that Keras would give them.
    ///
    /// # Errors
    /// Fewer than two classes, a layer without units, or a dropout outside of 0..1.
    pub fn layers(&self) -> Result<Vec<Layer>> {
        self.check()?;
        let mut names = Names::default();
        let mut layers = vec![match self.pool {
            Pool::Avg => Layer::new("global_average_pooling2d", LayerKind::GlobalAveragePool),
            Pool::Flatten => Layer::new("flatten", LayerKind::Flatten),
        }];
        let mut push = |kind: &'static str, layer| layers.push(Layer::new(names.next(kind), layer));
        for &units in &self.hidden {
            push("dense", LayerKind::Dense { units, bias: true, relu: true });
            if self.dropout > 0.0 {
                push("dropout", LayerKind::Dropout { rate: self.dropout });
            }
        }
        if self.hidden.is_empty() && self.dropout > 0.0 {
            push("dropout", LayerKind::Dropout { rate: self.dropout });
        }
        push("dense", LayerKind::Dense { units: self.classes, bias: true, relu: false });
        Ok(layers)
    }

    fn check(&self) -> Result<()> {
        if self.classes < 2 {
            let what = format!("{} classes: a classifier tells two or more apart", self.classes);
            return Err(Error::Usage(what));
        }
        if self.hidden.contains(&0) {
            return Err(Error::Usage("--head has a layer of 0 units; give each at least one".into()));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::Usage(format!(
                "--dropout {}: give a share from 0 up to, not including, 1, such as 0.5",
                self.dropout
            )));
        }
        Ok(())
    }
}

/// Keras' counters: `dense, dense_1, dense_2`.
#[derive(Default)]
struct Names(std::collections::HashMap<&'static str, usize>);

impl Names {
    fn next(&mut self, kind: &'static str) -> String {
        let count = self.0.entry(kind).or_default();
        *count += 1;
        match *count {
            1 => kind.to_owned(),
            n => format!("{kind}_{}", n - 1),
        }
    }
}
