//! conv2d: 2-d cross-correlation with bias and a fused ReLU, forward and backward.
//!
//! This file holds what the op *is*: shape rule, parameters, reference. Its rungs lower it: `naive`, `subgroup`, `tiled`,
//! `coop`, and Winograd's two sizes on two kinds of products. `pooled` is the same op with a max-pool in its store, `pixels` with preprocessing in
//! its loads.

mod cases;
mod naive;
mod pixels;
mod pooled;
mod subgroup;
mod tiled;
mod winograd;

use std::any::Any;
use std::sync::Arc;

use crate::ops::gemm::tiled::Units;
use crate::ops::{
    Array, Given, Gradients, Lowered, MaxPool2d, Op, OpRef, ParamSpec, Part, Preprocess, Rung, Site, Wants,
    fused, gemm,
};
use crate::shape::Shape;

pub use cases::cases;
use pixels::OfPixels;
use pooled::Pooled;
use winograd::Method;

/// Maps of no more channels may be an image's pixels, which are f32 whatever the precision: matrix units would round them.
const PIXEL_CHANNELS: usize = 4;

/// How the borders of the input are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// Zeros around the input so that the output has ceil(size / stride) rows; an odd one goes below and right.
    Same,
    /// Only windows that lie inside.
    Valid,
}

impl Padding {
    /// (output size, zeros before the first element) of one dimension, as TensorFlow computes them.
    ///
    /// # Errors
    /// The window is larger than the input.
    pub fn place(self, size: usize, kernel: usize, stride: usize) -> Result<(usize, usize), String> {
        match self {
            Padding::Valid if kernel > size => Err(format!(
                "a window of {kernel} does not fit into {size}; use padding same or a larger input"
            )),
            Padding::Valid => Ok(((size - kernel) / stride + 1, 0)),
            Padding::Same => {
                let out = size.div_ceil(stride);
                Ok((out, ((out - 1) * stride + kernel).saturating_sub(size) / 2))
            }
        }
    }
}

/// 2-d convolution, x (n,h,w,ci) -> y (n,ho,wo,co), kernel (kh,kw,ci,co), bias (co), optional ReLU.
/// d_w = x ⋆ d_y, d_x = d_y * w (full), d_b = sum of d_y; with ReLU, d_y is masked by y > 0 first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Conv2d {
    pub filters: usize,
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: Padding,
    pub bias: bool,
    pub relu: bool,
}

impl Conv2d {
    /// VGG's convolution: 3x3, stride 1, same, bias, ReLU.
    pub fn vgg(filters: usize) -> Conv2d {
        Conv2d { filters, kernel: [3, 3], stride: [1, 1], padding: Padding::Same, bias: true, relu: true }
    }

    fn geometry(&self, x: &Shape) -> Result<Geometry, String> {
        let &[n, h, w, ci] = x.dims() else {
            return Err(format!("x is {x}, a convolution takes (n, h, w, channels)"));
        };
        let [kh, kw] = self.kernel;
        let [sh, sw] = self.stride;
        if x.numel() == 0 || self.filters * kh * kw * sh * sw == 0 {
            return Err(format!(
                "zero size: x {x}, kernel {kh}x{kw}, stride {sh}x{sw}, {} filters",
                self.filters
            ));
        }
        let (ho, top) = self.padding.place(h, kh, sh)?;
        let (wo, left) = self.padding.place(w, kw, sw)?;
        Ok(Geometry { n, h, w, ci, ho, wo, co: self.filters, kh, kw, sh, sw, top, left })
    }

    /// Steps for the wanted gradients of x and w, given the gradient of the product: ReLU and bias are behind.
    fn product_gradients(&self, site: &Site, wants: &Wants, out: &mut Lowered) {
        if wants.d_params[0] {
            match site.rungs.d_w {
                Rung::Subgroup => subgroup::weight_gradient(self, site, out, &subgroup::from_x),
                Rung::Tiled => tiled::weight_gradient(self, site, Units::Vector, out),
                Rung::Coop => tiled::weight_gradient(self, site, Units::Matrix, out),
                rung => match Method::of(rung, site) {
                    Some(method) => winograd::weight_gradient(self, &method, out),
                    None => naive::weight_gradient(self, site, out),
                },
            }
        }
        if wants.d_x[0] {
            match site.rungs.d_x {
                Rung::Subgroup => subgroup::input_gradient(self, site, out),
                Rung::Tiled => tiled::input_gradient(self, site, Units::Vector, out),
                Rung::Coop => tiled::input_gradient(self, site, Units::Matrix, out),
                rung => match Method::of(rung, site) {
                    Some(method) => winograd::input_gradient(self, &method, out),
                    None => out.push(naive::input_gradient(self, site)),
                },
            }
        }
    }

    /// The geometry at a site whose shapes the graph has checked.
    fn at(&self, x: &Shape) -> Geometry {
        self.geometry(x).expect("the graph checked the shape rule")
    }
}

/// All sizes of one convolution, under the names that the WGSL uses.
#[derive(Clone, Copy, Debug)]
struct Geometry {
    n: usize,
    h: usize,
    w: usize,
    ci: usize,
    ho: usize,
    wo: usize,
    co: usize,
    kh: usize,
    kw: usize,
    sh: usize,
    sw: usize,
    top: usize,
    left: usize,
}

impl Geometry {
    fn macs(&self) -> u64 {
        [self.n, self.ho, self.wo, self.co, self.kh, self.kw, self.ci].iter().map(|&d| d as u64).product()
    }

