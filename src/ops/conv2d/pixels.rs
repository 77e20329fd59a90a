//! A convolution with the preprocessing before it in its loads: what `graph::fuse` puts in the place of the two.
//!
//! Its reference is the two ops' one after the other. The subgroup's rung maps colours while it writes an image out with its
//! padding; the others leave the preprocessed image in scratch memory. What is kept for the backward pass is the image.

use std::any::Any;
use std::sync::Arc;

use crate::gpu::Kernel;
use crate::ops::conv2d::Conv2d;
use crate::ops::conv2d::subgroup::{self, Halo};
use crate::ops::{
    Array, Dtype, Given, Gradients, Lowered, Op, OpRef, Operand, ParamSpec, Part, Preprocess, Rung, Site,
    Step, Wants, fused, pieces,
};
use crate::shape::Shape;

/// y = conv(preprocess(x), w) + b, x (n,h,w,3) RGB, with the convolution's ReLU, and with the max-pool that it has taken in.
#[derive(Clone, Debug)]
pub struct OfPixels {
    preprocess: Preprocess,
    /// A [`Conv2d`], or a pooled one.
    conv: OpRef,
}

impl OfPixels {
    pub fn new(conv: &Conv2d, preprocess: Preprocess) -> OfPixels {
        OfPixels { preprocess, conv: Arc::new(conv.clone()) }
    }

    /// The convolution, where nothing is fused behind it.
    fn alone(&self) -> Option<&Conv2d> {
        (&*self.conv as &dyn Any).downcast_ref()
    }

    /// Writes the preprocessed image out with its padding.
    fn fill(&self, out: &mut Lowered, part: Part, halo: &Halo) -> Operand {
        let (entry, x) = match self.preprocess.pixels {
            Dtype::F32 => ("halo_of_floats", "x_floats"),
            _ => ("halo_of_bytes", "x"),
        };
        let source = include_str!("../../../shaders/conv2d_pixels.wgsl");
        let kernel = Kernel::new("conv2d_pixels", source, entry).piece(pieces::TEXEL).piece(pieces::COLOUR);
        let [h, w, _] = halo.size;
        halo.filled(out, |texels| {
            Step::new(kernel, part)
                .read(x, Operand::X(0))
                .write_texels("out", texels)
                .sizes(&[h, w])
                .sizes(&halo.out)
                .sizes(&halo.pad)
                .words(self.preprocess.words())
        })
    }

    /// The preprocessed image in scratch memory, for rungs that read a map.
    fn preprocessed(&self, site: &Site, out: &mut Lowered) -> Operand {
        let image = out.scratch(site.x[0].numel());
        let preprocess = self.preprocess.forward(&Site { y: site.x[0], ..*site });
        out.extend(preprocess, Operand::Y, image);
        image
    }
}

impl Op for OfPixels {
    fn kind(&self) -> &'static str {
        "conv2d_pixels"
    }

    fn output(&self, x: &[Shape]) -> Result<Shape, String> {
        self.conv.output(&[self.preprocess.output(x)?])
    }

    fn params(&self, x: &[Shape]) -> Vec<ParamSpec> {
        self.conv.params(x)
    }

    fn aux(&self, x: &[Shape]) -> Option<(Shape, Dtype)> {
        self.conv.aux(x)
    }

    fn input_dtype(&self, index: usize) -> Dtype {
        self.preprocess.input_dtype(index)
    }

    fn differentiable(&self, _index: usize) -> bool {
        false
    }

    fn gives_pixels(&self) -> bool {
        false
    }

    fn with_next(&self, next: &dyn Op) -> Option<OpRef> {
        let conv = self.conv.with_next(next)?;
        Some(Arc::new(OfPixels { conv, ..self.clone() }))
    }

    fn macs(&self, x: &[Shape]) -> u64 {
        self.conv.macs(x)
    }

    fn rungs(&self, part: Part, site: &Site) -> Vec<Rung> {
        self.conv.rungs(part, site)
    }

    fn forward(&self, site: &Site) -> Lowered {
        if let (Some(conv), Rung::Subgroup) = (self.alone(), site.rungs.forward) {
            return subgroup::forward(conv, site, &|out, part, halo| self.fill(out, part, halo));
        }
        let mut out = Lowered::default();
        let image = self.preprocessed(site, &mut out);
        out.extend(self.conv.forward(site), Operand::X(0), image);
        out
    }

    fn backward(&self, site: &Site, wants: &Wants) -> Lowered {
        let mut out = Lowered::default();
        if !wants.any() {
            return out;
        }
        if let (Some(conv), Rung::Subgroup) = (self.alone(), site.rungs.d_w) {
            fused::output_gradient(site, wants, conv.relu, &mut out);
            let fill = |out: &mut Lowered, part: Part, halo: &Halo| self.fill(out, part, halo);
            if wants.d_params[0] {
                subgroup::weight_gradient(conv, site, &mut out, &fill);
            }
            return out;
        }
        let image = self.preprocessed(site, &mut out);
        out.extend(self.conv.backward(site, wants), Operand::X(0), image);
        out
    }

    fn reference(&self, given: Given) -> Array {
        let image = [self.preprocess.reference(given)];
        self.conv.reference(Given { x: &image, ..given })
    }

    fn reference_backward(&self, given: Given, y: &Array, d_y: &Array) -> Gradients {
        let image = [self.preprocess.reference(given)];
        let gradients = self.conv.reference_backward(Given { x: &image, ..given }, y, d_y);
        Gradients { d_x: vec![None], ..gradients }
    }
}
