//! Which layers of the base are frozen. The head always trains.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result, unknown};
use crate::nn::architecture::Architecture;

/// A freezing choice.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Freeze {
    None,
    /// All of the base.
    All,
    /// Keras' `model.layers[:n]`; the input layer counts, so 5 freezes the first three convolutions of VGG.
    Index(usize),
    /// Everything up to and including the layer of this name.
    Until(String),
}

impl FromStr for Freeze {
    type Err = Error;

    fn from_str(text: &str) -> Result<Freeze> {
        Ok(match (text, text.parse()) {
            ("none", _) => Freeze::None,
            ("all", _) => Freeze::All,
            (_, Ok(index)) => Freeze::Index(index),
            _ => Freeze::Until(text.to_owned()),
        })
    }
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Freeze::None => f.pad("none"),
            Freeze::All => f.pad("all of the base"),
            Freeze::Index(n) => f.pad(&format!("layers[:{n}]")),
            Freeze::Until(name) => f.pad(&format!("until {name}")),
        }
    }
}

impl Freeze {
    /// How many of the architecture's layers, from the first on, are frozen.
    ///
    /// # Errors
    /// An index beyond the base, or a name that is not in the base; the message suggests the nearest.
    pub fn count(&self, architecture: &Architecture) -> Result<usize> {
        let base = &architecture.layers[..architecture.base];
        match self {
            Freeze::None => Ok(0),
            Freeze::All => Ok(base.len()),
            Freeze::Index(n) if *n <= base.len() + 1 => Ok(n.saturating_sub(1)),
            Freeze::Index(n) => Err(Error::Usage(format!(
                "--freeze {n}: {} with its input layer has {} layers, and the head always trains; use 'all'",
                architecture.model,
                base.len() + 1
            ))),
            Freeze::Until(name) => {
                let names: Vec<&str> = base.iter().map(|layer| layer.name.as_str()).collect();
                let position = names.iter().position(|known| known == name);
                position.map(|i| i + 1).ok_or_else(|| unknown("layer", name, &names))
            }
        }
    }
}
