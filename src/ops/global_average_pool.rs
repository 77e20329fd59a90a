//! The mean of each channel of a map.

use crate::gpu::Kernel;
use crate::ops::pieces::INDEX;
use crate::ops::step::flat_grid;
use crate::ops::{Array, Case, Given, Gradients, Lowered, Op, Operand, Part, Site, Step, Wants, Word};
use crate::shape::Shape;

const SOURCE: &str = include_str!("../../shaders/global_average_pool.wgsl");

/// The mean over all pixels: x (n, h, w, c); y (n, c). d_x = d_y / (h w).
///
/// # Errors
/// No map, or a map without pixels.
///
/// Source: Keras `GlobalAveragePooling2D`; Lin et al. 2013, *Network in Network*, section 3.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GlobalAveragePool;

fn pixels(x: Shape) -> usize {
    x.dims()[1] * x.dims()[2]
}

/// One step over the elements of `result`, by fours where whole pixels are vec4.
fn step(site: &Site, part: Part, entries: [&'static str; 2], result: Shape, accumulate: Word) -> Step {
    let c = site.y.last();
    let lanes = if c.is_multiple_of(4) { 4 } else { 1 };
    let entry = entries[usize::from(lanes == 4)];
    let (count, pixels) = (result.numel() / lanes as u64, pixels(site.x[0]));
    Step::new(Kernel::new("global_average_pool", SOURCE, entry).piece(INDEX), part)
        .sizes(&[count as usize, pixels, c / lanes])
        .word(Word::F32((1.0 / pixels as f64) as f32))
        .word(accumulate)
        .groups(flat_grid(count, site.caps.max_groups))
        .flops(site.x[0].numel())
}

impl Op for GlobalAveragePool {
    fn kind(&self) -> &'static str {
        "global_average_pool"
    }

    fn output(&self, x: &[Shape]) -> Result<Shape, String> {
        match *x[0].dims() {
            [n, h, w, c] if h * w > 0 => Ok(Shape::new(&[n, c])),
            _ => Err(format!("x is {}, expected a map (n, h, w, c)", x[0])),
        }
    }

    fn forward(&self, site: &Site) -> Lowered {
        let [x, y] = if site.y.last().is_multiple_of(4) { ["x4", "y4"] } else { ["x", "y"] };
        step(site, Part::Forward, ["forward", "forward4"], site.y, Word::U32(0))
            .read(x, Operand::X(0))
            .write(y, Operand::Y)
            .into()
    }

    fn backward(&self, site: &Site, wants: &Wants) -> Lowered {
        if !wants.d_x[0] {
            return Lowered::default();
        }
        let [d_y, d_x] = if site.y.last().is_multiple_of(4) { ["d_y4", "d_x4"] } else { ["d_y", "d_x"] };
        let accumulate = Word::Accumulate(Operand::DX(0));
        step(site, Part::DX, ["backward", "backward4"], site.x[0], accumulate)
            .read(d_y, Operand::DY)
            .gradient(d_x, Operand::DX(0))
            .into()
    }

    fn reference(&self, given: Given) -> Array {
        let [n, h, w, c] = given.x[0].nhwc();
        let mut y = Array::zeros(Shape::new(&[n, c]));
        for (e, value) in given.x[0].data.iter().enumerate() {
            y.data[e / (h * w * c) * c + e % c] += value / (h * w) as f64;
        }
        y
    }

    fn reference_backward(&self, given: Given, _y: &Array, d_y: &Array) -> Gradients {
        let [_, h, w, c] = given.x[0].nhwc();
        let pooled = |e: usize| d_y.data[e / (h * w * c) * c + e % c] / (h * w) as f64;
        let d_x = (0..given.x[0].data.len()).map(pooled).collect();
        Gradients { d_x: vec![Some(Array::new(given.x[0].shape, d_x))], d_params: Vec::new() }
    }
}

/// Single pixels, odd maps, channels that do and do not fill a vec4.
pub fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 5] = [&[3, 7, 5, 20], &[1, 7, 7, 64], &[3, 3, 5, 7], &[1, 1, 1, 3], &[1, 9, 1, 5]];
    shapes.map(|x| Case::new(GlobalAveragePool, &[x])).into()
}
