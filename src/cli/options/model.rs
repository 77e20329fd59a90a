//! The options that say which model: shared by plan, train and others.

use super::weights;
use crate::error::Result;
use crate::nn::architecture::up_to;
use crate::nn::{Architecture, Freeze, Head, Layer, Pool, Preprocessing, chain, vgg};
use crate::train::pretrained::Pretrained;

/// Which base, which head, and what is frozen.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// vgg11, vgg13, vgg16 or vgg19; with _bn behind it, as in vgg16_bn, normalised as torchvision's [default: vgg16]
    #[arg(long)]
    pub model: Option<String>,
    /// A base of one's own instead of --model, such as conv16,conv16,pool,conv32x5,pool
    #[arg(long, value_name = "CHAIN", conflicts_with = "model")]
    pub layers: Option<String>,
    /// Side of the square input in pixels [default: 224]
    #[arg(long)]
    pub input: Option<usize>,
    /// Units of the hidden layers of the head, such as 1024,1024 [default: none]
    #[arg(long, value_delimiter = ',')]
    pub head: Vec<usize>,
    /// Leave out what stands above this layer of the base, such as block2_pool
    #[arg(long, value_name = "LAYER")]
    pub layer: Option<String>,
    /// Batch normalisation in the hidden layers of the head, ahead of their ReLU
    #[arg(long)]
    pub batch_norm: bool,
    /// Dropout behind the hidden layers of the head: one share, or one for each, such as 0.5,0
    #[arg(long, value_delimiter = ',', default_value = "0")]
    pub dropout: Vec<f32>,
    /// How feature maps become a vector: flatten (as in the published recipe) or avg
    #[arg(long, default_value = "flatten", value_parser = pool)]
    pub pool: Pool,
    /// What is frozen: all (the base), none, N for Keras' `layers[:N]` (the input layer counts)
    #[arg(long, default_value = "all", conflicts_with = "freeze_until")]
    pub freeze: String,
    /// Freeze everything up to and including this layer, such as block3_pool
    #[arg(long, value_name = "LAYER")]
    pub freeze_until: Option<String>,
    /// caffe, tf, torch or rescale [default: what the weights were trained with]
    #[arg(long)]
    pub preprocessing: Option<Preprocessing>,
}

fn pool(text: &str) -> Result<Pool, String> {
    match text {
        "avg" => Ok(Pool::Avg),
        "flatten" => Ok(Pool::Flatten),
        _ => Err("use avg or flatten".to_owned()),
    }
}

impl ModelArgs {
    /// The model's name, where the base is no chain of one's own.
    pub fn name(&self) -> &str {
        self.model.as_deref().unwrap_or("vgg16")
    }

    /// Options that say otherwise of the base than `made`, which is there already.
    pub fn against(&self, made: &Architecture) -> Vec<&'static str> {
        let last = made.layers[..made.base].last().map(|layer| &layer.name);
        let otherwise = [
            ("--model", self.model.as_ref().is_some_and(|model| *model != made.model)),
            ("--layers", self.layers.is_some()),
            ("--layer", self.layer.is_some() && self.layer.as_ref() != last),
            ("--input", self.input.is_some_and(|side| [side; 2] != made.input)),
        ];
        otherwise.into_iter().filter_map(|(name, given)| given.then_some(name)).collect()
    }

    pub fn freeze(&self) -> Result<Freeze> {
        match &self.freeze_until {
            Some(layer) => Ok(Freeze::Until(layer.clone())),
            None => self.freeze.parse(),
        }
    }

    /// The architecture for `classes` classes, its pixels prepared for `weights`. Random ones are indifferent, and get what
    /// pretrained ones want.
    ///
    /// # Errors
    /// An unknown model, or a head or input that makes no sense.
    pub fn architecture(&self, classes: usize, weights: Option<&Pretrained>) -> Result<Architecture> {
        let head = self.head(self.pool, classes)?;
        let input = self.input.unwrap_or(224);
        let (model, mut base) = match &self.layers {
            Some(chain) => ("chain", chain::base(chain)?),
            None => (self.name(), vgg::layers(self.name(), input)?),
        };
        if let Some(layer) = &self.layer {
            up_to(&mut base, layer)?;
        }
        let preprocessing = match self.preprocessing {
            Some(asked) => asked,
            None => weights::preprocessing(weights, model)?,
        };
        Ok(Architecture::stack(model, base, input, preprocessing, head))
    }

    /// The head's layers behind `pool`.
    ///
    /// # Errors
    /// A head that makes no sense.
    pub fn head(&self, pool: Pool, classes: usize) -> Result<Vec<Layer>> {
        let (hidden, batch_norm) = (self.head.clone(), self.batch_norm);
        let head = Head { pool, hidden, batch_norm, classes, ..Head::default() };
        head.layers_with(&self.dropout)
    }
}
