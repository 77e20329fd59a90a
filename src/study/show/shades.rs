//! Numbers as colours.
//!
//! ```
//! use frostline::study::show::shades::{Map, enlarged, shade};
//! let map = Map::channel(&[0.0, 9.0, 5.0, 9.0], [1, 2, 2], 0).scaled(1.0);
//! assert_eq!((map.values.clone(), map.most()), (vec![0.0, 1.0], 1.0));
//! let image = enlarged(&map.shaded(), 64);
//! assert_eq!((image.dimensions(), *image.get_pixel(63, 0)), ((64, 32), shade(1.0)));
//! let looked_at = map.resized(32, 64).over(&image);
//! assert_eq!(looked_at.dimensions(), (64, 32));
//! ```

use image::imageops::FilterType;
use image::{ImageBuffer, Luma, Rgb, RgbImage, imageops};

/// A map of numbers, (h, w) row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    pub h: usize,
    pub w: usize,
    pub values: Vec<f32>,
}

/// From black over purple and orange to pale yellow, of rising lightness, so that it also reads in grey.
const WARM: [[f32; 3]; 6] = [
    [0.0, 0.0, 4.0],
    [60.0, 15.0, 112.0],
    [140.0, 41.0, 129.0],
    [222.0, 73.0, 104.0],
    [254.0, 159.0, 109.0],
    [252.0, 253.0, 191.0],
];

/// The same for what is negative: from black over blue to pale cyan.
const COLD: [[f32; 3]; 6] = [
    [0.0, 0.0, 4.0],
    [4.0, 46.0, 92.0],
    [8.0, 88.0, 152.0],
    [36.0, 140.0, 204.0],
    [112.0, 196.0, 236.0],
    [208.0, 246.0, 255.0],
];

/// The colour of a share from 0 to 1, and of one from 0 to -1; what is not a number is green, which no share is.
pub fn shade(share: f32) -> Rgb<u8> {
    if share.is_nan() {
        return Rgb([0, 200, 80]);
    }
    let stops = if share < 0.0 { COLD } else { WARM };
    let place = share.abs().min(1.0) * (stops.len() - 1) as f32;
    let below = (place as usize).min(stops.len() - 2);
    let (part, [low, high]) = (place - below as f32, [stops[below], stops[below + 1]]);
    Rgb(std::array::from_fn(|c| (low[c] + part * (high[c] - low[c])).round() as u8))
}

impl Map {
    /// Channel `c` of (h, w, channels) values.
    pub fn channel(values: &[f32], [h, w, channels]: [usize; 3], c: usize) -> Map {
        Map { h, w, values: values.iter().skip(c).step_by(channels).copied().collect() }
    }

    /// The largest value, 0 where none is positive.
    pub fn most(&self) -> f32 {
        self.values.iter().copied().fold(0.0, f32::max)
    }

    /// From 0 to 1: divided by the value that `share` of the elements do not exceed. All zeros stay zeros.
    pub fn scaled(mut self, share: f64) -> Map {
        let mut sorted = self.values.clone();
        sorted.sort_by(f32::total_cmp);
        let most = sorted[((sorted.len() - 1) as f64 * share) as usize];
        if most > 0.0 {
            self.values.iter_mut().for_each(|v| *v = (*v / most).clamp(0.0, 1.0));
        }
        self
    }

    /// Bilinear, to (h, w).
    pub fn resized(&self, h: usize, w: usize) -> Map {
        let image = ImageBuffer::<Luma<f32>, _>::from_raw(self.w as u32, self.h as u32, self.values.clone());
        let image = image.expect("a map has h times w values");
        let resized = imageops::resize(&image, w as u32, h as u32, FilterType::Triangle);
        Map { h, w, values: resized.into_raw() }
    }

    /// Each number from -1 to 1 as a colour.
    pub fn shaded(&self) -> RgbImage {
        RgbImage::from_fn(self.w as u32, self.h as u32, |x, y| {
            shade(self.values[y as usize * self.w + x as usize])
        })
    }

    /// The map over a grey form of an image of the same size: where it is 0 the image stays, where it is 1 the colour.
    pub fn over(&self, image: &RgbImage) -> RgbImage {
        RgbImage::from_fn(self.w as u32, self.h as u32, |x, y| {
            let value = self.values[y as usize * self.w + x as usize];
            let [r, g, b] = image.get_pixel(x, y).0.map(f32::from);
            let grey = 0.299 * r + 0.587 * g + 0.114 * b;
            let part = 0.75 * value.clamp(0.0, 1.0);
            Rgb(shade(value).0.map(|c| ((1.0 - part) * grey + part * f32::from(c)).round() as u8))
        })
    }
}

/// Whole multiples of each pixel, so that `image` is about `side` wide.
pub fn enlarged(image: &RgbImage, side: u32) -> RgbImage {
    let times = (side / image.width().max(1)).max(1);
    imageops::resize(image, image.width() * times, image.height() * times, FilterType::Nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_get_lighter() {
        let light = |share| shade(share).0.iter().map(|&c| u32::from(c)).sum::<u32>();
        for sign in [1.0, -1.0] {
            assert!((0..10).all(|i| light(sign * i as f32 / 10.0) <= light(sign * (i + 1) as f32 / 10.0)));
        }
    }

    #[test]
    fn a_channel_is_every_so_many_values() {
        let map = Map::channel(&[1.0, 10.0, 2.0, 20.0], [1, 2, 2], 1);
        assert_eq!((map.values.clone(), map.most()), (vec![10.0, 20.0], 20.0));
        assert_eq!(map.scaled(1.0).values, [0.5, 1.0]);
    }
}
