//! A convolution with the 2x2 max-pool behind it in its store: what `graph::fuse` puts in the place of the two.
//!
//! Its reference is the two ops' one after the other. Winograd's rungs pool in their output transform; the others leave
//! the map in scratch memory. On the way back one pass expands the pooled gradient through pool and ReLU and adds up the
//! bias gradient; all that it needs of the forward pass is the pooled map and the positions of its maxima.

use crate::gpu::Kernel;
use crate::ops::conv2d::Conv2d;
use crate::ops::conv2d::winograd::{self, Method};
use crate::ops::fused::BiasSums;
use crate::ops::{
    Array, Dtype, Given, Gradients, Lowered, MaxPool2d, Op, Operand, ParamSpec, Part, Rung, Site, Step,
    Wants, pieces,
};
use crate::shape::Shape;

/// y = max-pool(conv(x, w) + b), x (n,h,w,ci) -> y (n,ho/2,wo/2,co), co a multiple of four; with the convolution's ReLU.
#[derive(Clone, Debug)]
pub struct Pooled {
    conv: Conv2d,
    pool: MaxPool2d,
}

impl Pooled {
    /// `None` where the kernels cannot take the pool in: windows of other sizes, or channels not in fours.
    pub fn new(conv: &Conv2d, pool: &MaxPool2d) -> Option<Pooled> {
        let fits = *pool == MaxPool2d::vgg() && conv.filters.is_multiple_of(4);
        fits.then(|| Pooled { conv: conv.clone(), pool: *pool })
    }

    /// Shape of the map before the pool.
    fn map(&self, x: &[Shape]) -> [Shape; 1] {
        [self.conv.output(x).expect("the graph checked the shape rule")]
    }

    /// The site of the convolution alone.
    fn conv_site<'a>(&self, site: &Site<'a>) -> Site<'a> {
        Site { y: self.map(site.x)[0], ..*site }
    }

    /// From the pooled gradient to the gradient of the product, and of the bias.
    fn expand(&self, site: &Site, wants: &Wants, d_z: Operand, out: &mut Lowered) {
        let [n, h, w, c] = *self.map(site.x)[0].dims() else { unreachable!("a map has four dimensions") };
        let sums = BiasSums::new(Shape::new(&[n, h.div_ceil(2), w.div_ceil(2), c]));
        let partial = sums.scratch(out);
        let source = include_str!("../../../shaders/conv2d_pooled.wgsl");
        let part = if wants.d_params.contains(&true) { Part::DW } else { Part::DX };
        let step = Step::new(Kernel::new("conv2d_pooled", source, "expand").piece(pieces::INDEX), part)
            .read("d_y", Operand::DY)
            .read("y", Operand::Y)
            .read("positions", Operand::Aux)
            .write("d_z", d_z)
            .write("partial", partial);
        let relu = usize::from(self.conv.relu);
        out.push(sums.partial(step, site.caps.max_groups).sizes(&[h, w, relu]));
        if self.conv.bias && wants.d_params[1] {
            out.push(sums.total(partial));
        }
    }
}

impl Op for Pooled {
    fn kind(&self) -> &'static str {
        "conv2d_pooled"
    }

    fn output(&self, x: &[Shape]) -> Result<Shape, String> {
        self.pool.output(&[self.conv.output(x)?])
    }

    fn params(&self, x: &[Shape]) -> Vec<ParamSpec> {
        self.conv.params(x)
    }

    fn aux(&self, x: &[Shape]) -> Option<(Shape, Dtype)> {
        self.pool.aux(&self.map(x))
    }

    fn macs(&self, x: &[Shape]) -> u64 {
        self.conv.macs(x)
    }

    fn rungs(&self, part: Part, site: &Site) -> Vec<Rung> {
        self.conv.rungs(part, &self.conv_site(site))
    }

    fn forward(&self, site: &Site) -> Lowered {
        let conv_site = self.conv_site(site);
        if let Some(method) = Method::of(site.rungs.forward, &conv_site) {
            return winograd::forward_pooled(&self.conv, &method);
        }
        let mut out = Lowered::default();
        let z = out.scratch(conv_site.y.numel()); // f32: rounding would let maxima tie
        out.extend(self.conv.forward(&conv_site), Operand::Y, z);
        out.extend(self.pool.forward(&Site { x: &[conv_site.y], ..*site }), Operand::X(0), z);
        out
    }

    fn backward(&self, site: &Site, wants: &Wants) -> Lowered {
        let mut out = Lowered::default();
        if !wants.any() {
            return out;
        }
        let conv_site = self.conv_site(site);
        let d_z = out.scratch_of(site.precision.activation(), conv_site.y.numel());
        self.expand(site, wants, d_z, &mut out);
        let mut products = Lowered::default();
        self.conv.product_gradients(&conv_site, wants, &mut products);
        out.extend(products, Operand::DY, d_z);
        out
    }

    fn reference(&self, given: Given) -> Array {
        let map = [self.conv.reference(given)];
        self.pool.reference(Given { x: &map, params: &[], ..given })
    }

    fn reference_backward(&self, given: Given, y: &Array, d_y: &Array) -> Gradients {
        let map = [self.conv.reference(given)];
        let pooled = self.pool.reference_backward(Given { x: &map, params: &[], ..given }, y, d_y);
        let d_map = pooled.d_x[0].as_ref().expect("a pool has a gradient");
        self.conv.reference_backward(given, &map[0], d_map)
    }
}
