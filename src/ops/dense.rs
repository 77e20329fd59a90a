//! dense: a fully connected layer with bias and a fused ReLU, forward and backward.
//!
//! This file holds what the op *is*; its rungs lower it: `naive`, `subgroup`, `packed`,
//! `tiled`, `coop`.

mod naive;
mod packed;
mod subgroup;
mod tiled;

use std::ops::Range;

use crate::gpu::Caps;
use crate::ops::gemm::tiled::Units;
use crate::ops::step::LONGEST_LOOP;
use crate::ops::{
    Array, Case, Given, Gradients, Lowered, Op, ParamSpec, Part, Rung, Site, Wants, fused, gemm,
};
use crate::shape::Shape;

/// Fully connected layer, x (n,ci) -> y (n,co), kernel (ci,co), bias (co), optional ReLU.
/// d_x = d_y wᵀ, d_w = xᵀ d_y, d_b = column sums of d_y; with ReLU, d_y is masked by y > 0 first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dense {
    pub units: usize,
    pub bias: bool,
    pub relu: bool,
}

impl Dense {
    pub fn new(units: usize, relu: bool) -> Dense {
        Dense { units, bias: true, relu }
    }
}

/// Whole rows of a (rows, columns) weight, as many as one binding holds: the recipe's 32768x1024 layer is exactly
/// the 128 MiB that WebGPU guarantees, VGG19's `fc1` is three times that.
pub fn windows(rows: usize, columns: usize, caps: &Caps) -> Vec<Range<usize>> {
    let row_bytes = columns as u64 * 4;
    // Offsets of bindings are aligned: with a multiple of 64 rows, any row length is.
    let most = ((caps.max_binding / row_bytes) as usize).min(rows).min(LONGEST_LOOP);
    let step = if most == rows { rows } else { (most / 64 * 64).max(1) };
    (0..rows).step_by(step).map(|first| first..(first + step).min(rows)).collect()
}

/// The bytes of a window of rows.
fn bytes(window: &Range<usize>, columns: usize) -> Range<u64> {
    (window.start * columns * 4) as u64..(window.end * columns * 4) as u64
}

