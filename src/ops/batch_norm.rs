//! Batch normalisation, by the batch's own statistics where the layer trains, else by the moving ones.

use crate::gpu::Kernel;
use crate::ops::columns::Columns;
use crate::ops::step::{FLAT_SIZE, flat_grid};
use crate::ops::{
    Array, Case, Dtype, Given, Gradients, Initial, Lowered, Op, Operand, ParamSpec, Part, Site, Step, Wants,
    Word, fused, pieces,
};
use crate::shape::Shape;

const SOURCE: &str = include_str!("../../shaders/batch_norm.wgsl");

// The parameters, in Keras' order.
const GAMMA: Operand = Operand::Param(0);
const BETA: Operand = Operand::Param(1);
const MEAN: Operand = Operand::Param(2);
const VARIANCE: Operand = Operand::Param(3);

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, for each channel; with ReLU behind it, max(y, 0).
///
/// x, y (n, ..., c); gamma, beta, moving_mean, moving_variance (c). A layer that trains takes mean and (biased) variance
/// from all of x but its channels, and moves the moving ones by `moving = momentum moving + (1 - momentum) batch`. Frozen,
/// and without training, it takes the moving ones and leaves them alone: Keras' rule, which is what keeps a frozen base
/// as it was. With s = gamma / sqrt(variance + epsilon) and u the normalised x, over m rows:
///
/// d_gamma = sum of d_y u;  d_beta = sum of d_y;  d_x = s (d_y - d_beta / m - u d_gamma / m), or frozen d_x = s d_y.
///
/// # Errors
/// A momentum outside of 0..=1, or an epsilon that is not positive.
///
/// Source: Ioffe and Szegedy 2015, algorithm 1 and section 3; Keras `BatchNormalization`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    /// The share of the moving statistics that stays in each step; what PyTorch calls momentum is the rest.
    pub momentum: f32,
    pub epsilon: f32,
    pub relu: bool,
}

impl Default for BatchNorm {
    /// Keras' defaults.
    fn default() -> BatchNorm {
        BatchNorm { momentum: 0.99, epsilon: 1e-3, relu: false }
    }
}

impl BatchNorm {
    /// One step over x, its words but for the last, which says whether a gradient is added.
    fn step(&self, site: &Site, part: Part, entry: &'static str) -> Step {
        let columns = Columns::new(site.x[0]);
        let kernel = Kernel::new("batch_norm", SOURCE, entry).piece(pieces::INDEX).piece(pieces::STRIP);
        let kernel = match columns.channels.is_multiple_of(4) {
            true => [pieces::X4_ALIGNED, pieces::W4_ALIGNED, pieces::Y4_ALIGNED],
            false => [pieces::X4_STRIDED, pieces::W4_RAGGED, pieces::Y4_RAGGED],
        }
        .into_iter()
        .fold(kernel, Kernel::piece);
        let floor = if self.relu { 0.0 } else { f32::MIN };
        columns
            .sized(Step::new(kernel, part))
            .word(Word::F32(self.momentum))
            .word(Word::F32(self.epsilon))
            .word(Word::F32(floor))
    }

    /// As many invocations as there are fours of channels in x.
    fn over_x(&self, site: &Site, part: Part, entry: &'static str) -> Step {
        let columns = Columns::new(site.x[0]);
        let grid = flat_grid(columns.rows * columns.quads(), site.caps.max_groups);
        self.step(site, part, entry).groups(grid).flops(4 * site.x[0].numel())
    }

    /// Two sums over the rows of each channel, in two passes: `first` fills its `parts` by strips, `second` joins them.
    fn sums(&self, site: &Site, out: &mut Lowered, first: Step, second: Step) {
        let columns = Columns::new(site.x[0]);
        let parts = out.scratch(8 * columns.strips());
        let grid = flat_grid(columns.strips(), site.caps.max_groups);
        out.push(first.write("partial", parts).word(Word::U32(0)).groups(grid).flops(4 * site.x[0].numel()));
        out.push(second.read("parts", parts).word(Word::U32(0)).groups([columns.quads() as u32, 1, 1]));
    }

    /// Mean, 1 / deviation, scale and shift of each channel: by the moving statistics.
    fn moving(&self, site: &Site, part: Part, out: &mut Lowered) -> Operand {
        let norm = out.scratch(norm_shape(site.x[0]).numel());
        let channels = Columns::new(site.x[0]).channels;
        let step = self.step(site, part, "by_moving").read("gamma", GAMMA).read("beta", BETA);
        let step = step.read("mean", MEAN).read("variance", VARIANCE).write("norm", norm);
        out.push(step.word(Word::U32(0)).groups(flat_grid(channels, site.caps.max_groups)));
        norm
    }

