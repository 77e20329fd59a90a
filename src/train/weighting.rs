//! How much each sample counts in the loss.

use crate::error::{Error, Result};

/// The product of a weight for the sample's class and one for the sample itself, as in Keras' `fit`. The loss of a batch
/// is the weighted sum divided by the number of samples, not by the sum of the weights.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Weighting {
    /// By class id; empty where all classes count 1.
    pub classes: Vec<f32>,
    /// By index within the samples that train; empty where all count 1.
    pub samples: Vec<f32>,
}

impl Weighting {
    /// Every class counts the same in all, however many samples it has: `samples / (classes * samples of the class)`.
    /// `counts` has the number of samples of each class; a class without any counts 1.
    ///
    /// Source: scikit-learn `compute_class_weight("balanced")`; King and Zeng 2001.
    pub fn balanced(counts: &[usize]) -> Weighting {
        let all: usize = counts.iter().sum();
        let share = |count: usize| all as f32 / (counts.len() * count) as f32;
        let weight = |&count: &usize| if count == 0 { 1.0 } else { share(count) };
        Weighting { classes: counts.iter().map(weight).collect(), samples: Vec::new() }
    }

    /// # Errors
    /// A weight that is negative or no number, or another number of them than there are classes or samples.
    pub fn check(&self, classes: usize, samples: usize) -> Result<()> {
        for (what, weights, expected) in
            [("class", &self.classes, classes), ("sample", &self.samples, samples)]
        {
            if let Some(bad) = weights.iter().find(|w| !(w.is_finite() && **w >= 0.0)) {
                return Err(Error::Usage(format!("a {what} weight of {bad}; weights are 0 or more")));
            }
            if !weights.is_empty() && weights.len() != expected {
                let given = weights.len();
                let what = format!("{given} {what} weights for {expected}; give one for each, or none");
                return Err(Error::Usage(what));
            }
        }
        Ok(())
    }

    /// The weights of samples with these class ids and these indices.
    pub fn of(&self, labels: &[u32], indices: &[u32]) -> Vec<f32> {
        let weight = |weights: &[f32], at: u32| weights.get(at as usize).copied().unwrap_or(1.0);
        let both = |(&label, &index)| weight(&self.classes, label) * weight(&self.samples, index);
        labels.iter().zip(indices).map(both).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_and_sample_weights_multiply() {
        let weighting = Weighting { classes: vec![1.0, 3.0], samples: vec![1.0, 0.5, 2.0] };
        assert_eq!(weighting.of(&[1, 0], &[2, 1]), [6.0, 0.5]);
        assert_eq!(Weighting::default().of(&[1, 0], &[2, 1]), [1.0, 1.0]);
    }

    #[test]
    fn balanced_classes_count_the_same_in_all() {
        let weights = Weighting::balanced(&[1, 3, 0]).classes;
        assert_eq!((weights[0] * 1.0, weights[1] * 3.0, weights[2]), (4.0 / 3.0, 4.0 / 3.0, 1.0));
    }

    #[test]
    fn wrong_counts_and_values_are_refused() {
        let weighting = |classes: &[f32]| Weighting { classes: classes.to_vec(), samples: Vec::new() };
        assert!(weighting(&[1.0, 2.0]).check(2, 9).is_ok());
        assert!(weighting(&[1.0]).check(2, 9).is_err());
        assert!(weighting(&[1.0, -1.0]).check(2, 9).is_err());
        assert!(weighting(&[1.0, f32::NAN]).check(2, 9).is_err());
    }
}
