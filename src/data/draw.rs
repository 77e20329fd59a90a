//! What augmentation draws for one image: numbers for the ops on the device, from counters alone.
//!
//! Each number has a place of its own in the image's stream, so that an option that is switched on changes no other.

use super::affine::Affine;
use super::augmentation::Augmentation;
use super::colour::Colour;
use crate::ops::random::Key;

/// The layer's number under which augmentation draws.
const LAYER: u32 = 0x6175_676d;

/// Source: Zhong et al. 2017, section 4: areas of 0.02 to 0.4, aspect ratios of 0.3 to 1/0.3.
const ERASED_AREA: [f64; 2] = [0.02, 0.4];
const ERASED_ASPECT: f64 = 1.0 / 0.3;
/// Source: Szegedy et al. 2015, section 6: aspect ratios of 3/4 to 4/3.
const CROP_ASPECT: f64 = 4.0 / 3.0;

/// The numbers of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Draw {
    /// For [`crate::ops::AffineWarp`].
    pub warp: [f32; 6],
    /// For [`crate::ops::ColourJitter`].
    pub colour: [f32; 12],
    /// For [`crate::ops::RandomErasing`].
    pub rectangle: [f32; 4],
}

/// How one image mixes with its partner.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixing {
    /// For [`crate::ops::Mix`].
    pub rule: [f32; 5],
    /// The share of the image's own label.
    pub share: f32,
}

impl Draw {
    /// The numbers that leave an image as it is.
    pub fn identity(size: [usize; 2]) -> Draw {
        Draw { warp: Affine::IDENTITY.numbers(size), colour: Colour::IDENTITY.numbers(), rectangle: [0.0; 4] }
    }
}

impl Mixing {
    pub const NONE: Mixing = Mixing { rule: [1.0, 0.0, 0.0, 0.0, 0.0], share: 1.0 };
}

impl Augmentation {
    /// The numbers of image `sample` of the whole batch in step `iteration`, for images of (h, w).
    pub fn draw(&self, seed: u32, iteration: u32, sample: u32, size: [usize; 2]) -> Draw {
        let stream = Stream(Key { seed, layer: LAYER, iteration, sample });
        Draw {
            warp: self.warp(&stream, size).numbers(size),
            colour: self.colour(&stream).numbers(),
            rectangle: self.erased(&stream),
        }
    }

    /// Crop, then Keras' matrix, then flips; read from the result back to the image.
    ///
    /// Keras multiplies its `height_shift_range` into the matrix along x; here each range moves along its own side.
    fn warp(&self, stream: &Stream, [h, w]: [usize; 2]) -> Affine {
        let spread = |of: Of, range: f64| stream.between(of, [-range, range]);
        let pixels = |range: f64, size: usize| if range < 1.0 { range * size as f64 } else { range };
        let tx = spread(Of::ShiftX, pixels(self.width_shift_range, w));
        let ty = spread(Of::ShiftY, pixels(self.height_shift_range, h));
        let zoom = [Of::ZoomX, Of::ZoomY].map(|of| stream.between(of, self.zoom_range));
        let theta = spread(Of::Rotation, self.rotation_range);
        let keras = Affine::keras(theta, [tx, ty], spread(Of::Shear, self.shear_range), zoom);
        let sign = |flips: bool, of: Of| if flips && stream.uniform(of) < 0.5 { -1.0 } else { 1.0 };
        let flip = Affine::scale(sign(self.horizontal_flip, Of::FlipX), sign(self.vertical_flip, Of::FlipY));
        self.crop(stream, [h, w]).after(keras).after(flip)
    }

    fn crop(&self, stream: &Stream, [h, w]: [usize; 2]) -> Affine {
        if self.crop_range == [1.0, 1.0] {
            return Affine::IDENTITY;
        }
        let area = stream.between(Of::CropArea, self.crop_range);
        let [tall, wide] = stream.sides(Of::CropAspect, area, CROP_ASPECT);
        let offset = |of: Of, side: f64, size: usize| (stream.uniform(of) - 0.5) * (1.0 - side) * size as f64;
        Affine::window([wide, tall], [offset(Of::CropX, wide, w), offset(Of::CropY, tall, h)])
    }