impl Op for Dense {
    fn kind(&self) -> &'static str {
        "dense"
    }

    fn output(&self, x: &[Shape]) -> Result<Shape, String> {
        match x[0].dims() {
            _ if x[0].numel() == 0 || self.units == 0 => {
                Err(format!("zero size: x {}, {} units", x[0], self.units))
            }
            &[n, _] => Ok(Shape::new(&[n, self.units])),
            _ => Err(format!("x is {}, a dense layer takes (n, features); flatten or pool first", x[0])),
        }
    }

    fn params(&self, x: &[Shape]) -> Vec<ParamSpec> {
        let kernel = [x[0].last(), self.units];
        fused::params(&kernel, self.bias)
    }

    fn macs(&self, x: &[Shape]) -> u64 {
        x[0].numel() * self.units as u64
    }

    fn rungs(&self, part: Part, site: &Site) -> Vec<Rung> {
        let fast: &[Rung] = match part {
            _ if !gemm::runs(site) => &[],
            Part::DW => &[Rung::Subgroup],
            _ => &[Rung::Subgroup, Rung::Packed],
        };
        gemm::ladder(fast.to_vec(), site)
    }

    fn forward(&self, site: &Site) -> Lowered {
        match site.rungs.forward {
            Rung::Subgroup => subgroup::forward(self, site),
            Rung::Packed => packed::forward(self, site),
            Rung::Tiled => tiled::forward(self, site, Units::Vector),
            Rung::Coop => tiled::forward(self, site, Units::Matrix),
            _ => naive::forward(self, site),
        }
    }

    fn backward(&self, site: &Site, wants: &Wants) -> Lowered {
        let mut out = Lowered::default();
        fused::output_gradient(site, wants, self.relu, &mut out);
        if wants.d_params[0] {
            match site.rungs.d_w {
                Rung::Subgroup => subgroup::weight_gradient(self, site, &mut out),
                Rung::Tiled => tiled::weight_gradient(self, site, Units::Vector, &mut out),
                Rung::Coop => tiled::weight_gradient(self, site, Units::Matrix, &mut out),
                _ => naive::weight_gradient(self, site, &mut out),
            }
        }
        if wants.d_x[0] {
            match site.rungs.d_x {
                Rung::Subgroup => subgroup::input_gradient(self, site, &mut out),
                Rung::Packed => packed::input_gradient(site, &mut out),
                Rung::Tiled => tiled::input_gradient(self, site, Units::Vector, &mut out),
                Rung::Coop => tiled::input_gradient(self, site, Units::Matrix, &mut out),
                _ => naive::input_gradient(self, site, &mut out),
            }
        }
        out
    }

    fn reference(&self, given: Given) -> Array {
        let (x, w) = (&given.x[0], &given.params[0]);
        let mut y = Array::zeros(Shape::new(&[x.shape.dims()[0], self.units]));
        for (y_row, x_row) in y.data.chunks_exact_mut(self.units).zip(x.data.chunks_exact(x.shape.last())) {
            if self.bias {
                y_row.copy_from_slice(&given.params[1].data);
            }
            for (x, w_row) in x_row.iter().zip(w.data.chunks_exact(self.units)) {
                y_row.iter_mut().zip(w_row).for_each(|(y, w)| *y += x * w);
            }
            if self.relu {
                y_row.iter_mut().for_each(|y| *y = y.max(0.0));
            }
        }
        y
    }

    fn reference_backward(&self, given: Given, y: &Array, d_y: &Array) -> Gradients {
        let (x, w) = (&given.x[0], &given.params[0]);
        let (mut d_x, mut d_w) = (Array::zeros(x.shape), Array::zeros(w.shape));
        let mut d_b = Array::zeros(Shape::new(&[self.units]));
        for n in 0..x.shape.dims()[0] {
            for o in 0..self.units {
                let at = n * self.units + o;
                let d = if self.relu && y.data[at] <= 0.0 { 0.0 } else { d_y.data[at] };
                d_b.data[o] += d;
                for i in 0..x.shape.last() {
                    d_x.data[n * x.shape.last() + i] += d * w.data[i * self.units + o];
                    d_w.data[i * self.units + o] += d * x.data[n * x.shape.last() + i];
                }
            }
        }
        let d_params = if self.bias { vec![d_w, d_b] } else { vec![d_w] };
        Gradients { d_x: vec![Some(d_x)], d_params }
    }
}

/// Odd sizes, one sample, one feature, one unit, and the sizes of a head.
pub fn cases() -> Vec<Case> {
    let case = |units, relu, x: &[usize]| Case::new(Dense::new(units, relu), &[x]);
    vec![
        case(1, false, &[1, 1]),
        case(7, true, &[3, 5]),
        case(10, false, &[2, 33]),
        case(64, true, &[16, 72]),
        case(100, true, &[9, 260]),
        case(132, true, &[17, 36]),
        case(301, false, &[35, 13]),
        case(3, true, &[2, 65_600]), // two windows: longer than a software driver's longest loop
        Case::new(Dense { units: 12, bias: false, relu: false }, &[&[4, 20]]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_hold_whole_aligned_rows_and_cover_all() {
        let caps = Caps::default();
        assert_eq!(windows(32_768, 1024, &caps), vec![0..32_768], "exactly 128 MiB is one window");
        let fc1 = windows(25_088, 4096, &caps);
        assert_eq!(fc1.len(), 4);
        assert_eq!((fc1[0].start, fc1.last().unwrap().end), (0, 25_088));
        for pair in fc1.windows(2) {
            assert_eq!(pair[0].end, pair[1].start);
            assert_eq!(bytes(&pair[1], 4096).start % 256, 0);
            assert!(bytes(&pair[0], 4096).end - bytes(&pair[0], 4096).start <= caps.max_binding);
        }
    }
}
