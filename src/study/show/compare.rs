//! Two networks side by side.

use serde::Serialize;

use super::Unit;
use crate::error::{Error, Result};
use crate::graph::Store;
use crate::nn::Network;
use crate::study::layers::Layers;
use crate::train::samples::Samples;

/// How far one layer's weights have moved.
#[derive(Clone, Debug, Serialize)]
pub struct Drift {
    /// Name of the parameter.
    pub parameter: String,
    /// `|b - a| / |a|` in the Euclidean norm; infinite where a was zero and b is not.
    pub relative: f64,
    /// Cosine of the angle between them.
    pub cosine: f64,
}

/// A parameter's name and its values.
pub type Named = (String, Vec<f32>);

/// How far each parameter is from a to b; both are (name, values), those of a network in its order.
///
/// ```
/// use frostline::study::show::drift;
/// let moved = drift(&[("w".into(), vec![3.0, 4.0])], &[("w".into(), vec![3.0, 4.5])])?;
/// assert!((moved[0].relative - 0.1).abs() < 1e-12);
/// # Ok::<(), frostline::error::Error>(())
/// ```
///
/// # Errors
/// They do not hold the same parameters in the same shapes.
pub fn drift(a: &[Named], b: &[Named]) -> Result<Vec<Drift>> {
    let same = a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && a.1.len() == b.1.len());
    if !same {
        return Err(Error::Usage(
            "the two checkpoints have different layers; compare two of one architecture".into(),
        ));
    }
    let row = |((name, a), (_, b)): (&Named, &Named)| {
        let dot =
            |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
        let moved: f64 = a.iter().zip(b).map(|(&a, &b)| (f64::from(b) - f64::from(a)).powi(2)).sum();
        let (norm_a, norm_b) = (dot(a, a).sqrt(), dot(b, b).sqrt());
        let relative = if moved == 0.0 { 0.0 } else { moved.sqrt() / norm_a };
        let cosine = if norm_a * norm_b == 0.0 {
            f64::from(u8::from(moved == 0.0))
        } else {
            dot(a, b) / (norm_a * norm_b)
        };
        Drift { parameter: name.clone(), relative, cosine }
    };
    Ok(a.iter().zip(b).map(row).collect())
}

/// Along each side of a map this many cells remain: the similarity of whole maps would need all pixels of all images.
const CELLS: usize = 4;

/// Linear CKA of each layer's results on the same samples in two networks of one architecture: 1 is the same up to
/// rotation and scale. Maps are averaged into 4x4 cells first.
///
/// # Errors
/// No sample is readable, fewer than three are, or the device.
///
/// Source: Kornblith et al. 2019, *Similarity of neural network representations revisited*, equation 3.
pub fn similarity(
    (network, a, b): (&Network, &mut Store, &mut Store),
    samples: &dyn Samples,
    batch: usize,
) -> Result<Vec<Unit>> {
    let (ours, theirs) = (features(network, a, samples, batch)?, features(network, b, samples, batch)?);
    let row = |((layer, units, a), (_, _, b)): (&Features, &Features)| {
        let (a, b) = (centred_gram(a), centred_gram(b));
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        let value = dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
        Unit { layer: layer.clone(), units: *units, value }
    };
    Ok(ours.iter().zip(&theirs).map(row).collect())
}

/// (layer, units, a row of features for each sample)
type Features = (String, usize, Vec<Vec<f32>>);

fn features(
    network: &Network,
    store: &mut Store,
    samples: &dyn Samples,
    batch: usize,
) -> Result<Vec<Features>> {
    let mut layers = Layers::new(network, store, batch)?;
    let mut all: Vec<Features> = Vec::new();
    for minibatch in samples.in_order()? {
        let minibatch = minibatch?;
        let read = layers.run(minibatch.bytes(), minibatch.len())?;
        for (i, layer) in read.into_iter().enumerate() {
            if all.len() <= i {
                all.push((layer.name.clone(), layer.size[2], Vec::new()));
            }
            let rows = layer.values.chunks_exact(layer.size.iter().product());
            all[i].2.extend(rows.map(|row| cells(row, layer.size)));
        }
    }
    match all.first().map_or(0, |(_, _, rows)| rows.len()) {
        0..3 => Err(Error::Usage("similarity needs at least three images".into())),
        _ => Ok(all),
    }
}

/// Means over [`CELLS`] x [`CELLS`] cells of one sample's (h, w, channels).
fn cells(values: &[f32], [h, w, channels]: [usize; 3]) -> Vec<f32> {
    let (rows, columns) = (h.min(CELLS), w.min(CELLS));
    let mut sums = vec![0f32; rows * columns * channels];
    let mut counts = vec![0f32; rows * columns];
    for (place, pixel) in values.chunks_exact(channels).enumerate() {
        let cell = place / w * rows / h * columns + place % w * columns / w;
        counts[cell] += 1.0;
        sums[cell * channels..(cell + 1) * channels].iter_mut().zip(pixel).for_each(|(sum, v)| *sum += v);
    }
    sums.chunks_exact_mut(channels).zip(counts).for_each(|(cell, n)| cell.iter_mut().for_each(|v| *v /= n));
    sums
}

/// K = X X' with rows and columns of mean zero.
fn centred_gram(rows: &[Vec<f32>]) -> Vec<f64> {
    let n = rows.len();
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let mut gram: Vec<f64> = (0..n * n).map(|i| dot(&rows[i / n], &rows[i % n])).collect();
    let means: Vec<f64> = gram.chunks_exact(n).map(|row| row.iter().sum::<f64>() / n as f64).collect();
    let mean = means.iter().sum::<f64>() / n as f64;
    gram.iter_mut().enumerate().for_each(|(i, v)| *v += mean - means[i / n] - means[i % n]);
    gram
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_means_and_small_maps_stay_whole() {
        assert_eq!(cells(&[1.0, 2.0, 3.0, 4.0], [2, 1, 2]), [1.0, 2.0, 3.0, 4.0]);
        let ramp: Vec<f32> = (0..64).map(|i| (i % 8) as f32).collect();
        assert_eq!(cells(&ramp, [8, 8, 1])[..4], [0.5, 2.5, 4.5, 6.5]);
    }

    #[test]
    fn rows_of_a_centred_gram_matrix_sum_to_zero() {
        let gram = centred_gram(&[vec![1.0, 2.0], vec![3.0, -1.0], vec![0.5, 0.0]]);
        assert!(gram.chunks_exact(3).all(|row| row.iter().sum::<f64>().abs() < 1e-9));
    }
}
