//! What an evaluation says about a classifier, as plain data: per class, per pair of classes, per confidence, per image.

use serde::Serialize;

use crate::train::evaluate::Evaluation;
use crate::train::metrics::argmax;

/// Scores of a classifier on labelled images. Shares lie between 0 and 1; what nothing decides is `None`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    pub images: usize,
    /// Mean loss per image in nats.
    pub loss: f64,
    /// Share of images whose most probable class is theirs: top-1.
    pub accuracy: f64,
    /// How many guesses `top_k` allows.
    pub k: usize,
    /// Share of images whose class is among the `k` most probable.
    pub top_k: f64,
    /// Means over the classes that have images.
    pub macro_f1: f64,
    pub macro_auc: Option<f64>,
    pub classes: Vec<ClassScores>,
    /// (truth, guess): how many images of each class were taken for each class.
    pub confusion: Vec<Vec<usize>>,
    pub calibration: Calibration,
    /// Pairs of classes that were taken for each other, the commonest first.
    pub confused: Vec<Confused>,
    /// Images with the highest losses, the highest first.
    pub top_losses: Vec<TopLoss>,
}

/// One class against all others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassScores {
    pub class: String,
    pub images: usize,
    pub right: usize,
    /// Share of the images taken for this class that are of it.
    pub precision: Option<f64>,
    /// Share of the images of this class that were taken for it.
    pub recall: Option<f64>,
    /// Harmonic mean of the two.
    pub f1: Option<f64>,
    /// Area under the ROC curve, one against the rest: how often an image of this class gets a higher probability for it
    /// than an image of another class.
    pub auc: Option<f64>,
}

/// Whether probabilities mean what they say. Source: Guo et al. 2017, *On Calibration of Modern Neural Networks*.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// Expected calibration error: mean distance of accuracy and confidence, weighted by images.
    pub ece: f64,
    pub bins: Vec<Bin>,
}

/// Images whose highest probability lies above `low` and up to `high`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bin {
    pub low: f64,
    pub high: f64,
    pub images: usize,
    /// Mean of the highest probabilities.
    pub confidence: f64,
    pub accuracy: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Confused {
    pub truth: String,
    pub guess: String,
    pub images: usize,
    /// Share of the images of `truth`.
    pub share: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TopLoss {
    /// Place of the image in its split.
    pub index: u32,
    pub truth: String,
    pub guess: String,
    /// Of the guess.
    pub probability: f32,
    pub loss: f32,
}

const BINS: usize = 10;
const MOST_CONFUSED: usize = 10;

impl Scores {
    /// Scores of `found` over `classes`, with `k` guesses for top-k and `losses` of the worst images.
    pub fn of(found: &Evaluation, classes: &[String], k: usize, losses: usize) -> Scores {
        let judged = Judged::new(found, classes);
        let per_class: Vec<ClassScores> = (0..classes.len()).map(|class| judged.class(class)).collect();
        let k = k.clamp(1, classes.len().max(1));
        Scores {
            images: found.labels.len(),
            loss: found.metrics.loss(),
            accuracy: found.metrics.accuracy(),
            k,
            top_k: judged.share(|i| judged.rank(i) < k),
            macro_f1: mean(per_class.iter().filter(|c| c.images > 0).map(|c| c.f1.unwrap_or(0.0)))
                .unwrap_or(0.0),
            macro_auc: mean(per_class.iter().filter_map(|c| c.auc)),
            calibration: judged.calibration(),
            confused: judged.confused(),
            top_losses: judged.top_losses(losses),
            confusion: judged.confusion,
            classes: per_class,
        }
    }
}

/// An evaluation with the guess for each image.
struct Judged<'a> {
    found: &'a Evaluation,
    names: &'a [String],
    guesses: Vec<usize>,
    confusion: Vec<Vec<usize>>,
}

