//! The loss of a classifier, from logits.

use crate::gpu::Kernel;
use crate::ops::pieces::{GROUP_SUM, INDEX};
use crate::ops::step::grid;
use crate::ops::{
    Array, Case, Dtype, Given, Gradients, Live, Lowered, Op, Operand, Part, Site, Step, Wants, Word,
};
use crate::shape::Shape;

const SOURCE: &str = include_str!("../../shaders/softmax_cross_entropy.wgsl");

/// Cross-entropy of softmax(x) against labels, per sample and in nats, times the sample's weight.
///
/// x (n, k) logits; labels (n) class ids, or (n, k) targets where `soft`; weight (n); y (n). The probabilities (n, k)
/// stay as the auxiliary tensor, for the backward pass and for metrics.
/// d_x = (probabilities - target) * weight / samples of the whole batch, where targets sum to 1 per sample: Keras'
/// mean, which divides by the batch count and not by the sum of the weights.
///
/// # Errors
/// Fewer than two classes, labels or weights of another length, or a smoothing outside of 0 to 1.
///
/// Source: Keras `categorical_crossentropy(from_logits=True)`; Goodfellow et al. 2016, section 6.2.2.3.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SoftmaxCrossEntropy {
    /// Targets become `y (1 - s) + s / k`.
    pub smoothing: f32,
    /// Labels are targets (n, k) instead of class ids.
    pub soft: bool,
}

impl SoftmaxCrossEntropy {
    fn step(&self, site: &Site, entry: &'static str, part: Part, accumulate: Word) -> Step {
        let [n, k] = [site.x[0].dims()[0], site.x[0].last()];
        let kernel = Kernel::new("softmax_cross_entropy", SOURCE, entry).piece(INDEX).piece(GROUP_SUM);
        Step::new(kernel, part)
            .sizes(&[n, k, usize::from(self.soft)])
            .word(Word::F32(1.0 - self.smoothing))
            .word(Word::F32(self.smoothing / k as f32))
            .word(Word::Live(Live::LossScale))
            .word(accumulate)
            .groups(grid(n as u64, site.caps.max_groups))
            .flops(8 * site.x[0].numel())
    }

    /// Targets of one sample after smoothing.
    fn goals(&self, labels: &Array, sample: usize, k: usize) -> Vec<f64> {
        let label = |j: usize| match self.soft {
            true => labels.data[sample * k + j],
            false => f64::from(u8::from(labels.data[sample] == j as f64)),
        };
        let s = f64::from(self.smoothing);
        (0..k).map(|j| label(j) * (1.0 - s) + s / k as f64).collect()
    }
}

/// log softmax of one row.
fn log_softmax(row: &[f64]) -> Vec<f64> {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = row.iter().map(|x| (x - largest).exp()).sum::<f64>().ln();
    row.iter().map(|x| x - largest - log_sum).collect()
}

