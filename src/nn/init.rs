//! Initial values of parameters, as in Keras: kernels glorot_uniform (or he_normal), biases zero.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::Result;
use crate::graph::draft::layer_key;
use crate::graph::{Graph, Param, Store};

/// Puts initial values of all parameters that `pick` names into the store.
///
/// Each parameter draws from a stream of its own, keyed by seed and name: the same layer starts equal in every model.
///
/// # Errors
/// The device has no memory left.
pub fn parameters(graph: &Graph, store: &mut Store, seed: u64, pick: impl Fn(&Param) -> bool) -> Result<()> {
    for param in graph.params.iter().filter(|param| pick(param)) {
        store.write(&param.name, &glorot_uniform(param, seed))?;
    }
    Ok(())
}

/// U(-limit, limit), limit = sqrt(6 / (fan_in + fan_out)); zeros where a parameter has no fans.
/// Source: Glorot and Bengio 2010, equation 16.
pub fn glorot_uniform(param: &Param, seed: u64) -> Vec<f32> {
    let count = param.spec.shape.numel() as usize;
    let Some((fan_in, fan_out)) = param.spec.fans else { return vec![0.0; count] };
    let limit = (6.0 / (fan_in + fan_out) as f64).sqrt() as f32;
    let mut rng = stream(seed, &param.name);
    (0..count).map(|_| rng.random_range(-limit..limit)).collect()
}

/// The random stream of one named thing under a seed.
fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from(layer_key(name)));
    rng
}
