//! Where a network looks: Grad-CAM, Grad-CAM++ and saliency, from the gradient of a class's logit.

use image::RgbImage;

use super::shades::Map;
use crate::error::{Error, Result};
use crate::graph::Store;
use crate::nn::Network;
use crate::study::probe::{PREPROCESSED, Probe, Start};

/// How channels are weighted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By the mean of their gradient. Source: Selvaraju et al. 2017, equations 1 and 2.
    GradCam,
    /// By a weighted mean of their positive gradient, which does several objects of a class justice.
    /// Source: Chattopadhay et al. 2018, equations 10 and 19.
    GradCamPlusPlus,
}

/// Where a network looks for a class.
#[derive(Clone, Debug)]
pub struct Attention {
    /// The class whose logit was asked about; the likeliest where none was named.
    pub class: usize,
    /// Its logit.
    pub logit: f32,
    /// The image with the map over it, (h, w) of the input.
    pub overlay: RgbImage,
    /// The map alone, shaded.
    pub map: RgbImage,
}

/// The layer that Grad-CAM looks at where none is named: the last convolution.
fn last_convolution(network: &Network) -> Result<&str> {
    let last = network.graph.nodes.iter().rev().find(|node| node.op.kind() == "conv2d");
    last.map(|node| node.name.as_str()).ok_or_else(|| Error::Usage("this network has no convolution".into()))
}

/// Which places of `layer` (the last convolution where it is `None`) speak for `class` (the likeliest where it is
/// `None`) in the image (h, w, 3).
///
/// # Errors
/// A layer or class that does not exist, a layer that is no map, or the device.
pub fn gradcam(
    network: &Network,
    store: &mut Store,
    image: &[u8],
    layer: Option<&str>,
    class: Option<usize>,
    method: Method,
) -> Result<Attention> {
    let layer = layer.map_or_else(|| last_convolution(network), Ok)?;
    let mut probe = Probe::new(network, store, (network.logits(), layer), Start::Pixels, 1)?;
    let size = probe.value_size();
    if size[0] * size[1] == 1
        && size[2] > 1
        && network.graph.find(layer).is_some_and(|v| network.graph.values[v.0].shape.rank() != 4)
    {
        return Err(Error::Usage(format!(
            "{layer} is a vector and has no places; name a convolution or pooling"
        )));
    }
    let (class, reading) = probe.run_class(image, class)?;
    let weights = weights(&reading.value, &reading.gradient, size[2], method);
    let rows = reading.value.chunks_exact(size[2]);
    let map = rows.map(|row| row.iter().zip(&weights).map(|(a, w)| a * w).sum::<f32>().max(0.0)).collect();
    let map = Map { h: size[0], w: size[1], values: map }.scaled(1.0);
    Ok(attention(network, image, class, reading.scored[class], &map))
}

/// One weight for each channel, from activations and gradients (h, w, channels).
fn weights(values: &[f32], gradients: &[f32], channels: usize, method: Method) -> Vec<f32> {
    let places = (values.len() / channels) as f32;
    let of = |c: usize| {
        let pairs = || values.iter().zip(gradients).skip(c).step_by(channels);
        match method {
            Method::GradCam => pairs().map(|(_, g)| g).sum::<f32>() / places,
            Method::GradCamPlusPlus => {
                let sum: f32 = pairs().map(|(a, _)| a).sum();
                let alpha = |g: f32| match 2.0 * g.powi(2) + sum * g.powi(3) {
                    0.0 => 0.0,
                    below => g.powi(2) / below,
                };
                pairs().map(|(_, &g)| alpha(g) * g.max(0.0)).sum()
            }
        }
    };
    (0..channels).map(of).collect()
}

/// How much each pixel of the image (h, w, 3) moves the logit of `class` (the likeliest where it is `None`): the largest
/// of the three colours' gradients, in absolute value.
///
/// # Errors
/// A class that does not exist, or the device.
///
/// Source: Simonyan et al. 2013, *Deep inside convolutional networks*, section 3.1.
pub fn saliency(
    network: &Network,
    store: &mut Store,
    image: &[u8],
    class: Option<usize>,
) -> Result<Attention> {
    let mut probe = Probe::new(network, store, (network.logits(), PREPROCESSED), Start::Pixels, 1)?;
    let [h, w, _] = probe.value_size();
    let (class, reading) = probe.run_class(image, class)?;
    let most = |rgb: &[f32]| rgb.iter().fold(0f32, |most, d| most.max(d.abs()));
    // The brightest of a hundred pixels may not darken all others.
    let map = Map { h, w, values: reading.gradient.chunks_exact(3).map(most).collect() }.scaled(0.99);
    Ok(attention(network, image, class, reading.scored[class], &map))
}

fn attention(network: &Network, image: &[u8], class: usize, logit: f32, map: &Map) -> Attention {
    let [h, w] = network.architecture.input;
    let photograph =
        RgbImage::from_raw(w as u32, h as u32, image.to_vec()).expect("an image of the input's size");
    let map = map.resized(h, w);
    Attention { class, logit, overlay: map.over(&photograph), map: map.shaded() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two channels over two places, worked out by hand.
    #[test]
    fn channels_are_weighted_by_their_gradients() {
        let (values, gradients) = ([1.0, 2.0, 3.0, 0.0], [1.0, -1.0, 3.0, 1.0]);
        assert_eq!(weights(&values, &gradients, 2, Method::GradCam), [2.0, 0.0]);
        // Channel 0: sum of a = 4, alpha = 1/(2+4), 9/(18+108); times g. Channel 1: sum 2, alpha(1) = 1/(2+2).
        let found = weights(&values, &gradients, 2, Method::GradCamPlusPlus);
        assert!(
            (found[0] - (1.0 / 6.0 + 3.0 / 14.0)).abs() < 1e-6 && (found[1] - 0.25).abs() < 1e-6,
            "{found:?}"
        );
    }
}
