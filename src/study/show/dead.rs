//! Units that never fire.

use super::Unit;
use crate::error::{Error, Result};
use crate::graph::Store;
use crate::nn::Network;
use crate::study::layers::Layers;
use crate::train::samples::Samples;

/// For each layer with a ReLU, the share of its units that are zero everywhere on all of the samples: channels of a map,
/// elements of a vector. They pass nothing on and get no gradient. (Other layers have no such units: a logit is
/// negative as often as not, and what a pool gives tells of the layer before it.)
///
/// # Errors
/// No layer has a ReLU, no sample is readable, or the device.
pub fn dead(network: &Network, store: &mut Store, samples: &dyn Samples, batch: usize) -> Result<Vec<Unit>> {
    let rectified = network.architecture.layers.iter().filter(|layer| layer.is_rectified());
    let rectified: Vec<&str> = rectified.map(|layer| layer.name.as_str()).collect();
    if rectified.is_empty() {
        return Err(Error::Usage("no layer of this network has a ReLU, so no unit can be dead".into()));
    }
    let mut layers = Layers::new(network, store, batch)?;
    let mut fired: Vec<(String, Vec<bool>)> = Vec::new();
    for minibatch in samples.in_order()? {
        let minibatch = minibatch?;
        let read = layers.run(minibatch.bytes(), minibatch.len())?;
        let read = read.into_iter().filter(|layer| rectified.contains(&layer.name.as_str()));
        for (i, layer) in read.enumerate() {
            if fired.len() <= i {
                fired.push((layer.name, vec![false; layer.size[2]]));
            }
            let units = &mut fired[i].1;
            for pixel in layer.values.chunks_exact(layer.size[2]) {
                units.iter_mut().zip(pixel).for_each(|(fired, &v)| *fired |= v > 0.0);
            }
        }
    }
    let row = |(layer, units): (String, Vec<bool>)| {
        let silent = units.iter().filter(|fired| !**fired).count();
        Unit { layer, units: units.len(), value: silent as f64 / units.len() as f64 }
    };
    Ok(fired.into_iter().map(row).collect())
}
