//! The mean of each channel of a map.

use crate::gpu::Kernel;
use crate::ops::pieces::INDEX;
use crate::ops::step::{LONGEST_LOOP, flat_grid};
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

/// The names of entry and bindings, by fours where whole pixels are vec4.
fn by_fours<const N: usize>(
    c: usize,
    plain: [&'static str; N],
    fours: [&'static str; N],
) -> [&'static str; N] {
    if c.is_multiple_of(4) { fours } else { plain }
}

/// One step of `entry` over `elements` elements of its result, each the mean of `pixels`, or one of them.
fn step(
    site: &Site,
    part: Part,
    entry: &'static str,
    elements: u64,
    pixels: usize,
    accumulate: Word,
) -> Step {
    let c = site.y.last();
    let lanes = if c.is_multiple_of(4) { 4 } else { 1 };
    let count = elements / lanes as u64;
    Step::new(Kernel::new("global_average_pool", SOURCE, entry).piece(INDEX), part)
        .sizes(&[count as usize, pixels, c / lanes])
        .word(Word::F32((1.0 / pixels as f64) as f32))
        .word(accumulate)
        .groups(flat_grid(count, site.caps.max_groups))
}

/// `to` = the means of each `pixels` neighbours in `from`, of which there are `rows`.
fn mean(site: &Site, from: Operand, to: Operand, rows: usize, pixels: usize) -> Step {
    let c = site.y.last();
    let [entry, x, y] = by_fours(c, ["forward", "x", "y"], ["forward4", "x4", "y4"]);
    let elements = (rows * c) as u64;
    step(site, Part::Forward, entry, elements, pixels, Word::U32(0))
        .read(x, from)
        .write(y, to)
        .flops(elements * pixels as u64)
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
        let [n, h, w, c] = site.x[0].dims().try_into().expect("the shape rule takes maps");
        if h * w <= LONGEST_LOOP {
            return mean(site, Operand::X(0), Operand::Y, n, h * w).into();
        }
        // The mean of the rows' means, which no loop is too long for.
        let mut out = Lowered::default();
        let rows = out.scratch((n * h * c) as u64);
        out.push(mean(site, Operand::X(0), rows, n * h, w));
        out.push(mean(site, rows, Operand::Y, n, h));
        out
    }

    fn backward(&self, site: &Site, wants: &Wants) -> Lowered {
        if !wants.d_x[0] {
            return Lowered::default();
        }
        let (x, c) = (site.x[0], site.y.last());
        let [entry, d_y, d_x] = by_fours(c, ["backward", "d_y", "d_x"], ["backward4", "d_y4", "d_x4"]);
        step(site, Part::DX, entry, x.numel(), pixels(x), Word::Accumulate(Operand::DX(0)))
            .read(d_y, Operand::DY)
            .gradient(d_x, Operand::DX(0))
            .flops(x.numel())
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
