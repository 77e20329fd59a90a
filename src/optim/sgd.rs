//! Stochastic gradient descent, with momentum.

use serde_json::{Value, json};

use crate::gpu::Caps;
use crate::ops::{Array, Lowered, Now, Word};
use crate::optim::flat::Flat;
use crate::optim::{Common, Rule};
use crate::shape::Shape;

/// `v = m v - rate g; w += v`, or `w += m v - rate g` for Nesterov. Without momentum `w -= rate g`, and no state.
///
/// Source: Keras `SGD`; Sutskever et al. 2013, section 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Sgd {
    /// 0 for none.
    pub momentum: f32,
    pub nesterov: bool,
    pub common: Common,
}

impl Rule for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn common(&self) -> &Common {
        &self.common
    }

    fn keras(&self) -> Value {
        json!({ "class_name": "SGD", "config": { "momentum": self.momentum, "nesterov": self.nesterov } })
    }

    fn slots(&self) -> Vec<&'static str> {
        match self.momentum == 0.0 {
            true => Vec::new(),
            false => vec!["momentum"],
        }
    }

    fn lower(&self, shape: Shape, caps: &Caps) -> Lowered {
        let flat = Flat {
            file: "sgd",
            source: include_str!("../../shaders/sgd.wgsl"),
            entry: ["plain", "momentum"][self.states()],
            states: &["v"][..self.states()],
            common: self.common,
            words: &[Word::F32(self.momentum), Word::U32(u32::from(self.nesterov))],
            flops: 6,
        };
        flat.lower(shape, caps)
    }

    fn reference(&self, w: &mut Array, d_w: &Array, states: &mut [Array], now: &Now) {
        let (momentum, rate) = (f64::from(self.momentum), f64::from(now.learning_rate));
        for (i, w) in w.data.iter_mut().enumerate() {
            let (g, decayed) = self.common.prepared(*w, d_w.data[i], now);
            let Some(v) = states.first_mut().map(|state| &mut state.data[i]) else {
                *w = decayed - rate * g;
                continue;
            };
            *v = momentum * *v - rate * g;
            *w = decayed + if self.nesterov { momentum * *v - rate * g } else { *v };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::Clip;

    #[test]
    fn two_steps_by_hand() {
        let one = |value: f64| Array::new(Shape::new(&[1]), vec![value]);
        let now = Now { learning_rate: 0.5, ..Now::default() };
        for (nesterov, expected) in [(false, [-1.0, -2.5]), (true, [-1.5, -3.25])] {
            let rule = Sgd { momentum: 0.5, nesterov, common: Common::default() };
            let (mut w, mut v) = (one(0.0), [one(0.0)]);
            for expected in expected {
                rule.reference(&mut w, &one(2.0), &mut v, &now);
                assert_eq!(w.data[0], expected, "nesterov {nesterov}");
            }
        }
    }

    #[test]
    fn clipping_and_decay_come_first() {
        let common = Common { weight_decay: 0.5, clip: Some(Clip::Value(1.0)), ..Common::default() };
        let rule = Sgd { common, ..Sgd::default() };
        let mut w = Array::new(Shape::new(&[2]), vec![8.0, 8.0]);
        let now = Now { learning_rate: 0.25, ..Now::default() };
        rule.reference(&mut w, &Array::new(Shape::new(&[2]), vec![4.0, -0.5]), &mut [], &now);
        assert_eq!(w.data, [7.0 - 0.25, 7.0 + 0.125]);
    }
}
