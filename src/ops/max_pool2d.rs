//! Max-pooling of maps.

use crate::gpu::Kernel;
use crate::ops::pieces::INDEX;
use crate::ops::step::flat_grid;
use crate::ops::{Array, Case, Dtype, Given, Gradients, Lowered, Op, Operand, Part, Site, Step, Wants, Word};
use crate::shape::Shape;

const SOURCE: &str = include_str!("../../shaders/max_pool2d.wgsl");

/// The largest value of each window, channel by channel.
///
/// x (n, h, w, c); y (n, ho, wo, c), where ho is `(h - kh) / sh + 1` without padding and `h / sh`, rounded up, with it.
/// The position of each maximum within its window is kept in one byte; the gradient of a tie goes to the first maximum
/// in row-major order.
///
/// # Errors
/// No map, an empty window or stride, a window of more than 256 elements, or one larger than a map without padding.
///
/// Source: Keras `MaxPooling2D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool2d {
    /// Rows and columns.
    pub window: [usize; 2],
    pub stride: [usize; 2],
    /// Keras' `padding="same"`: windows may reach beyond the map, as evenly as possible on both sides, the odd one at
    /// the end. What lies outside is never the maximum.
    pub same: bool,
}

impl MaxPool2d {
    /// The pool of the VGG networks: 2x2, stride 2, no padding.
    pub fn vgg() -> MaxPool2d {
        MaxPool2d { window: [2, 2], stride: [2, 2], same: false }
    }

    /// Windows along one axis and the padding before it.
    fn axis(&self, axis: usize, extent: usize) -> (usize, usize) {
        let (window, stride) = (self.window[axis], self.stride[axis]);
        if !self.same {
            return ((extent - window) / stride + 1, 0);
        }
        let count = extent.div_ceil(stride);
        let padding = ((count - 1) * stride + window).saturating_sub(extent);
        (count, padding / 2)
    }

    /// Strides along one axis that cover the map and the padding before it.
    fn cells(&self, axis: usize, extent: usize) -> usize {
        (extent + self.axis(axis, extent).1).div_ceil(self.stride[axis])
    }

    /// Whether two windows share an element.
    fn overlaps(&self) -> bool {
        self.window[0] > self.stride[0] || self.window[1] > self.stride[1]
    }

    fn kernel(entry: &'static str) -> Kernel {
        Kernel::new("max_pool2d", SOURCE, entry).piece(INDEX)
    }

    /// The parameter block without `accumulate`; `lanes` channels travel together.
    fn sizes(&self, step: Step, site: &Site, count: u64, lanes: usize) -> Step {
        let (x, y) = (site.x[0].dims(), site.y.dims());
        let (top, left) = (self.axis(0, x[1]).1, self.axis(1, x[2]).1);
        let map = [count as usize, x[1], x[2], x[3] / lanes, y[1], y[2]];
        step.sizes(&map)
            .sizes(&self.window)
            .sizes(&self.stride)
            .sizes(&[top, left])
            .sizes(&[self.cells(0, x[1]), self.cells(1, x[2])])
    }

    /// Flat index in x of the maximum of each window, and its position within the window.
    fn maxima(&self, x: &Array) -> (Shape, Vec<usize>) {
        let [n, h, w, c] = x.nhwc();
        let ((ho, top), (wo, left)) = (self.axis(0, h), self.axis(1, w));
        let mut maxima = Vec::with_capacity(n * ho * wo * c);
        for image in 0..n {
            for i in 0..ho {
                for j in 0..wo {
                    for channel in 0..c {
                        let mut best: Option<usize> = None;
                        for u in 0..self.window[0] {
                            for v in 0..self.window[1] {
                                let (row, column) = (i * self.stride[0] + u, j * self.stride[1] + v);
                                if row < top || column < left || row - top >= h || column - left >= w {
                                    continue;
                                }
                                let e = ((image * h + row - top) * w + column - left) * c + channel;
                                if best.is_none_or(|known| x.data[e] > x.data[known]) {
                                    best = Some(e);
                                }
                            }
                        }
                        maxima.push(best.expect("padding never fills a whole window"));
                    }
                }
            }
        }
        (Shape::new(&[n, ho, wo, c]), maxima)
    }
}

/// Channels per invocation: vec4 where the pixels allow it, because loads are dear on software drivers.
fn lanes(site: &Site) -> usize {
    if site.y.last().is_multiple_of(4) { 4 } else { 1 }
}

