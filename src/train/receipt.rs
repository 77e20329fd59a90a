//! What proves that two runs were the same: a hash of the weights behind each epoch.

use md5::{Digest, Md5};

use crate::error::Result;
use crate::graph::{Graph, Store};
use crate::weights::known::hex;

/// MD5 over the bits of all parameters of `graph` that training moves, in order.
///
/// # Errors
/// The device is lost.
pub fn fingerprint(graph: &Graph, store: &Store) -> Result<String> {
    let mut hash = Md5::new();
    for param in graph.params.iter().filter(|param| param.trainable || !param.spec.learnt) {
        hash.update(bytemuck::cast_slice::<f32, u8>(&store.read(&param.name)?));
    }
    Ok(hex(&hash.finalize()))
}
