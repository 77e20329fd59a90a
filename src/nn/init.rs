//! Initial values of parameters, as in Keras: kernels glorot_uniform or he_normal, biases zero, scales one.

use std::str::FromStr;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result, unknown};
use crate::graph::draft::layer_key;
use crate::graph::{Graph, Param, Store};
use crate::ops::Initial;

/// How kernels start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Keras' own default.
    #[default]
    GlorotUniform,
    /// For deep stacks of ReLU layers.
    HeNormal,
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Kind> {
        match text {
            "glorot_uniform" => Ok(Kind::GlorotUniform),
            "he_normal" => Ok(Kind::HeNormal),
            other => Err(unknown("initial values", other, &["glorot_uniform", "he_normal"])),
        }
    }
}

/// Random initial values: which, and under which seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Random {
    pub kind: Kind,
    pub seed: u64,
}

impl Random {
    /// Keras' default under `seed`.
    pub fn new(seed: u64) -> Random {
        Random { kind: Kind::default(), seed }
    }

    /// Puts initial values of all parameters that `pick` names into the store.
    ///
    /// Each parameter draws from a stream of its own, keyed by seed and name: the same layer starts equal in every model.
    ///
    /// # Errors
    /// The device has no memory left.
    pub fn fill(self, graph: &Graph, store: &mut Store, pick: impl Fn(&Param) -> bool) -> Result<()> {
        for param in graph.params.iter().filter(|param| pick(param)) {
            let values = match self.kind {
                Kind::GlorotUniform => glorot_uniform(param, self.seed),
                Kind::HeNormal => he_normal(param, self.seed),
            };
            store.write(&param.name, &values)?;
        }
        Ok(())
    }
}

/// [`Random::fill`] with Keras' default.
///
/// # Errors
/// The device has no memory left.
pub fn parameters(graph: &Graph, store: &mut Store, seed: u64, pick: impl Fn(&Param) -> bool) -> Result<()> {
    Random::new(seed).fill(graph, store, pick)
}

/// U(-limit, limit), limit = sqrt(6 / (fan_in + fan_out)); what has no fans gets its constant.
/// Source: Glorot and Bengio 2010, equation 16.
pub fn glorot_uniform(param: &Param, seed: u64) -> Vec<f32> {
    let Initial::Fans(fan_in, fan_out) = param.spec.initial else { return constant(param) };
    let count = param.spec.shape.numel() as usize;
    let limit = (6.0 / (fan_in + fan_out) as f64).sqrt() as f32;
    let mut rng = stream(seed, &param.name);
    (0..count).map(|_| rng.random_range(-limit..limit)).collect()
}

/// A normal distribution of deviation sqrt(2 / fan_in), cut off at twice the deviation of the uncut one it is drawn
/// from; what has no fans gets its constant. Source: He et al. 2015, equation 10; Keras `VarianceScaling`.
pub fn he_normal(param: &Param, seed: u64) -> Vec<f32> {
    /// What cutting leaves of a standard normal's deviation. Source: Keras `VarianceScaling`.
    const LEFT: f64 = 0.879_625_661_034_239_8;
    let Initial::Fans(fan_in, _) = param.spec.initial else { return constant(param) };
    let count = param.spec.shape.numel() as usize;
    let deviation = (2.0 / fan_in as f64).sqrt() / LEFT;
    let mut rng = stream(seed, &param.name);
    // Box and Muller 1958, one value of each pair.
    let mut normal = move || {
        let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    };
    let mut cut = move || std::iter::repeat_with(&mut normal).find(|z| z.abs() <= 2.0).expect("most are");
    (0..count).map(|_| (cut() * deviation) as f32).collect()
}

/// The value of a parameter that starts without chance.
fn constant(param: &Param) -> Vec<f32> {
    let value = if param.spec.initial == Initial::Ones { 1.0 } else { 0.0 };
    vec![value; param.spec.shape.numel() as usize]
}

/// The random stream of one named thing under a seed.
fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from(layer_key(name)));
    rng
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::ParamSpec;
    use crate::shape::Shape;

    #[test]
    fn he_normal_has_its_deviation_and_its_ends() {
        let (shape, initial) = (Shape::new(&[200, 100]), Initial::Fans(200, 100));
        let spec = ParamSpec { name: "kernel", shape, initial, learnt: true };
        let param = Param { name: "dense/kernel".to_owned(), spec, trainable: true, rate: 1.0 };
        let values = he_normal(&param, 3);
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / 2e4;
        let variance = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / 2e4;
        assert!(mean.abs() < 2e-3 && (variance / 0.01 - 1.0).abs() < 0.03, "{mean} {variance}");
        let end = values.iter().fold(0f32, |end, v| end.max(v.abs()));
        assert!(end < 0.228 && end > 0.22, "{end}");
    }
}