impl Op for MaxPool2d {
    fn kind(&self) -> &'static str {
        "max_pool2d"
    }

    fn output(&self, x: &[Shape]) -> Result<Shape, String> {
        let &[n, h, w, c] = x[0].dims() else {
            return Err(format!("x is {}, expected a map (n, h, w, c)", x[0]));
        };
        let [kh, kw] = self.window;
        if kh.min(kw) == 0 || self.stride.contains(&0) || kh.saturating_mul(kw) > 256 {
            return Err(format!(
                "a window of {kh}x{kw}, expected 1 to 256 elements and a stride of 1 or more"
            ));
        }
        let (least_h, least_w) = if self.same { (1, 1) } else { (kh, kw) };
        if h < least_h || w < least_w {
            return Err(format!("x {} is smaller than the window {kh}x{kw}; use a larger input", x[0]));
        }
        Ok(Shape::new(&[n, self.axis(0, h).0, self.axis(1, w).0, c]))
    }

    fn aux(&self, x: &[Shape]) -> Option<(Shape, Dtype)> {
        self.output(x).ok().map(|y| (y, Dtype::U8))
    }

    fn forward(&self, site: &Site) -> Lowered {
        let (lanes, elements) = (lanes(site), site.y.numel());
        let (entry, x, y) = if lanes == 4 { ("forward4", "x4", "y4") } else { ("forward", "x", "y") };
        let step = Step::new(MaxPool2d::kernel(entry), Part::Forward)
            .read(x, Operand::X(0))
            .write(y, Operand::Y)
            .write("positions", Operand::Aux);
        let step = self.sizes(step, site, elements / lanes as u64, lanes).word(Word::U32(0));
        let window = (self.window[0] * self.window[1]) as u64;
        step.groups(flat_grid(elements.div_ceil(4), site.caps.max_groups)).flops(elements * window).into()
    }

    fn backward(&self, site: &Site, wants: &Wants) -> Lowered {
        if !wants.d_x[0] {
            return Lowered::default();
        }
        let (x, lanes) = (site.x[0].dims(), lanes(site));
        let cells = x[0] * self.cells(0, x[1]) * self.cells(1, x[2]) * x[3] / lanes;
        let (entry, d_y, d_x, count) = match (lanes, self.overlaps()) {
            (4, false) => ("spread4", "d_y4", "d_x4", cells as u64),
            (4, true) => ("backward4", "d_y4", "d_x4", site.x[0].numel() / 4),
            _ => ("backward", "d_y", "d_x", site.x[0].numel()),
        };
        let step = Step::new(MaxPool2d::kernel(entry), Part::DX)
            .read(d_y, Operand::DY)
            .read("kept_positions", Operand::Aux)
            .gradient(d_x, Operand::DX(0));
        let step = self.sizes(step, site, count, lanes).word(Word::Accumulate(Operand::DX(0)));
        step.groups(flat_grid(count, site.caps.max_groups)).flops(site.x[0].numel()).into()
    }

    fn reference(&self, given: Given) -> Array {
        let (shape, maxima) = self.maxima(&given.x[0]);
        Array::new(shape, maxima.iter().map(|&e| given.x[0].data[e]).collect())
    }

    fn reference_backward(&self, given: Given, _y: &Array, d_y: &Array) -> Gradients {
        let mut d_x = Array::zeros(given.x[0].shape);
        for (&e, &d) in self.maxima(&given.x[0]).1.iter().zip(&d_y.data) {
            d_x.data[e] += d;
        }
        Gradients { d_x: vec![Some(d_x)], d_params: Vec::new() }
    }
}

/// Odd maps, single pixels, overlapping and gapped windows, channels that do and do not fill a vec4.
pub fn cases() -> Vec<Case> {
    let pool = |window, stride, same| MaxPool2d { window, stride, same };
    vec![
        Case::new(MaxPool2d::vgg(), &[&[3, 6, 8, 20]]),
        Case::new(MaxPool2d::vgg(), &[&[1, 7, 5, 3]]),
        Case::new(MaxPool2d::vgg(), &[&[1, 2, 2, 5]]),
        Case::new(pool([2, 2], [2, 2], true), &[&[3, 7, 5, 7]]),
        Case::new(pool([2, 2], [2, 2], true), &[&[1, 1, 1, 64]]),
        Case::new(pool([3, 3], [2, 2], false), &[&[3, 7, 9, 5]]),
        Case::new(pool([3, 3], [2, 2], true), &[&[1, 8, 6, 20]]),
        Case::new(pool([3, 3], [1, 1], true), &[&[3, 5, 5, 7]]),
        Case::new(pool([2, 3], [3, 1], false), &[&[1, 9, 5, 4]]),
        Case::new(pool([1, 1], [2, 2], false), &[&[1, 5, 5, 3]]),
        Case::new(pool([1, 2], [2, 3], true), &[&[3, 5, 8, 20]]),
        Case::new(pool([2, 2], [2, 2], false), &[&[1, 7, 5, 4]]),
        Case::new(pool([2, 2], [3, 3], true), &[&[1, 7, 8, 4]]),
        Case::new(pool([16, 16], [16, 16], true), &[&[1, 17, 33, 4]]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Now;

    #[test]
    fn the_first_of_equal_values_takes_the_gradient() {
        let now = Now { seed: 0, iteration: 0, first_sample: 0, loss_scale: 1.0, learning_rate: 0.0 };
        let x = [Array::zeros(Shape::new(&[1, 4, 4, 1]))];
        let given = Given { x: &x, params: &[], now: &now, trains: true, layer: 0 };
        let y = MaxPool2d::vgg().reference(given);
        let d_y = Array::new(y.shape, vec![1.0, 2.0, 3.0, 4.0]);
        let d_x = MaxPool2d::vgg().reference_backward(given, &y, &d_y).d_x[0].clone().unwrap();
        assert_eq!(d_x.data[..8], [1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(d_x.data[8..], [3.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn shapes_follow_keras() {
        let pool = MaxPool2d { window: [3, 3], stride: [2, 2], same: true };
        assert_eq!(pool.output(&[Shape::new(&[1, 8, 7, 4])]).unwrap(), Shape::new(&[1, 4, 4, 4]));
        assert_eq!(
            MaxPool2d { same: false, ..pool }.output(&[Shape::new(&[1, 8, 7, 4])]).unwrap(),
            Shape::new(&[1, 3, 3, 4])
        );
    }

    #[test]
    fn a_window_that_does_not_fit_is_refused() {
        let x = [Shape::new(&[1, 1, 4, 4])];
        assert!(MaxPool2d::vgg().output(&x).unwrap_err().contains("larger input"));
        let empty = MaxPool2d { window: [0, 2], ..MaxPool2d::vgg() };
        let huge = MaxPool2d { window: [17, 16], same: true, ..MaxPool2d::vgg() };
        assert!(empty.output(&x).is_err() && huge.output(&x).is_err());
        assert!(MaxPool2d::vgg().output(&[Shape::new(&[4, 4])]).is_err());
    }
}