    /// The same by the batch, kept for the backward pass; and the moving statistics move.
    fn batch(&self, site: &Site, out: &mut Lowered) -> Operand {
        let first = self.step(site, Part::Forward, "moments").read("x", Operand::X(0));
        let second = self.step(site, Part::Forward, "by_batch").read("gamma", GAMMA).read("beta", BETA);
        let second = second.update("moving_mean", MEAN).update("moving_variance", VARIANCE);
        self.sums(site, out, first, second.write("norm", Operand::Aux));
        Operand::Aux
    }

    /// By the batch's statistics: d_gamma and d_beta, and with them d_x.
    fn backward_by_batch(&self, site: &Site, wants: &Wants, part: Part, out: &mut Lowered) {
        let channels = Columns::new(site.x[0]).channels;
        let sums = out.scratch(8 * channels.div_ceil(4));
        let first = self.step(site, part, "products").read("x", Operand::X(0)).read("w", Operand::DY);
        let first = first.read("norms", Operand::Aux);
        self.sums(site, out, first, self.step(site, part, "total").write("sums", sums));
        for (place, entry) in ["give_gamma", "give_beta"].into_iter().enumerate() {
            if wants.d_params[place] {
                let d_param = Operand::DParam(place);
                let step = self.step(site, part, entry).read("totals", sums).gradient("d_param", d_param);
                let groups = channels.div_ceil(FLAT_SIZE) as u32;
                out.push(step.word(Word::Accumulate(d_param)).groups([groups, 1, 1]));
            }
        }
        if wants.d_x[0] {
            let step =
                self.over_x(site, Part::DX, "backward").read("x", Operand::X(0)).read("w", Operand::DY);
            let step = step.read("norms", Operand::Aux).read("totals", sums).gradient("y", Operand::DX(0));
            out.push(step.word(Word::Accumulate(Operand::DX(0))));
        }
    }

    fn backward_by_moving(&self, site: &Site, out: &mut Lowered) {
        let norm = self.moving(site, Part::DX, out);
        let step = self.over_x(site, Part::DX, "backward_frozen").read("w", Operand::DY).read("norms", norm);
        out.push(step.gradient("y", Operand::DX(0)).word(Word::Accumulate(Operand::DX(0))));
    }

    /// Mean and variance of each channel, those that this pass normalises by.
    fn statistics(&self, given: Given) -> [Vec<f64>; 2] {
        if !given.trains {
            return [given.params[2].data.clone(), given.params[3].data.clone()];
        }
        let x = &given.x[0];
        let channels = x.shape.last();
        let rows = (x.data.len() / channels) as f64;
        let (mut mean, mut variance) = (vec![0.0; channels], vec![0.0; channels]);
        x.data.iter().enumerate().for_each(|(e, x)| mean[e % channels] += x / rows);
        x.data
            .iter()
            .enumerate()
            .for_each(|(e, x)| variance[e % channels] += (x - mean[e % channels]).powi(2) / rows);
        [mean, variance]
    }

    /// u = (x - mean) / sqrt(variance + epsilon), and the divisor of each channel.
    fn normalised(&self, given: Given) -> (Vec<f64>, Vec<f64>) {
        let [mean, variance] = self.statistics(given);
        let deviation: Vec<f64> = variance.iter().map(|v| (v + f64::from(self.epsilon)).sqrt()).collect();
        let x = given.x[0].data.iter().enumerate();
        let u = x.map(|(e, x)| (x - mean[e % mean.len()]) / deviation[e % mean.len()]).collect();
        (u, deviation)
    }
}

/// Mean, 1 / deviation, scale and shift, each by channels rounded up to four.
fn norm_shape(x: Shape) -> Shape {
    Shape::new(&[4, x.last().next_multiple_of(4)])
}

