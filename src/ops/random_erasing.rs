//! A rectangle of noise in each image, so that no single detail decides.

use crate::gpu::Kernel;
use crate::ops::pieces::{INDEX, RANDOM};
use crate::ops::random::Key;
use crate::ops::rgb::{inside, with_rows};
use crate::ops::step::flat_grid;
use crate::ops::{Array, Case, Given, Live, Lowered, Op, Operand, Part, Site, Step, Word};
use crate::shape::Shape;

const SOURCE: &str = include_str!("../../shaders/random_erasing.wgsl");

/// x (n, h, w, 3) RGB of 0 to 255, rectangle (n, 4): top, left, bottom, right as shares of the image's height and width.
/// y is noise of 0 to 255 where a pixel's centre lies inside, else x. An empty rectangle erases nothing.
///
/// The noise depends on the seed, the layer, the iteration, the sample's index within the whole batch and the pixel.
///
/// # Errors
/// No RGB map, or a rectangle that is not four numbers per image.
///
/// Source: Zhong et al. 2017, *Random Erasing Data Augmentation*.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RandomErasing;

impl Op for RandomErasing {
    fn kind(&self) -> &'static str {
        "random_erasing"
    }

    fn output(&self, x: &[Shape]) -> Result<Shape, String> {
        with_rows(x, 4)
    }

    fn differentiable(&self, _index: usize) -> bool {
        false
    }

    fn is_stochastic(&self) -> bool {
        true
    }

    fn forward(&self, site: &Site) -> Lowered {
        let pixels = site.y.numel() / 3;
        let kernel = Kernel::new("random_erasing", SOURCE, "forward").piece(INDEX).piece(RANDOM);
        Step::new(kernel, Part::Forward)
            .read("x", Operand::X(0))
            .read("rectangle", Operand::X(1))
            .write("y", Operand::Y)
            .sizes(&[pixels as usize, site.y.dims()[1], site.y.dims()[2]])
            .word(Word::U32(site.layer))
            .word(Word::Live(Live::Seed))
            .word(Word::Live(Live::Iteration))
            .word(Word::Live(Live::FirstSample))
            .groups(flat_grid(pixels, site.caps.max_groups))
            .flops(8 * pixels)
            .into()
    }

    fn reference(&self, given: Given) -> Array {
        let [x, rectangle] = [&given.x[0], &given.x[1]];
        let [_, h, w, _] = x.nhwc();
        let mut y = x.clone();
        for (i, pixel) in y.data.chunks_exact_mut(3).enumerate() {
            let (n, place) = (i / (h * w), i % (h * w));
            if inside(place, [h, w], &rectangle.data[4 * n..4 * n + 4]) {
                let sample = given.now.first_sample.wrapping_add(n as u32);
                let (seed, iteration) = (given.now.seed, given.now.iteration);
                let key = Key { seed, layer: given.layer, iteration, sample };
                (0..3).for_each(|c| pixel[c as usize] = f64::from(key.word(4 * place as u32 + c) >> 24));
            }
        }
        y
    }
}

/// Single pixels and odd maps.
pub fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 3] = [&[5, 7, 5, 3], &[1, 1, 1, 3], &[6, 8, 16, 3]];
    shapes.map(|x| Case::new(RandomErasing, &[x, &[x[0], 4]])).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Now;

    #[test]
    fn the_rectangle_becomes_noise_and_the_rest_stays() {
        let now = Now::default();
        let x = Array::new(Shape::new(&[1, 10, 10, 3]), vec![-1.0; 300]);
        let rectangle = Array::new(Shape::new(&[1, 4]), vec![0.2, 0.5, 0.6, 1.0]);
        let y = RandomErasing.reference(Given {
            x: &[x, rectangle],
            params: &[],
            now: &now,
            trains: true,
            layer: 0,
        });
        let erased: Vec<usize> = (0..100).filter(|i| y.data[3 * i] >= 0.0).collect();
        assert_eq!(erased, (20..60).filter(|i| i % 10 >= 5).collect::<Vec<_>>());
        let noise: Vec<f64> = y.data.iter().copied().filter(|v| *v >= 0.0).collect();
        let mean = noise.iter().sum::<f64>() / noise.len() as f64;
        // 60 values; the standard deviation of their mean is 9.5.
        assert!((mean - 127.5).abs() < 38.0, "{mean}");
    }
}