    fn colour(&self, stream: &Stream) -> Colour {
        let hue = stream.between(Of::Hue, [-self.hue_range, self.hue_range]);
        Colour::hue(hue)
            .after(Colour::saturation(stream.between(Of::Saturation, self.saturation_range)))
            .after(Colour::contrast(stream.between(Of::Contrast, self.contrast_range)))
            .after(Colour::brightness(stream.between(Of::Brightness, self.brightness_range)))
    }

    fn erased(&self, stream: &Stream) -> [f32; 4] {
        if stream.uniform(Of::Erase) >= self.erase_probability {
            return [0.0; 4];
        }
        let area = stream.between(Of::ErasedArea, ERASED_AREA);
        let [tall, wide] = stream.sides(Of::ErasedAspect, area, ERASED_ASPECT);
        let top = stream.uniform(Of::ErasedY) * (1.0 - tall);
        let left = stream.uniform(Of::ErasedX) * (1.0 - wide);
        [top, left, top + tall, left + wide].map(|v| v as f32)
    }

    /// How image `sample` of the whole batch mixes with its partner.
    pub fn mixing(&self, seed: u32, iteration: u32, sample: u32, [h, w]: [usize; 2]) -> Mixing {
        let stream = Stream(Key { seed, layer: LAYER, iteration, sample });
        let both = self.mixup_alpha > 0.0 && self.cutmix_alpha > 0.0;
        let cuts = if both { stream.uniform(Of::MixOrCut) < 0.5 } else { self.cutmix_alpha > 0.0 };
        if !cuts {
            let share = stream.beta(self.mixup_alpha) as f32;
            return Mixing { rule: [share, 0.0, 0.0, 0.0, 0.0], share };
        }
        // Whole pixels, so that the label's share is the share of the pixels.
        let side = (1.0 - stream.beta(self.cutmix_alpha)).sqrt();
        let span = |of: Of, size: usize| {
            let (size, centre) = (size as f64, stream.uniform(of) * size as f64);
            let half = side * size / 2.0;
            [(centre - half).round().max(0.0) / size, (centre + half).round().min(size) / size]
        };
        let ([top, bottom], [left, right]) = (span(Of::PastedY, h), span(Of::PastedX, w));
        let share = 1.0 - (bottom - top) * (right - left);
        Mixing { rule: [1.0, top, left, bottom, right].map(|v| v as f32), share: share as f32 }
    }

    /// How far from each image its partner lies in a batch of `n`: 1 to n - 1, and 0 where there is no other.
    pub fn partner(seed: u32, iteration: u32, n: usize) -> usize {
        let stream = Stream(Key { seed, layer: LAYER, iteration, sample: u32::MAX });
        match n {
            0 | 1 => 0,
            _ => 1 + (stream.uniform(Of::Partner) * (n - 1) as f64) as usize,
        }
    }
}

/// What a number is for: its place in the stream. New ones are added at the end.
#[derive(Clone, Copy)]
enum Of {
    Rotation,
    ShiftX,
    ShiftY,
    Shear,
    ZoomX,
    ZoomY,
    FlipX,
    FlipY,
    CropArea,
    CropAspect,
    CropX,
    CropY,
    Brightness,
    Contrast,
    Saturation,
    Hue,
    Erase,
    ErasedArea,
    ErasedAspect,
    ErasedX,
    ErasedY,
    Partner,
    MixOrCut,
    BetaRadius,
    BetaAngle,
    PastedX,
    PastedY,
}

struct Stream(Key);

impl Stream {
    /// U(0, 1), neither end included.
    fn uniform(&self, of: Of) -> f64 {
        (f64::from(self.0.word(of as u32)) + 0.5) / 4_294_967_296.0
    }

    fn between(&self, of: Of, [low, high]: [f64; 2]) -> f64 {
        low + (high - low) * self.uniform(of)
    }

