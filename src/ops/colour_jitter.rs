//! One colour matrix per image: brightness, contrast, saturation and hue at once.

use crate::gpu::Kernel;
use crate::ops::pieces::INDEX;
use crate::ops::rgb::with_rows;
use crate::ops::step::flat_grid;
use crate::ops::{Array, Case, Given, Lowered, Op, Operand, Part, Site, Step};
use crate::shape::Shape;

const SOURCE: &str = include_str!("../../shaders/colour_jitter.wgsl");

/// x (n, h, w, 3) RGB of 0 to 255, matrix (n, 12); `y[c] = clamp(sum over k of m[4c + k] x[k] + m[4c + 3], 0, 255)`.
///
/// # Errors
/// No RGB map, or a matrix that is not twelve numbers per image.
///
/// Source: SVG Filter Effects, section on `feColorMatrix`, without alpha.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ColourJitter;

impl Op for ColourJitter {
    fn kind(&self) -> &'static str {
        "colour_jitter"
    }

    fn output(&self, x: &[Shape]) -> Result<Shape, String> {
        with_rows(x, 12)
    }

    fn differentiable(&self, _index: usize) -> bool {
        false
    }

    fn is_stochastic(&self) -> bool {
        true
    }

    fn forward(&self, site: &Site) -> Lowered {
        let pixels = site.y.numel() / 3;
        let image = site.y.dims()[1] * site.y.dims()[2];
        Step::new(Kernel::new("colour_jitter", SOURCE, "forward").piece(INDEX), Part::Forward)
            .read("x", Operand::X(0))
            .read("matrix", Operand::X(1))
            .write("y", Operand::Y)
            .sizes(&[pixels as usize, image])
            .groups(flat_grid(pixels, site.caps.max_groups))
            .flops(18 * pixels)
            .into()
    }

    fn reference(&self, given: Given) -> Array {
        let [x, matrix] = [&given.x[0], &given.x[1]];
        let [_, h, w, _] = x.nhwc();
        let pixels = x.data.chunks_exact(3).enumerate();
        let y = pixels.flat_map(|(i, rgb)| {
            let rows = matrix.data[12 * (i / (h * w))..].chunks_exact(4).take(3);
            rows.map(|m| (m[0] * rgb[0] + m[1] * rgb[1] + m[2] * rgb[2] + m[3]).clamp(0.0, 255.0))
        });
        Array::new(x.shape, y.collect())
    }
}

/// Single pixels and odd maps.
pub fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 3] = [&[3, 7, 5, 3], &[1, 1, 1, 3], &[2, 8, 16, 3]];
    shapes.map(|x| Case::new(ColourJitter, &[x, &[x[0], 12]])).into()
}
