//! Bytes of images become the numbers that a network was trained on.

use crate::gpu::Kernel;
use crate::ops::pieces::{COLOUR, INDEX};
use crate::ops::step::flat_grid;
use crate::ops::{Array, Case, Dtype, Given, Lowered, Op, Operand, Part, Site, Step, Word};
use crate::shape::Shape;

const SOURCE: &str = include_str!("../../shaders/preprocess.wgsl");

/// `y[c] = x[order[c]] * scale[c] + offset[c]`: x (n, h, w, 3) in RGB, bytes, or f32 of 0 to 255 behind augmenting ops;
/// y (n, h, w, 3).
///
/// # Errors
/// No map of three channels, or an order that names a channel beyond the third.
///
/// Source: Keras `imagenet_utils.preprocess_input`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preprocess {
    /// Which channel of x each channel of y takes.
    pub order: [usize; 3],
    pub scale: [f32; 3],
    pub offset: [f32; 3],
    /// [`Dtype::U8`], or [`Dtype::F32`] where augmenting ops come first.
    pub pixels: Dtype,
}

impl Preprocess {
    fn mapped(&self, x: &[f64], c: usize) -> f64 {
        x[self.order[c]] * f64::from(self.scale[c]) + f64::from(self.offset[c])
    }

    /// What the shaders' `mapped` reads: the rows of the matrix that permutes and scales, one after the other, and the
    /// offsets.
    pub fn words(&self) -> [Word; 12] {
        let mut words = [0.0; 12];
        for c in 0..3 {
            words[3 * c + self.order[c]] = self.scale[c];
            words[9 + c] = self.offset[c];
        }
        words.map(Word::F32)
    }
}

impl Op for Preprocess {
    fn kind(&self) -> &'static str {
        "preprocess"
    }

    fn output(&self, x: &[Shape]) -> Result<Shape, String> {
        if x[0].rank() != 4 || x[0].last() != 3 {
            return Err(format!("x is {}, expected RGB images (n, h, w, 3)", x[0]));
        }
        if self.order.iter().any(|&channel| channel > 2) {
            return Err(format!("an order of {:?}, expected channels 0, 1 and 2", self.order));
        }
        Ok(x[0])
    }

    fn input_dtype(&self, _index: usize) -> Dtype {
        self.pixels
    }

    fn differentiable(&self, _index: usize) -> bool {
        false
    }

    fn forward(&self, site: &Site) -> Lowered {
        let elements = site.y.numel();
        // Of one sample: a smaller last batch runs the kernel of the whole one.
        let sample: usize = site.x[0].dims()[1..].iter().product();
        let (entry, x, y, count) = match self.pixels {
            Dtype::F32 => ("forward_floats", "x_floats", "y", elements / 3),
            _ if sample.is_multiple_of(12) => ("forward4", "x", "y4", elements / 12),
            _ => ("forward", "x", "y", elements),
        };
        let kernel = Kernel::new("preprocess", SOURCE, entry).piece(INDEX).piece(COLOUR);
        let step = Step::new(kernel, Part::Forward)
            .read(x, Operand::X(0))
            .write(y, Operand::Y)
            .sizes(&[count as usize])
            .words(self.words());
        step.groups(flat_grid(count, site.caps.max_groups)).flops(6 * elements).into()
    }

    fn reference(&self, given: Given) -> Array {
        let pixels = given.x[0].data.chunks_exact(3);
        let y = pixels.flat_map(|pixel| (0..3).map(|c| self.mapped(pixel, c))).collect();
        Array::new(given.x[0].shape, y)
    }
}

/// Keras' modes, and numbers of pixels that do and do not fill a word.
pub fn cases() -> Vec<Case> {
    let rgb = [0, 1, 2];
    let none = Preprocess { order: rgb, scale: [1.0; 3], offset: [0.0; 3], pixels: Dtype::U8 };
    let caffe = Preprocess { order: [2, 1, 0], offset: [-103.939, -116.779, -123.68], ..none };
    let tf = Preprocess { scale: [1.0 / 127.5; 3], offset: [-1.0; 3], ..none };
    let torch = Preprocess {
        scale: [0.229, 0.224, 0.225].map(|std: f32| 1.0 / (255.0 * std)),
        offset: [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225],
        ..none
    };
    let rescale = Preprocess { scale: [1.0 / 255.0; 3], ..none };
    vec![
        Case::new(none, &[&[1, 1, 1, 3]]),
        Case::new(caffe, &[&[3, 5, 7, 3]]),
        Case::new(caffe, &[&[1, 4, 6, 3]]),
        Case::new(tf, &[&[3, 7, 3, 3]]),
        Case::new(torch, &[&[3, 8, 5, 3]]),
        Case::new(torch, &[&[1, 3, 1, 3]]),
        Case::new(rescale, &[&[3, 2, 2, 3]]),
        Case::new(Preprocess { pixels: Dtype::F32, ..caffe }, &[&[3, 5, 7, 3]]),
        Case::new(Preprocess { pixels: Dtype::F32, ..rescale }, &[&[1, 4, 3, 3]]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caffe_mode_swaps_channels_and_subtracts_means() {
        let offset = [-103.939, -116.779, -123.68];
        let op = Preprocess { order: [2, 1, 0], scale: [1.0; 3], offset, pixels: Dtype::U8 };
        let blue_green_red: Vec<f64> = (0..3).map(|c| op.mapped(&[10.0, 20.0, 30.0], c)).collect();
        let expected = [30.0 - 103.939, 20.0 - 116.779, 10.0 - 123.68];
        assert!(blue_green_red.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn grey_images_are_refused() {
        let op = Preprocess { order: [0, 1, 2], scale: [1.0; 3], offset: [0.0; 3], pixels: Dtype::U8 };
        assert!(op.output(&[Shape::new(&[1, 4, 4, 1])]).unwrap_err().contains("RGB"));
        assert!(Preprocess { order: [0, 1, 3], ..op }.output(&[Shape::new(&[1, 4, 4, 3])]).is_err());
    }
}
