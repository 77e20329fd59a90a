//! The first layer's kernels, and what an image lights up in any layer.

use image::{Rgb, RgbImage};

use super::Captioned;
use super::shades::{Map, enlarged};
use crate::error::{Error, Result};
use crate::graph::Store;
use crate::nn::Network;
use crate::study::probe::{Start, body};
use crate::train::features::Extractor;

/// Sides of the tiles on a sheet, about.
const SIDE: u32 = 64;

/// The kernels of the first convolution as colours, one image for each filter in the order of the channels: grey is 0,
/// the largest weight of each filter is full.
///
/// # Errors
/// The network has no convolution over pixels, or the store not its weights.
///
/// Source: Zeiler and Fergus 2013, *Visualizing and understanding convolutional networks*, figure 6.
pub fn filters(network: &Network, store: &Store) -> Result<Vec<Captioned>> {
    let first = network.graph.nodes.iter().find(|node| node.op.kind() == "conv2d");
    let kernel = first.map(|node| &network.graph.params[node.params[0].0]);
    let Some((kernel, &[kh, kw, 3, co])) = kernel.map(|kernel| (kernel, kernel.spec.shape.dims())) else {
        return Err(Error::Usage("this network has no convolution over three colours".into()));
    };
    let weights = store.read(&kernel.name)?;
    let place = network.architecture.preprocessing.source();
    let filter = |o: usize| {
        let weight = |y: usize, x: usize, c: usize| weights[((y * kw + x) * 3 + c) * co + o];
        let all = (0..kh * kw * 3).map(|i| weights[i * co + o].abs());
        let most = all.fold(f32::MIN_POSITIVE, f32::max);
        let image = RgbImage::from_fn(kw as u32, kh as u32, |x, y| {
            let mut rgb = [0u8; 3];
            for c in 0..3 {
                rgb[place[c]] = (127.5 + 127.5 * weight(y as usize, x as usize, c) / most).round() as u8;
            }
            Rgb(rgb)
        });
        Captioned::new(enlarged(&image, SIDE), format!("filter {o}"), format!("most {most:.3}"))
    };
    Ok((0..co).map(filter).collect())
}

/// What the image (h, w, 3) lights up in `layer`: its `count` channels of the largest mean, the largest first, each
/// shaded up to its own maximum. A vector gives one image of all its values, row by row.
///
/// # Errors
/// No layer has this name; or the device refuses.
pub fn activations(
    network: &Network,
    store: &mut Store,
    image: &[u8],
    layer: &str,
    count: usize,
) -> Result<Vec<Captioned>> {
    let graph = body(network, layer, Start::Pixels)?;
    let shape = graph.values[graph.find(layer).expect("the body ends in it").0].shape;
    let values = Extractor::new(&graph, layer, store, 1, u64::MAX)?.run(image, 1)?;
    let &[_, h, w, channels] = shape.dims() else {
        let side = (values.len() as f64).sqrt().ceil() as usize;
        let mut map = Map { h: values.len().div_ceil(side), w: side, values };
        map.values.resize(map.h * side, 0.0);
        let most = map.most();
        let shaded = enlarged(&map.scaled(1.0).shaded(), SIDE);
        return Ok(vec![Captioned::new(shaded, format!("{layer} {shape}"), format!("most {most:.3}"))]);
    };
    let mut maps: Vec<(usize, f32, Map)> = (0..channels)
        .map(|c| {
            let map = Map::channel(&values, [h, w, channels], c);
            (c, map.values.iter().sum::<f32>() / map.values.len() as f32, map)
        })
        .collect();
    maps.sort_by(|a, b| b.1.total_cmp(&a.1));
    maps.truncate(count.max(1));
    let shown = |(c, mean, map): (usize, f32, Map)| {
        let shaded = enlarged(&map.scaled(1.0).shaded(), SIDE);
        Captioned::new(shaded, format!("channel {c}"), format!("mean {mean:.3}"))
    };
    Ok(maps.into_iter().map(shown).collect())
}
