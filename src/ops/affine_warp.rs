//! One affine warp per image: rotation, shift, shear, zoom, flip and crop are a single look-up.

use std::str::FromStr;

use crate::error::{Error, unknown};
use crate::gpu::Kernel;
use crate::ops::pieces::INDEX;
use crate::ops::rgb::with_rows;
use crate::ops::step::flat_grid;
use crate::ops::{Array, Case, Dtype, Given, Lowered, Op, Operand, Part, Site, Step, Word};
use crate::shape::Shape;

const SOURCE: &str = include_str!("../../shaders/affine_warp.wgsl");

/// What is seen beyond the edges of an image. Names and meanings are those of Keras and scipy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FillMode {
    /// `aaaa|abcd|dddd`
    #[default]
    Nearest,
    /// `dcba|abcd|dcba`
    Reflect,
    /// `bcd|abcd|bcd`: the last pixel lies on the first, as in scipy.
    Wrap,
    /// One value for all that is outside.
    Constant,
}

impl FillMode {
    pub const ALL: [FillMode; 4] = [Self::Nearest, Self::Reflect, Self::Wrap, Self::Constant];

    pub fn name(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Reflect => "reflect",
            Self::Wrap => "wrap",
            Self::Constant => "constant",
        }
    }
}

impl FromStr for FillMode {
    type Err = Error;

    /// # Errors
    /// An unknown name; the message suggests the nearest.
    fn from_str(name: &str) -> Result<FillMode, Error> {
        let found = Self::ALL.into_iter().find(|mode| mode.name() == name);
        found.ok_or_else(|| unknown("fill mode", name, &Self::ALL.map(Self::name)))
    }
}

/// x (n, h, w, 3) bytes, warp (n, 6); y (n, h, w, 3) with y[r, c] = x[source(r, c)], bilinear.
///
/// `source = (m0 dr + m1 dc + m2, m3 dr + m4 dc + m5)` in (row, column) of x, where (dr, dc) is the place of the output
/// pixel relative to the centre of the image. `[1, 0, (h-1)/2, 0, 1, (w-1)/2]` gives the image back, bit by bit.
///
/// # Errors
/// No RGB map, or a warp that is not six numbers per image.
///
/// Source: Keras `apply_affine_transform` (order 1); scipy `ndimage.affine_transform`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AffineWarp {
    pub fill: FillMode,
    /// What [`FillMode::Constant`] shows, 0 to 255.
    pub cval: f32,
}

impl AffineWarp {
    /// The place between the pixels whose colour is seen at `at`; `None` where that is the constant.
    fn place(&self, at: f64, size: usize) -> Option<f64> {
        let (size, last) = (size as f64, size as f64 - 1.0);
        match self.fill {
            FillMode::Nearest => Some(at.clamp(0.0, last)),
            FillMode::Constant => (0.0..=last).contains(&at).then_some(at),
            FillMode::Reflect => {
                let turn = at.rem_euclid(2.0 * size);
                Some(if turn >= size { 2.0 * size - 1.0 - turn } else { turn })
            }
            FillMode::Wrap if last == 0.0 => Some(0.0),
            FillMode::Wrap if at < 0.0 => Some(at + last * ((-at / last).trunc() + 1.0)),
            FillMode::Wrap => Some(if at > last { at - last * (at / last).trunc() } else { at }),
        }
    }

    /// The colour of channel `c` at a place between the pixels of sample `n`.
    fn bilinear(x: &Array, n: usize, [row, column]: [f64; 2], c: usize) -> f64 {
        let [_, h, w, _] = x.nhwc();
        let inside = |at: f64, size: usize| at.clamp(0.0, size as f64 - 1.0) as usize;
        let pixel = |r: f64, q: f64| x.data[((n * h + inside(r, h)) * w + inside(q, w)) * 3 + c];
        let (top, left) = (row.floor(), column.floor());
        let (down, right) = (row - top, column - left);
        let line = |r: f64| pixel(r, left) * (1.0 - right) + pixel(r, left + 1.0) * right;
        line(top) * (1.0 - down) + line(top + 1.0) * down
    }
}