impl<'a> Judged<'a> {
    fn new(found: &'a Evaluation, names: &'a [String]) -> Judged<'a> {
        let guesses: Vec<usize> = found.probabilities.chunks_exact(names.len().max(1)).map(argmax).collect();
        let mut confusion = vec![vec![0; names.len()]; names.len()];
        for (&truth, &guess) in found.labels.iter().zip(&guesses) {
            confusion[truth as usize][guess] += 1;
        }
        Judged { found, names, guesses, confusion }
    }

    fn row(&self, image: usize) -> &[f32] {
        &self.found.probabilities[image * self.names.len()..(image + 1) * self.names.len()]
    }

    fn share(&self, counts: impl Fn(usize) -> bool) -> f64 {
        let images = self.guesses.len();
        (0..images).filter(|&i| counts(i)).count() as f64 / images.max(1) as f64
    }

    fn right(&self, image: usize) -> bool {
        self.guesses[image] == self.found.labels[image] as usize
    }

    /// How many classes come before the image's own; of equals the first.
    fn rank(&self, image: usize) -> usize {
        let (row, truth) = (self.row(image), self.found.labels[image] as usize);
        let before = |(class, &p): (usize, &f32)| p > row[truth] || (p == row[truth] && class < truth);
        row.iter().enumerate().filter(|&other| before(other)).count()
    }

    fn class(&self, class: usize) -> ClassScores {
        let images = self.confusion[class].iter().sum::<usize>();
        let taken = self.confusion.iter().map(|row| row[class]).sum::<usize>();
        let right = self.confusion[class][class];
        let share = |of: usize| (of > 0).then(|| right as f64 / of as f64);
        let both = images + taken;
        ClassScores {
            class: self.names[class].clone(),
            images,
            right,
            precision: share(taken),
            recall: share(images),
            f1: (both > 0).then(|| 2.0 * right as f64 / both as f64),
            auc: self.auc(class),
        }
    }

    /// The Mann-Whitney statistic, equals counting half. Source: Hanley and McNeil 1982.
    fn auc(&self, class: usize) -> Option<f64> {
        let mut scored: Vec<(f32, bool)> = (0..self.guesses.len())
            .map(|i| (self.row(i)[class], self.found.labels[i] as usize == class))
            .collect();
        scored.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut below, mut won) = (0usize, 0.0);
        for equals in scored.chunk_by(|a, b| a.0 == b.0) {
            let ours = equals.iter().filter(|(_, own)| *own).count();
            let others = equals.len() - ours;
            won += ours as f64 * (below as f64 + others as f64 / 2.0);
            below += others;
        }
        let ours = scored.len() - below;
        (ours > 0 && below > 0).then(|| won / (ours as f64 * below as f64))
    }

    fn calibration(&self) -> Calibration {
        let mut sums = [(0usize, 0.0, 0usize); BINS];
        for (image, &guess) in self.guesses.iter().enumerate() {
            let confidence = f64::from(self.row(image)[guess]);
            let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
            sums[bin].0 += 1;
            sums[bin].1 += confidence;
            sums[bin].2 += usize::from(self.right(image));
        }
        let bin = |(i, &(images, confidence, right)): (usize, &(usize, f64, usize))| Bin {
            low: i as f64 / BINS as f64,
            high: (i + 1) as f64 / BINS as f64,
            images,
            confidence: confidence / images.max(1) as f64,
            accuracy: right as f64 / images.max(1) as f64,
        };
        let bins: Vec<Bin> = sums.iter().enumerate().map(bin).collect();
        let apart = bins.iter().map(|bin| bin.images as f64 * (bin.accuracy - bin.confidence).abs());
        Calibration { ece: apart.sum::<f64>() / self.guesses.len().max(1) as f64, bins }
    }

    fn confused(&self) -> Vec<Confused> {
        let mut pairs = Vec::new();
        for (truth, row) in self.confusion.iter().enumerate() {
            let all = row.iter().sum::<usize>();
            let wrong = row.iter().enumerate().filter(|&(guess, &images)| guess != truth && images > 0);
            pairs.extend(wrong.map(|(guess, &images)| Confused {
                truth: self.names[truth].clone(),
                guess: self.names[guess].clone(),
                images,
                share: images as f64 / all as f64,
            }));
        }
        pairs.sort_by(|a, b| b.images.cmp(&a.images).then(b.share.total_cmp(&a.share)));
        pairs.truncate(MOST_CONFUSED);
        pairs
    }

    fn top_losses(&self, count: usize) -> Vec<TopLoss> {
        let losses = &self.found.losses;
        let mut order: Vec<usize> = (0..losses.len()).collect();
        order.sort_by(|&a, &b| losses[b].total_cmp(&losses[a]));
        let worst = order.into_iter().take(count);
        let top_loss = |image: usize| TopLoss {
            index: self.found.indices[image],
            truth: self.names[self.found.labels[image] as usize].clone(),
            guess: self.names[self.guesses[image]].clone(),
            probability: self.row(image)[self.guesses[image]],
            loss: losses[image],
        };
        worst.map(top_loss).collect()
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Six images of three classes; the third class has none.
    fn scores() -> Scores {
        let rows = [
            [0.72, 0.2, 0.08],
            [0.62, 0.3, 0.08],
            [0.3, 0.62, 0.08],
            [0.1, 0.82, 0.08],
            [0.52, 0.4, 0.08],
            [0.1, 0.28, 0.62],
        ];
        let mut found = Evaluation {
            probabilities: rows.concat(),
            labels: vec![0, 0, 0, 1, 1, 1],
            indices: vec![5, 4, 3, 2, 1, 0],
            ..Evaluation::default()
        };
        found.losses = rows.iter().zip(&found.labels).map(|(row, &l)| -f32::ln(row[l as usize])).collect();
        found.metrics.add(&found.losses, &found.probabilities, &found.labels);
        let names = ["ant", "bee", "cat"].map(str::to_owned);
        Scores::of(&found, &names, 2, 2)
    }

    #[test]
    fn classes_are_scored_one_against_the_rest() {
        let scores = scores();
        assert_eq!(scores.confusion, [[2, 1, 0], [1, 1, 1], [0, 0, 0]]);
        assert_eq!((scores.accuracy, scores.top_k), (0.5, 1.0));
        let [ant, bee, cat] = &scores.classes[..] else { panic!("three classes") };
        assert_eq!((ant.precision, ant.recall), (Some(2.0 / 3.0), Some(2.0 / 3.0)));
        assert_eq!((bee.precision, bee.recall, bee.f1), (Some(0.5), Some(1.0 / 3.0), Some(0.4)));
        assert_eq!((cat.precision, cat.recall, cat.auc), (Some(0.0), None, None));
        // Of nine pairs (ant, other) eight are in order: 0.3 lies below 0.52.
        assert!((ant.auc.unwrap() - 8.0 / 9.0).abs() < 1e-12, "{:?}", ant.auc);
        assert!((scores.macro_f1 - (2.0 / 3.0 + 0.4) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn equal_probabilities_decide_nothing() {
        let found = Evaluation {
            probabilities: vec![0.5; 8],
            labels: vec![0, 1, 0, 1],
            indices: vec![0, 1, 2, 3],
            losses: vec![0.7; 4],
            ..Evaluation::default()
        };
        let scores = Scores::of(&found, &["a".to_owned(), "b".to_owned()], 1, 0);
        assert_eq!(scores.macro_auc, Some(0.5));
        assert_eq!(scores.top_k, 0.5);
    }

    #[test]
    fn confidence_is_compared_with_accuracy() {
        let scores = scores();
        let bins = &scores.calibration.bins;
        assert_eq!(bins.iter().map(|bin| bin.images).sum::<usize>(), 6);
        // 0.52 wrong; 0.62 right, wrong, wrong; 0.72 and 0.82 right.
        let expected = (0.52 + 3.0 * (0.62 - 1.0 / 3.0) + 0.28 + 0.18) / 6.0;
        assert!((scores.calibration.ece - expected).abs() < 1e-6, "{}", scores.calibration.ece);
    }

    #[test]
    fn the_worst_images_and_pairs_come_first() {
        let scores = scores();
        let worst: Vec<u32> = scores.top_losses.iter().map(|loss| loss.index).collect();
        assert_eq!(worst, [0, 3]);
        assert_eq!((scores.confused.len(), scores.confused[0].images), (3, 1));
    }
}
