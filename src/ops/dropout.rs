//! Dropout, whose mask is a hash and is therefore never stored.

use crate::gpu::Kernel;
use crate::ops::pieces::{INDEX, RANDOM};
use crate::ops::random::Key;
use crate::ops::step::flat_grid;
use crate::ops::{Array, Case, Given, Gradients, Live, Lowered, Op, Operand, Part, Site, Step, Wants, Word};
use crate::shape::Shape;

const SOURCE: &str = include_str!("../../shaders/dropout.wgsl");

/// Zeroes a share `rate` of the elements while training and divides the others by `1 - rate`.
///
/// x, y (n, ...). The mask depends on the seed, the layer, the iteration, the sample's index within the whole batch and
/// the element, so that micro-batches and resumed runs see the mask of the whole run. Without training, and at rate 0,
/// y is x.
///
/// # Errors
/// A rate below 0, or of 1 and more.
///
/// Source: Srivastava et al. 2014, section 10; Keras `Dropout`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    pub rate: f32,
}

impl Dropout {
    /// An element stays if the upper 24 bits of its random word lie below this.
    fn threshold(&self) -> u32 {
        ((1.0 - f64::from(self.rate)) * f64::from(1 << 24)).round() as u32
    }

    fn scale(&self) -> f64 {
        1.0 / (1.0 - f64::from(self.rate))
    }

    /// 0 or 1 / keep for each element of `x`.
    fn factors<'a>(&'a self, given: Given<'a>, x: Shape) -> impl Iterator<Item = f64> + 'a {
        let row = (x.numel() / x.dims()[0] as u64) as usize;
        let factor = move |e: usize| {
            let sample = given.now.first_sample.wrapping_add((e / row) as u32);
            let key =
                Key { seed: given.now.seed, layer: given.layer, iteration: given.now.iteration, sample };
            if key.word((e % row) as u32) >> 8 < self.threshold() { self.scale() } else { 0.0 }
        };
        (0..x.numel() as usize).map(factor)
    }

    fn masked(&self, given: Given, values: &Array) -> Array {
        let factors = self.factors(given, values.shape);
        Array::new(values.shape, values.data.iter().zip(factors).map(|(v, factor)| v * factor).collect())
    }

    /// `to` = `from` * mask / keep: forward from x to y, backward from d_y to d_x, with one kernel.
    fn apply(&self, site: &Site, part: Part, names: fn(Step, [&'static str; 2]) -> Step) -> Step {
        let x = site.x[0];
        let row = x.numel() / (x.dims()[0] as u64).max(1);
        let (entry, bindings) =
            if row.is_multiple_of(4) { ("apply4", ["x4", "y4"]) } else { ("apply", ["x", "y"]) };
        let quads = x.dims()[0] as u64 * row.div_ceil(4);
        let kernel = Kernel::new("dropout", SOURCE, entry).piece(INDEX).piece(RANDOM);
        names(Step::new(kernel, part), bindings)
            .sizes(&[quads as usize, row as usize])
            .word(Word::U32(self.threshold()))
            .word(Word::F32(self.scale() as f32))
            .word(Word::U32(site.layer))
            .word(Word::Live(Live::Seed))
            .word(Word::Live(Live::Iteration))
            .word(Word::Live(Live::FirstSample))
            .groups(flat_grid(quads, site.caps.max_groups))
            .flops(x.numel())
    }
}

impl Op for Dropout {
    fn kind(&self) -> &'static str {
        "dropout"
    }

    fn output(&self, x: &[Shape]) -> Result<Shape, String> {
        if !(0.0..1.0).contains(&self.rate) {
            return Err(format!("a rate of {}, expected 0 or more and less than 1", self.rate));
        }
        Ok(x[0])
    }

    fn is_view(&self, training: bool) -> bool {
        !training || self.rate == 0.0
    }

    fn is_stochastic(&self) -> bool {
        self.rate > 0.0
    }

    fn forward(&self, site: &Site) -> Lowered {
        if self.is_view(site.training) {
            return Lowered::default();
        }
        let bind = |step: Step, [x, y]: [_; 2]| step.read(x, Operand::X(0)).write(y, Operand::Y);
        self.apply(site, Part::Forward, bind).word(Word::U32(0)).into()
    }

    fn backward(&self, site: &Site, wants: &Wants) -> Lowered {
        if self.is_view(site.training) || !wants.d_x[0] {
            return Lowered::default();
        }
        let bind = |step: Step, [x, y]: [_; 2]| step.read(x, Operand::DY).gradient(y, Operand::DX(0));
        self.apply(site, Part::DX, bind).word(Word::Accumulate(Operand::DX(0))).into()
    }

    fn reference(&self, given: Given) -> Array {
        self.masked(given, &given.x[0])
    }

    fn reference_backward(&self, given: Given, _y: &Array, d_y: &Array) -> Gradients {
        Gradients { d_x: vec![Some(self.masked(given, d_y))], d_params: Vec::new() }
    }
}

/// Matrices and maps, rows that do and do not fill a vec4, weak and strong rates.
pub fn cases() -> Vec<Case> {
    vec![
        Case::new(Dropout { rate: 0.5 }, &[&[3, 20]]),
        Case::new(Dropout { rate: 0.5 }, &[&[1, 1024]]),
        Case::new(Dropout { rate: 0.25 }, &[&[3, 7]]),
        Case::new(Dropout { rate: 0.9 }, &[&[3, 5, 7, 3]]),
        Case::new(Dropout { rate: 0.1 }, &[&[1, 5]]),
        Case::new(Dropout { rate: 0.0 }, &[&[3, 5]]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Now;

    #[test]
    fn micro_batches_see_the_mask_of_the_whole_batch() {
        let op = Dropout { rate: 0.5 };
        let now = Now { seed: 1, iteration: 2, first_sample: 0, loss_scale: 1.0, learning_rate: 0.0 };
        let masked = |n: usize, now: &Now| {
            let x = [Array::new(Shape::new(&[n, 7]), vec![1.0; n * 7])];
            op.reference(Given { x: &x, params: &[], now, trains: true, layer: 3 }).data
        };
        let halves = [masked(2, &now), masked(2, &Now { first_sample: 2, ..now })].concat();
        assert_eq!(masked(4, &now), halves);
        assert_ne!(masked(4, &now), masked(4, &Now { iteration: 3, ..now }));
    }

    #[test]
    fn keeps_the_share_and_the_mean() {
        let now = Now { seed: 9, iteration: 0, first_sample: 0, loss_scale: 1.0, learning_rate: 0.0 };
        let x = [Array::new(Shape::new(&[4, 2500]), vec![1.0; 10_000])];
        let given = Given { x: &x, params: &[], now: &now, trains: true, layer: 0 };
        let y = Dropout { rate: 0.25 }.reference(given).data;
        let kept = y.iter().filter(|&&v| v != 0.0).count();
        // The standard deviation is 43.
        assert!((7330..7670).contains(&kept), "{kept}");
        assert!(y.iter().all(|&v| v == 0.0 || v == 1.0 / 0.75));
    }

    #[test]
    fn a_rate_outside_of_the_unit_interval_is_refused() {
        for rate in [-0.1, 1.0, f32::NAN] {
            assert!(Dropout { rate }.output(&[Shape::new(&[1, 4])]).is_err(), "{rate}");
        }
    }
}
