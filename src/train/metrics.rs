//! Loss and accuracy, summed over samples.

/// Sums over the samples seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Metrics {
    loss_sum: f64,
    correct: usize,
    samples: usize,
}

impl Metrics {
    /// Adds samples: their losses (n), their probabilities (n, classes) and their class ids (n).
    pub fn add(&mut self, losses: &[f32], probabilities: &[f32], labels: &[u32]) {
        let classes = probabilities.len() / labels.len().max(1);
        self.loss_sum += losses.iter().map(|&loss| f64::from(loss)).sum::<f64>();
        let rows = probabilities.chunks_exact(classes.max(1)).zip(labels);
        self.correct += rows.filter(|(row, label)| argmax(row) == **label as usize).count();
        self.samples += labels.len();
    }

    /// Mean loss per sample in nats.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.samples.max(1) as f64
    }

    /// Share of samples whose most probable class is their label.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples.max(1) as f64
    }

    pub fn samples(&self) -> usize {
        self.samples
    }

    pub fn correct(&self) -> usize {
        self.correct
    }
}

/// The first index of the largest value.
pub fn argmax(row: &[f32]) -> usize {
    let better = |best: usize, i: usize| if row[i] > row[best] { i } else { best };
    (0..row.len()).fold(0, better)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_over_batches_of_different_sizes() {
        let mut metrics = Metrics::default();
        metrics.add(&[1.0, 2.0], &[0.9, 0.1, 0.9, 0.1], &[0, 1]);
        metrics.add(&[6.0], &[0.2, 0.8], &[1]);
        assert_eq!((metrics.loss(), metrics.correct(), metrics.samples()), (3.0, 2, 3));
        assert!((metrics.accuracy() - 2.0 / 3.0).abs() < 1e-12);
    }
}