    /// Calls `visit(x index, w index, y index)` for each multiply-add.
    fn each(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let g = self;
        for (n, oy, ox) in triples(g.n, g.ho, g.wo) {
            for (ky, kx, ci) in triples(g.kh, g.kw, g.ci) {
                let (iy, ix) = (oy * g.sh + ky, ox * g.sw + kx);
                if iy < g.top || iy - g.top >= g.h || ix < g.left || ix - g.left >= g.w {
                    continue;
                }
                let x = ((n * g.h + iy - g.top) * g.w + ix - g.left) * g.ci + ci;
                let w = ((ky * g.kw + kx) * g.ci + ci) * g.co;
                let y = ((n * g.ho + oy) * g.wo + ox) * g.co;
                for co in 0..g.co {
                    visit(x, w + co, y + co);
                }
            }
        }
    }
}

fn triples(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a).flat_map(move |i| (0..b).flat_map(move |j| (0..c).map(move |k| (i, j, k))))
}

impl Op for Conv2d {
    fn kind(&self) -> &'static str {
        "conv2d"
    }

    fn output(&self, x: &[Shape]) -> Result<Shape, String> {
        let g = self.geometry(&x[0])?;
        Ok(Shape::new(&[g.n, g.ho, g.wo, g.co]))
    }

    fn params(&self, x: &[Shape]) -> Vec<ParamSpec> {
        let kernel = [self.kernel[0], self.kernel[1], x[0].last(), self.filters];
        fused::params(&kernel, self.bias)
    }

    fn macs(&self, x: &[Shape]) -> u64 {
        self.at(&x[0]).macs()
    }

    fn rungs(&self, part: Part, site: &Site) -> Vec<Rung> {
        let g = self.at(&site.x[0]);
        let mut fast = Vec::new();
        if gemm::runs(site) {
            fast.extend(subgroup::applies(&g).then_some(Rung::Subgroup));
            if winograd::applies(&g) {
                fast.extend([Rung::Winograd2, Rung::Winograd4]);
                let best = winograd::best(&g, part);
                fast.sort_by_key(|&rung| Some(rung) != best);
            }
        }
        let mut ladder = gemm::ladder(fast, site);
        // Behind the direct form: on no GPU has it been timed.
        if let Some(tiled) = ladder.iter().position(|&rung| rung == Rung::Tiled)
            && winograd::applies(&g)
        {
            ladder.splice(tiled + 1..=tiled, [Rung::Winograd2Tiled, Rung::Winograd4Tiled]);
        }
        if part != Part::DX && g.ci <= PIXEL_CHANNELS {
            ladder.retain(|&rung| rung != Rung::Coop);
        }
        ladder
    }

    fn forward(&self, site: &Site) -> Lowered {
        match site.rungs.forward {
            Rung::Subgroup => subgroup::forward(self, site, &subgroup::from_x),
            Rung::Tiled => tiled::forward(self, site, Units::Vector),
            Rung::Coop => tiled::forward(self, site, Units::Matrix),
            rung => match Method::of(rung, site) {
                Some(method) => winograd::forward(self, &method),
                None => naive::forward(self, site).into(),
            },
        }
    }

    fn backward(&self, site: &Site, wants: &Wants) -> Lowered {
        let mut out = Lowered::default();
        fused::output_gradient(site, wants, self.relu, &mut out);
        self.product_gradients(site, wants, &mut out);
        out
    }

    fn with_next(&self, next: &dyn Op) -> Option<OpRef> {
        let pool = (next as &dyn Any).downcast_ref::<MaxPool2d>()?;
        Some(Arc::new(Pooled::new(self, pool)?))
    }

    fn with_previous(&self, previous: &dyn Op) -> Option<OpRef> {
        let preprocess = (previous as &dyn Any).downcast_ref::<Preprocess>()?;
        Some(Arc::new(OfPixels::new(self, *preprocess)))
    }

    fn reference(&self, given: Given) -> Array {
        let (x, w) = (&given.x[0], &given.params[0]);
        let mut y = Array::zeros(self.output(&[x.shape]).expect("a checked shape"));
        if self.bias {
            for row in y.data.chunks_exact_mut(self.filters) {
                row.copy_from_slice(&given.params[1].data);
            }
        }
        self.at(&x.shape).each(|xi, wi, yi| y.data[yi] += x.data[xi] * w.data[wi]);
        if self.relu {
            y.data.iter_mut().for_each(|v| *v = v.max(0.0));
        }
        y
    }

    fn reference_backward(&self, given: Given, y: &Array, d_y: &Array) -> Gradients {
        let (x, w) = (&given.x[0], &given.params[0]);
        let mut d_z = d_y.clone();
        if self.relu {
            d_z.data.iter_mut().zip(&y.data).for_each(|(d, &y)| *d *= f64::from(y > 0.0));
        }
        let (mut d_x, mut d_w) = (Array::zeros(x.shape), Array::zeros(w.shape));
        self.at(&x.shape).each(|xi, wi, yi| {
            d_x.data[xi] += d_z.data[yi] * w.data[wi];
            d_w.data[wi] += d_z.data[yi] * x.data[xi];
        });
        let mut d_params = vec![d_w];
        if self.bias {
            let mut d_b = Array::zeros(Shape::new(&[self.filters]));
            for row in d_z.data.chunks_exact(self.filters) {
                d_b.data.iter_mut().zip(row).for_each(|(sum, d)| *sum += d);
            }
            d_params.push(d_b);
        }
        Gradients { d_x: vec![Some(d_x)], d_params }
    }
}
