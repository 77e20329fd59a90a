//! An architecture as plain data: what a checkpoint carries, what Keras' config becomes, and what builds a network.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, unknown};
use crate::nn::Preprocessing;
use crate::ops::batch_norm::BatchNorm;
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
    BatchNorm {
        momentum: f32,
        epsilon: f32,
        relu: bool,
    },
}

impl Layer {
    pub fn new(name: impl Into<String>, kind: LayerKind) -> Layer {
        Layer { name: name.into(), kind }
    }

    /// Whether its results go through a ReLU.
    pub fn is_rectified(&self) -> bool {
        match self.kind {
            LayerKind::Conv2d { relu, .. }
            | LayerKind::Dense { relu, .. }
            | LayerKind::BatchNorm { relu, .. } => relu,
            _ => false,
        }
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
            LayerKind::BatchNorm { momentum, epsilon, relu } => shared(BatchNorm { momentum, epsilon, relu }),
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

impl Architecture {
    /// The base up to and including `layer`, with another head on it.
    ///
    /// # Errors
    /// No layer of the base has this name, or a head that makes no sense.
    pub fn ending_at(&self, layer: &str, head: &Head) -> Result<Architecture> {
        let mut layers = self.layers[..self.base].to_vec();
        up_to(&mut layers, layer)?;
        let base = layers.len();
        layers.extend(head.layers()?);
        Ok(Architecture { layers, base, ..self.clone() })
    }

    /// A head on a base, for square images of `input` pixels a side.
    pub fn stack(
        model: &str,
        base: Vec<Layer>,
        input: usize,
        preprocessing: Preprocessing,
        head: Vec<Layer>,
    ) -> Architecture {
        let (model, count) = (model.to_owned(), base.len());
        let layers = base.into_iter().chain(head).collect();
        Architecture { model, input: [input; 2], preprocessing, layers, base: count }
    }
}

/// Leaves out what stands above the layer `name` of a base.
///
/// # Errors
/// No layer has this name; the message suggests the nearest.
pub fn up_to(base: &mut Vec<Layer>, name: &str) -> Result<()> {
    match base.iter().position(|layer| layer.name == name) {
        Some(last) => {
            base.truncate(last + 1);
            Ok(())
        }
        None => {
            let names: Vec<&str> = base.iter().map(|layer| layer.name.as_str()).collect();
            Err(unknown("layer", name, &names))
        }
    }
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

/// What stands on the base: pooling, hidden layers with ReLU, normalisation and dropout, then one unit per class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Head {
    pub pool: Pool,
    /// Units of the hidden layers.
    pub hidden: Vec<usize>,
    /// Batch normalisation between each hidden layer and its ReLU.
    pub batch_norm: bool,
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
        self.layers_with(&[self.dropout])
    }

    /// As [`Head::layers`], with a dropout for each hidden layer; the last one serves those beyond.
    ///
    /// # Errors
    /// As [`Head::layers`]; or no dropout, or more of them than hidden layers.
    pub fn layers_with(&self, dropouts: &[f32]) -> Result<Vec<Layer>> {
        self.check(dropouts)?;
        let dropout = |layer: usize| dropouts[layer.min(dropouts.len() - 1)];
        let mut names = Names::default();
        let mut layers = vec![match self.pool {
            Pool::Avg => Layer::new("global_average_pooling2d", LayerKind::GlobalAveragePool),
            Pool::Flatten => Layer::new("flatten", LayerKind::Flatten),
        }];
        let mut push = |kind: &'static str, layer| layers.push(Layer::new(names.next(kind), layer));
        for (i, &units) in self.hidden.iter().enumerate() {
            push("dense", LayerKind::Dense { units, bias: true, relu: !self.batch_norm });
            if self.batch_norm {
                let BatchNorm { momentum, epsilon, .. } = BatchNorm::default();
                push("batch_normalization", LayerKind::BatchNorm { momentum, epsilon, relu: true });
            }
            if dropout(i) > 0.0 {
                push("dropout", LayerKind::Dropout { rate: dropout(i) });
            }
        }
        if self.hidden.is_empty() && dropout(0) > 0.0 {
            push("dropout", LayerKind::Dropout { rate: dropout(0) });
        }
        push("dense", LayerKind::Dense { units: self.classes, bias: true, relu: false });
        Ok(layers)
    }

    fn check(&self, dropouts: &[f32]) -> Result<()> {
        if self.classes < 2 {
            let what = format!("{} classes: a classifier tells two or more apart", self.classes);
            return Err(Error::Usage(what));
        }
        if self.hidden.contains(&0) {
            return Err(Error::Usage("--head has a layer of 0 units; give each at least one".into()));
        }
        if dropouts.is_empty() || dropouts.len() > self.hidden.len().max(1) {
            let (given, hidden) = (dropouts.len(), self.hidden.len());
            let what =
                format!("--dropout has {given} values for {hidden} hidden layers; give one, or one for each");
            return Err(Error::Usage(what));
        }
        if let Some(wrong) = dropouts.iter().find(|dropout| !(0.0..1.0).contains(*dropout)) {
            let what = format!("--dropout {wrong}: give a share from 0 up to, not including, 1, such as 0.5");
            return Err(Error::Usage(what));
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
