//! How precisely a network's tensors are stored. Arithmetic is f32 in either case.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::gpu::Caps;
use crate::ops::{Dtype, Op};

/// What activations and their gradients are stored as. Weights, their gradients, the optimizer's state and sums are f32
/// whatever the precision.
///
/// Source: Micikevicius et al. 2018, *Mixed precision training*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    #[default]
    F32,
    F16,
}

impl Precision {
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::F16 => "f16",
        }
    }

    /// # Errors
    /// The adapter lacks it; the message names the cure.
    pub fn check(self, caps: &Caps) -> Result<()> {
        match self {
            Precision::F16 if !caps.f16 => Err(Error::Adapter {
                problem: "this adapter has no f16".to_owned(),
                advice: "use --precision f32, or an adapter of which 'frostline doctor' says that it has f16"
                    .to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// What a floating-point activation is stored as.
    pub fn activation(self) -> Dtype {
        match self {
            Precision::F32 => Dtype::F32,
            Precision::F16 => Dtype::F16,
        }
    }

    /// What the output of `op` and its gradient are stored as. Losses stay f32, and so do pixels on their way in:
    /// around 128 an f16 knows eighths of a grey level only, which is a waste of what the first layer is given.
    pub fn output(self, op: &dyn Op) -> Dtype {
        if op.is_loss() || op.gives_pixels() { Dtype::F32 } else { self.activation() }
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Precision, String> {
        match text {
            "f32" => Ok(Precision::F32),
            "f16" => Ok(Precision::F16),
            _ => Err(format!("unknown precision '{text}', expected f32 or f16")),
        }
    }
}
