//! Activation maximisation: an image that a channel likes best, by gradient ascent from noise.

use image::RgbImage;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Captioned;
use crate::error::{Error, Result};
use crate::graph::Store;
use crate::nn::{Network, Preprocessing};
use crate::study::probe::{PREPROCESSED, Probe, Start};

/// How to dream.
#[derive(Clone, Debug)]
pub struct Dream {
    pub layer: String,
    pub channel: usize,
    /// Steps of ascent.
    pub steps: usize,
    /// Levels (of 255) that a step moves the pixels by, in the root mean square.
    pub rate: f32,
    pub seed: u64,
}

/// Pixels by which the image is shifted at random before each step, so that no grid of the poolings shows.
const JITTER: usize = 4;
/// After this many steps the image is smoothed a little: high frequencies excite, but show nothing.
const SMOOTH_EVERY: usize = 4;

/// The image that `layer`'s channel likes best; the caption says how much more than the noise that it began with.
///
/// # Errors
/// No such layer or channel, or the device.
///
/// Source: Erhan et al. 2009, *Visualizing higher-layer features of a deep network*; jitter and smoothing as in Olah et
/// al. 2017, *Feature visualization*.
pub fn dream(network: &Network, store: &mut Store, dream: &Dream) -> Result<Captioned> {
    let Dream { layer, channel, .. } = dream;
    let mut probe = Probe::new(network, store, (layer, PREPROCESSED), Start::Preprocessed, 1)?;
    let shape = network.graph.values[network.graph.find(layer).expect("the probe found it").0].shape;
    let channels = shape.last();
    if *channel >= channels {
        return Err(Error::Usage(format!("{layer} has the channels 0 to {}, not {channel}", channels - 1)));
    }
    let places = probe.scored_width() / channels;
    let share = |i: usize| if i % channels == *channel { 1.0 / places as f32 } else { 0.0 };
    let direction: Vec<f32> = (0..probe.scored_width()).map(share).collect();
    let [h, w, _] = probe.value_size();
    let mut canvas = Canvas::new(network.architecture.preprocessing, h, w, dream.seed);
    let mut first = None;
    for step in 0..dream.steps {
        canvas.shift(step);
        let reading = probe.run(bytemuck::cast_slice(&canvas.values), &direction, 1)?;
        first.get_or_insert_with(|| mean_of(&reading.scored, channels, *channel));
        canvas.ascend(&reading.gradient, dream.rate);
        if step % SMOOTH_EVERY == SMOOTH_EVERY - 1 {
            canvas.smooth();
        }
    }
    let reading = probe.run(bytemuck::cast_slice(&canvas.values), &direction, 1)?;
    let last = mean_of(&reading.scored, channels, *channel);
    let words = format!("mean {:.1}, from {:.1}", last, first.unwrap_or(last));
    Ok(Captioned::new(canvas.image(), format!("{layer} {channel}"), words))
}

fn mean_of(values: &[f32], channels: usize, channel: usize) -> f32 {
    let picked = values.iter().skip(channel).step_by(channels);
    picked.sum::<f32>() / (values.len() / channels) as f32
}

/// The image behind the preprocessing, (h, w, 3).
struct Canvas {
    preprocessing: Preprocessing,
    h: usize,
    w: usize,
    values: Vec<f32>,
    rng: ChaCha8Rng,
}

impl Canvas {
    /// Grey with a little noise.
    fn new(preprocessing: Preprocessing, h: usize, w: usize, seed: u64) -> Canvas {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (scale, offset) = (preprocessing.scale(), preprocessing.offset());
        let level = |i: usize| rng.random_range(118.0f32..138.0) * scale[i % 3] + offset[i % 3];
        let values = (0..h * w * 3).map(level).collect();
        Canvas { preprocessing, h, w, values, rng }
    }

    /// Turns the image around its edges by a few pixels; over the steps it stays where it was, on average.
    fn shift(&mut self, step: usize) {
        let mut one = |size: usize| match step % 2 {
            0 => self.rng.random_range(0..=JITTER) % size,
            _ => size - self.rng.random_range(0..=JITTER) % size,
        };
        let (down, right) = (one(self.h), one(self.w));
        let old = self.values.clone();
        for y in 0..self.h {
            for x in 0..self.w {
                let from = (y * self.w + x) * 3;
                let to = ((y + down) % self.h * self.w + (x + right) % self.w) * 3;
                self.values[to..to + 3].copy_from_slice(&old[from..from + 3]);
            }
        }
    }

    /// One step along the gradient, which keeps every pixel within 0 to 255.
    fn ascend(&mut self, gradient: &[f32], rate: f32) {
        let square: f32 = gradient.iter().map(|d| d * d).sum();
        let rms = (square / gradient.len() as f32).sqrt().max(f32::MIN_POSITIVE);
        let (scale, offset) = (self.preprocessing.scale(), self.preprocessing.offset());
        for (i, (value, d)) in self.values.iter_mut().zip(gradient).enumerate() {
            let (low, high) = (offset[i % 3], 255.0 * scale[i % 3] + offset[i % 3]);
            *value = (*value + rate * scale[i % 3] * d / rms).clamp(low, high);
        }
    }

    /// Each pixel gives a tenth of itself to its four neighbours.
    fn smooth(&mut self) {
        let old = self.values.clone();
        let at = |y: usize, x: usize, c: usize| old[(y * self.w + x) * 3 + c];
        for y in 0..self.h {
            for x in 0..self.w {
                let (up, down) = (y.saturating_sub(1), (y + 1).min(self.h - 1));
                let (left, right) = (x.saturating_sub(1), (x + 1).min(self.w - 1));
                for c in 0..3 {
                    let around = at(up, x, c) + at(down, x, c) + at(y, left, c) + at(y, right, c);
                    self.values[(y * self.w + x) * 3 + c] = 0.9 * at(y, x, c) + 0.025 * around;
                }
            }
        }
    }

    fn image(&self) -> RgbImage {
        let (scale, offset) = (self.preprocessing.scale(), self.preprocessing.offset());
        let place = self.preprocessing.source();
        RgbImage::from_fn(self.w as u32, self.h as u32, |x, y| {
            let mut rgb = [0u8; 3];
            for c in 0..3 {
                let value = self.values[(y as usize * self.w + x as usize) * 3 + c];
                rgb[place[c]] = ((value - offset[c]) / scale[c]).round().clamp(0.0, 255.0) as u8;
            }
            image::Rgb(rgb)
        })
    }
}