    /// Height and width, as shares, of a window of `area` whose aspect ratio lies between 1 / `most` and `most`.
    fn sides(&self, of: Of, area: f64, most: f64) -> [f64; 2] {
        let aspect = self.between(of, [-most.ln(), most.ln()]).exp();
        [(area / aspect).sqrt().min(1.0), (area * aspect).sqrt().min(1.0)]
    }

    /// Beta(alpha, alpha), by way of Student's t with 2 alpha degrees of freedom.
    /// Source: Bailey 1994, *Polar generation of random variates with the t-distribution*; Devroye 1996.
    fn beta(&self, alpha: f64) -> f64 {
        let cos = (std::f64::consts::TAU * self.uniform(Of::BetaAngle)).cos();
        let square = (self.uniform(Of::BetaRadius).powf(-1.0 / alpha) - 1.0) * cos * cos;
        0.5 * (1.0 + cos.signum() / (1.0 + 1.0 / square).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: [usize; 2] = [64, 96];

    #[test]
    fn nothing_switched_on_is_the_identity() {
        assert_eq!(Augmentation::default().draw(3, 4, 5, SIZE), Draw::identity(SIZE));
    }

    #[test]
    fn an_option_changes_no_other() {
        let recipe = Augmentation::recipe();
        let more = Augmentation { hue_range: 40.0, erase_probability: 1.0, ..recipe.clone() };
        let (a, b) = (recipe.draw(1, 2, 3, SIZE), more.draw(1, 2, 3, SIZE));
        assert_eq!(a.warp, b.warp);
        assert_ne!(a.colour, b.colour);
        assert_ne!(a.rectangle, b.rectangle);
    }

    #[test]
    fn draws_stay_in_their_ranges_and_fill_them() {
        let shifted = Augmentation { width_shift_range: 0.25, height_shift_range: 5.0, ..Default::default() };
        let moved = |sample| shifted.draw(9, 0, sample, SIZE).warp;
        let across: Vec<f32> = (0..2000).map(|i| moved(i)[5] - 47.5).collect();
        let down: Vec<f32> = (0..2000).map(|i| moved(i)[2] - 31.5).collect();
        for (values, most) in [(across, 24.0f32), (down, 5.0)] {
            let (low, high) = values.iter().fold((0f32, 0f32), |(l, h), &v| (l.min(v), h.max(v)));
            assert!(-most <= low && low < -0.98 * most && 0.98 * most < high && high <= most, "{low} {high}");
        }
    }

    /// The variance of Beta(a, a) is 1 / (4 (2a + 1)); of 20,000 draws the estimates scatter by less than 0.003.
    #[test]
    fn shares_are_beta_distributed() {
        for alpha in [0.2, 1.0, 4.0] {
            let share = |i| Stream(Key { seed: 5, layer: LAYER, iteration: 0, sample: i }).beta(alpha);
            let shares: Vec<f64> = (0..20_000).map(share).collect();
            assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
            let mean = shares.iter().sum::<f64>() / 20_000.0;
            let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / 20_000.0;
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!(
                (mean - 0.5).abs() < 0.01 && (variance - expected).abs() < 0.006,
                "{alpha} {mean} {variance}"
            );
        }
    }

    #[test]
    fn a_pasted_part_counts_by_its_pixels() {
        let cutmix = Augmentation { cutmix_alpha: 1.0, ..Default::default() };
        for sample in 0..200 {
            let Mixing { rule: [share, top, left, bottom, right], share: label } =
                cutmix.mixing(1, 0, sample, SIZE);
            let pixels = ((bottom - top) * 64.0).round() * ((right - left) * 96.0).round();
            assert_eq!(share, 1.0);
            assert!((label - (1.0 - pixels / (64.0 * 96.0))).abs() < 1e-5, "{label}");
        }
    }

    #[test]
    fn every_partner_is_another_image() {
        for n in 2..9 {
            assert!((0..100).all(|iteration| (1..n).contains(&Augmentation::partner(0, iteration, n))));
        }
        assert_eq!(Augmentation::partner(0, 0, 1), 0);
    }
}