impl Op for BatchNorm {
    fn kind(&self) -> &'static str {
        "batch_norm"
    }

    fn output(&self, x: &[Shape]) -> Result<Shape, String> {
        if !(0.0..=1.0).contains(&self.momentum) {
            return Err(format!("a momentum of {}, expected 0 to 1", self.momentum));
        }
        if self.epsilon.is_nan() || self.epsilon <= 0.0 {
            return Err(format!("an epsilon of {}, expected more than 0", self.epsilon));
        }
        Ok(x[0])
    }

    fn params(&self, x: &[Shape]) -> Vec<ParamSpec> {
        let shape = Shape::new(&[x[0].last()]);
        let spec = |name, initial, learnt| ParamSpec { name, shape, initial, learnt };
        vec![
            spec("gamma", Initial::Ones, true),
            spec("beta", Initial::Zeros, true),
            spec("moving_mean", Initial::Zeros, false),
            spec("moving_variance", Initial::Ones, false),
        ]
    }

    fn aux(&self, x: &[Shape]) -> Option<(Shape, Dtype)> {
        Some((norm_shape(x[0]), Dtype::F32))
    }

    fn mixes_batch(&self) -> bool {
        true
    }

    fn forward(&self, site: &Site) -> Lowered {
        let mut out = Lowered::default();
        let norm = match site.trains {
            true => self.batch(site, &mut out),
            false => self.moving(site, Part::Forward, &mut out),
        };
        let step = self.over_x(site, Part::Forward, "forward").read("x", Operand::X(0)).read("norms", norm);
        out.push(step.write("y", Operand::Y).word(Word::U32(0)));
        out
    }

    fn backward(&self, site: &Site, wants: &Wants) -> Lowered {
        let mut out = Lowered::default();
        if !wants.any() {
            return out;
        }
        let part = if wants.d_params.contains(&true) { Part::DW } else { Part::DX };
        if self.relu {
            out.push(fused::mask(site, part));
        }
        match site.trains {
            true => self.backward_by_batch(site, wants, part, &mut out),
            false => self.backward_by_moving(site, &mut out),
        }
        out
    }

    fn reference(&self, given: Given) -> Array {
        let (u, deviation) = self.normalised(given);
        let channels = deviation.len();
        let affine = |(e, u): (usize, &f64)| {
            let y = given.params[0].data[e % channels] * u + given.params[1].data[e % channels];
            if self.relu { y.max(0.0) } else { y }
        };
        Array::new(given.x[0].shape, u.iter().enumerate().map(affine).collect())
    }

    fn reference_backward(&self, given: Given, y: &Array, d_y: &Array) -> Gradients {
        let (u, deviation) = self.normalised(given);
        let channels = deviation.len();
        let rows = (u.len() / channels) as f64;
        let mask = |(d, y): (&f64, &f64)| if self.relu && *y <= 0.0 { 0.0 } else { *d };
        let d: Vec<f64> = d_y.data.iter().zip(&y.data).map(mask).collect();
        let (mut d_gamma, mut d_beta) = (vec![0.0; channels], vec![0.0; channels]);
        for (e, d) in d.iter().enumerate() {
            d_gamma[e % channels] += d * u[e];
            d_beta[e % channels] += d;
        }
        let d_x = d.iter().enumerate().map(|(e, d)| {
            let c = e % channels;
            let through_statistics = if given.trains { (d_beta[c] + u[e] * d_gamma[c]) / rows } else { 0.0 };
            given.params[0].data[c] / deviation[c] * (d - through_statistics)
        });
        let d_x = Array::new(given.x[0].shape, d_x.collect());
        let vector = |values| Array::new(Shape::new(&[channels]), values);
        let unmoved = || vector(vec![0.0; channels]);
        let d_params = vec![vector(d_gamma), vector(d_beta), unmoved(), unmoved()];
        Gradients { d_x: vec![Some(d_x)], d_params }
    }

    fn reference_moved(&self, given: Given) -> Vec<(usize, Array)> {
        if !given.trains {
            return Vec::new();
        }
        let momentum = f64::from(self.momentum);
        let moved = |(place, batch): (usize, Vec<f64>)| {
            let moving = &given.params[place];
            let values = moving
                .data
                .iter()
                .zip(batch)
                .map(|(moving, batch)| momentum * moving + (1.0 - momentum) * batch);
            (place, Array::new(moving.shape, values.collect()))
        };
        (2..).zip(self.statistics(given)).map(moved).collect()
    }
}

/// Trained and frozen, with and without ReLU; maps and matrices, few rows and many, channels that do and do not fill a
/// vec4.
pub fn cases() -> Vec<Case> {
    let (plain, relu) = (BatchNorm::default(), BatchNorm { momentum: 0.9, epsilon: 1e-5, relu: true });
    let shapes: [&[usize]; 5] = [&[3, 7, 5, 20], &[2, 9, 11, 7], &[16, 12], &[5, 3], &[1, 70, 60, 4]];
    let both = shapes.map(|x| [Case::new(plain, &[x]), Case::new(relu, &[x])]).into_iter().flatten();
    both.flat_map(|case| [case.clone(), case.frozen()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let x = [Shape::new(&[2, 4])];
        let plain = BatchNorm::default();
        assert!(plain.output(&x).is_ok());
        for wrong in [
            BatchNorm { momentum: 1.1, ..plain },
            BatchNorm { momentum: f32::NAN, ..plain },
            BatchNorm { epsilon: 0.0, ..plain },
            BatchNorm { epsilon: f32::NAN, ..plain },
        ] {
            assert!(wrong.output(&x).is_err(), "{wrong:?}");
        }
    }
}