impl Op for AffineWarp {
    fn kind(&self) -> &'static str {
        "affine_warp"
    }

    fn output(&self, x: &[Shape]) -> Result<Shape, String> {
        with_rows(x, 6)
    }

    fn input_dtype(&self, index: usize) -> Dtype {
        if index == 0 { Dtype::U8 } else { Dtype::F32 }
    }

    fn differentiable(&self, _index: usize) -> bool {
        false
    }

    fn is_stochastic(&self) -> bool {
        true
    }

    fn forward(&self, site: &Site) -> Lowered {
        let pixels = site.y.numel() / 3;
        let [_, h, w, _] = site.y.dims().try_into().expect("the shape rule saw a map");
        let fill = FillMode::ALL.iter().position(|mode| *mode == self.fill).expect("one of all");
        Step::new(Kernel::new("affine_warp", SOURCE, "forward").piece(INDEX), Part::Forward)
            .read("x", Operand::X(0))
            .read("warp", Operand::X(1))
            .write("y", Operand::Y)
            .sizes(&[pixels as usize, h, w, fill])
            .word(Word::F32(self.cval))
            .groups(flat_grid(pixels, site.caps.max_groups))
            .flops(40 * pixels)
            .into()
    }

    fn reference(&self, given: Given) -> Array {
        let [x, warp] = [&given.x[0], &given.x[1]];
        let [_, h, w, _] = x.nhwc();
        let mut y = Array::zeros(x.shape);
        for (i, pixel) in y.data.chunks_exact_mut(3).enumerate() {
            let (n, r, c) = (i / (h * w), i / w % h, i % w);
            let (dr, dc) = (r as f64 - (h as f64 - 1.0) / 2.0, c as f64 - (w as f64 - 1.0) / 2.0);
            let m = &warp.data[6 * n..6 * n + 6];
            let row = self.place(m[0] * dr + m[1] * dc + m[2], h);
            let column = self.place(m[3] * dr + m[4] * dc + m[5], w);
            for (channel, value) in pixel.iter_mut().enumerate() {
                *value = match (row, column) {
                    (Some(row), Some(column)) => Self::bilinear(x, n, [row, column], channel),
                    _ => f64::from(self.cval),
                };
            }
        }
        y
    }
}

/// Each way of filling, single pixels, and rows of pixels that do and do not begin with a word.
pub fn cases() -> Vec<Case> {
    let case = |fill, x: &[usize]| Case::new(AffineWarp { fill, cval: 100.0 }, &[x, &[x[0], 6]]);
    let mut all: Vec<Case> = FillMode::ALL.into_iter().map(|fill| case(fill, &[3, 7, 5, 3])).collect();
    all.extend(FillMode::ALL.into_iter().map(|fill| case(fill, &[2, 1, 1, 3])));
    all.push(case(FillMode::Nearest, &[1, 1, 9, 3]));
    all.push(case(FillMode::Reflect, &[3, 12, 8, 3]));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Now;

    /// A row of four pixels, looked at from `from` on.
    fn seen(fill: FillMode, from: f64) -> Vec<f64> {
        let now = Now::default();
        let x = [10.0, 20.0, 30.0, 40.0].map(|v| [v; 3]).concat();
        let x = Array::new(Shape::new(&[1, 1, 4, 3]), x);
        let warp = Array::new(Shape::new(&[1, 6]), vec![1.0, 0.0, 0.0, 0.0, 1.0, from + 1.5]);
        let op = AffineWarp { fill, cval: 7.0 };
        let y = op.reference(Given { x: &[x, warp], params: &[], now: &now, trains: true, layer: 0 });
        y.data.chunks_exact(3).map(|pixel| pixel[0]).collect()
    }

    #[test]
    fn beyond_the_edges_scipy_s_rules_hold() {
        assert_eq!(seen(FillMode::Nearest, -2.0), [10.0, 10.0, 10.0, 20.0]);
        assert_eq!(seen(FillMode::Reflect, -2.0), [20.0, 10.0, 10.0, 20.0]);
        assert_eq!(seen(FillMode::Reflect, 2.0), [30.0, 40.0, 40.0, 30.0]);
        assert_eq!(seen(FillMode::Wrap, -2.0), [20.0, 30.0, 10.0, 20.0]);
        assert_eq!(seen(FillMode::Wrap, 2.0), [30.0, 40.0, 20.0, 30.0]);
        assert_eq!(seen(FillMode::Constant, 2.5), [35.0, 7.0, 7.0, 7.0]);
    }

    #[test]
    fn a_warp_of_another_length_is_refused() {
        let shapes = [Shape::new(&[2, 4, 4, 3]), Shape::new(&[2, 5])];
        assert!(AffineWarp::default().output(&shapes).unwrap_err().contains("expected 2x6"));
    }
}
