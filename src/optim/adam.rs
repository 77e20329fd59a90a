//! Adam, and AdamW, which is Adam with decoupled weight decay.

use serde_json::{Value, json};

use crate::gpu::Caps;
use crate::ops::{Array, Lowered, Now, Word};
use crate::optim::flat::Flat;
use crate::optim::{Common, Rule};
use crate::shape::Shape;

/// `m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g²; w -= rate sqrt(1 - b2ᵗ) / (1 - b1ᵗ) m / (sqrt(v) + epsilon)`,
/// where t counts optimizer steps from 1. States: m, v. The powers are those of b1 and b2 rounded to f32, as Keras
/// takes them in every float type: 7e-6 of the first step.
///
/// Source: Keras `Adam`; Kingma and Ba 2015, end of section 2.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Adam {
    /// In f64, because 1 - 0.999 from f32 has five digits.
    pub beta_1: f64,
    pub beta_2: f64,
    pub epsilon: f32,
    pub common: Common,
}

impl Default for Adam {
    /// Keras' defaults.
    fn default() -> Adam {
        Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, common: Common::default() }
    }
}

impl Adam {
    /// AdamW with Keras' defaults but for the decay, which is 0.004 there.
    ///
    /// Source: Keras `AdamW`; Loshchilov and Hutter 2019, algorithm 2.
    pub fn with_decay(weight_decay: f32) -> Adam {
        Adam { common: Common { weight_decay, ..Common::default() }, ..Adam::default() }
    }

    /// What the powers are taken of.
    fn rounded(&self) -> [f64; 2] {
        [self.beta_1, self.beta_2].map(|beta| f64::from(beta as f32))
    }
}

impl Rule for Adam {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn common(&self) -> &Common {
        &self.common
    }

    fn keras(&self) -> Value {
        let (b1, b2, epsilon) = (self.beta_1, self.beta_2, self.epsilon);
        let class = if self.common.weight_decay > 0.0 { "AdamW" } else { "Adam" };
        json!({ "class_name": class, "config": { "beta_1": b1, "beta_2": b2, "epsilon": epsilon, "amsgrad": false } })
    }

    fn slots(&self) -> Vec<&'static str> {
        vec!["momentum", "velocity"]
    }

    fn lower(&self, shape: Shape, caps: &Caps) -> Lowered {
        let (b1, b2) = (self.beta_1, self.beta_2);
        let mut words = [1.0 - b1, 1.0 - b2].map(|v| Word::F32(v as f32)).to_vec();
        words.extend(self.rounded().map(Word::Rest));
        words.push(Word::F32(self.epsilon));
        let flat = Flat {
            file: "adam",
            source: include_str!("../../shaders/adam.wgsl"),
            entry: "update",
            states: &["m", "v"],
            common: self.common,
            words: &words,
            flops: 14,
        };
        flat.lower(shape, caps)
    }

    fn reference(&self, w: &mut Array, d_w: &Array, states: &mut [Array], now: &Now) {
        let [m, v] = states else { unreachable!("a rule is given as many states as it asks for") };
        let (b1, b2) = (self.beta_1, self.beta_2);
        let t = f64::from(now.iteration) + 1.0;
        let [rest1, rest2] = self.rounded().map(|beta| 1.0 - beta.powf(t));
        let a = f64::from(now.learning_rate) * rest2.sqrt() / rest1;
        for (i, w) in w.data.iter_mut().enumerate() {
            let (g, decayed) = self.common.prepared(*w, d_w.data[i], now);
            m.data[i] = b1 * m.data[i] + (1.0 - b1) * g;
            v.data[i] = b2 * v.data[i] + (1.0 - b2) * g * g;
            *w = decayed - a * m.data[i] / (v.data[i].sqrt() + f64::from(self.epsilon));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_is_the_learning_rate_whatever_the_gradient() {
        let shape = Shape::new(&[3]);
        let (mut w, mut states) = (Array::zeros(shape), [Array::zeros(shape), Array::zeros(shape)]);
        let now = Now { learning_rate: 0.25, ..Now::default() };
        let d_w = Array::new(shape, vec![1e-3, -5.0, 400.0]);
        // Betas that f32 holds.
        let (beta_1, beta_2) = (0.875, 0.984375);
        Adam { beta_1, beta_2, epsilon: 0.0, ..Adam::default() }.reference(&mut w, &d_w, &mut states, &now);
        for (w, expected) in w.data.iter().zip([-0.25, 0.25, -0.25]) {
            assert!((w - expected).abs() < 1e-12, "{w}");
        }
    }
}