impl Op for SoftmaxCrossEntropy {
    fn kind(&self) -> &'static str {
        "softmax_cross_entropy"
    }

    fn output(&self, x: &[Shape]) -> Result<Shape, String> {
        let &[logits, labels, weight] = x else {
            return Err(format!("{} inputs, expected logits, labels and weights", x.len()));
        };
        let &[n, k] = logits.dims() else {
            return Err(format!("x is {logits}, expected logits (n, classes)"));
        };
        if k < 2 {
            return Err(format!("x {logits} has {k} class, expected 2 or more"));
        }
        let expected = if self.soft { logits } else { Shape::new(&[n]) };
        if labels != expected || weight.dims() != [n] {
            return Err(format!("labels {labels} and weights {weight}, expected {expected} and {n}"));
        }
        if !(0.0..=1.0).contains(&self.smoothing) {
            return Err(format!("a label smoothing of {}, expected 0 to 1", self.smoothing));
        }
        Ok(weight)
    }

    fn aux(&self, x: &[Shape]) -> Option<(Shape, Dtype)> {
        Some((x[0], Dtype::F32))
    }

    fn input_dtype(&self, index: usize) -> Dtype {
        if index == 1 && !self.soft { Dtype::U32 } else { Dtype::F32 }
    }

    fn differentiable(&self, index: usize) -> bool {
        index == 0
    }

    fn is_loss(&self) -> bool {
        true
    }

    fn forward(&self, site: &Site) -> Lowered {
        self.step(site, "forward", Part::Forward, Word::U32(0))
            .read("x", Operand::X(0))
            .read("labels", Operand::X(1))
            .read("weight", Operand::X(2))
            .write("y", Operand::Y)
            .write("probabilities", Operand::Aux)
            .into()
    }

    fn backward(&self, site: &Site, wants: &Wants) -> Lowered {
        if !wants.d_x[0] {
            return Lowered::default();
        }
        self.step(site, "backward", Part::DX, Word::Accumulate(Operand::DX(0)))
            .read("kept_probabilities", Operand::Aux)
            .read("labels", Operand::X(1))
            .read("weight", Operand::X(2))
            .gradient("d_x", Operand::DX(0))
            .into()
    }

    fn reference(&self, given: Given) -> Array {
        let k = given.x[0].shape.last();
        let loss = |(sample, row): (usize, &[f64])| {
            let goals = self.goals(&given.x[1], sample, k);
            let terms = log_softmax(row).into_iter().zip(goals).map(|(log_p, goal)| log_p * goal);
            let log_likelihood: f64 = terms.sum();
            -log_likelihood * given.x[2].data[sample]
        };
        let y = given.x[0].data.chunks_exact(k).enumerate().map(loss).collect();
        Array::new(given.x[2].shape, y)
    }

    fn reference_backward(&self, given: Given, _y: &Array, _d_y: &Array) -> Gradients {
        let k = given.x[0].shape.last();
        let scale = f64::from(given.now.loss_scale);
        let mut d_x = Vec::with_capacity(given.x[0].data.len());
        for (sample, row) in given.x[0].data.chunks_exact(k).enumerate() {
            let goals = self.goals(&given.x[1], sample, k);
            let total: f64 = goals.iter().sum();
            let weight = given.x[2].data[sample] * scale;
            let slopes = log_softmax(row).into_iter().zip(goals);
            d_x.extend(slopes.map(|(log_p, goal)| (log_p.exp() * total - goal) * weight));
        }
        Gradients { d_x: vec![Some(Array::new(given.x[0].shape, d_x)), None, None], d_params: Vec::new() }
    }
}

/// Two classes to a thousand, class ids and soft targets, with and without smoothing.
pub fn cases() -> Vec<Case> {
    let case = |smoothing, soft, n: usize, k: usize| {
        let labels: &[usize] = if soft { &[n, k] } else { &[n] };
        Case::new(SoftmaxCrossEntropy { smoothing, soft }, &[&[n, k], labels, &[n]])
    };
    vec![
        case(0.0, false, 3, 7),
        case(0.0, false, 1, 2),
        case(0.1, false, 3, 16),
        case(0.0, true, 3, 5),
        case(0.2, true, 1, 20),
        case(0.1, false, 3, 1000),
        case(0.0, true, 1, 65),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Now;

    fn loss(op: SoftmaxCrossEntropy, x: &[f64], labels: &[f64]) -> f64 {
        let now = Now { seed: 0, iteration: 0, first_sample: 0, loss_scale: 1.0, learning_rate: 0.0 };
        let array = |shape: &[usize], data: &[f64]| Array::new(Shape::new(shape), data.to_vec());
        let x = [array(&[1, x.len()], x), array(&[labels.len()], labels), array(&[1], &[1.0])];
        op.reference(Given { x: &x, params: &[], now: &now, trains: true, layer: 0 }).data[0]
    }

    #[test]
    fn even_logits_cost_the_logarithm_of_the_classes() {
        let hard = SoftmaxCrossEntropy::default();
        assert!((loss(hard, &[3.0; 16], &[5.0]) - 16f64.ln()).abs() < 1e-12);
        assert_eq!(loss(hard, &[1e6, -1e6], &[0.0]), 0.0);
        assert_eq!(loss(hard, &[1e6, -1e6], &[1.0]), 2e6);
    }

    #[test]
    fn smoothing_shares_among_all_classes() {
        let smooth = SoftmaxCrossEntropy { smoothing: 0.3, soft: false };
        let soft = SoftmaxCrossEntropy { smoothing: 0.0, soft: true };
        let (x, s) = ([0.5, -1.0, 2.0], f64::from(0.3f32));
        let goals = [s / 3.0, 1.0 - s + s / 3.0, s / 3.0];
        assert!((loss(smooth, &x, &[1.0]) - loss(soft, &x, &goals)).abs() < 1e-12);
    }

    #[test]
    fn labels_of_another_length_are_refused() {
        let shapes = [Shape::new(&[3, 4]), Shape::new(&[2]), Shape::new(&[3])];
        assert!(SoftmaxCrossEntropy::default().output(&shapes).unwrap_err().contains("labels 2"));
    }
}
