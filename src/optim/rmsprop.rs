//! RMSprop, plain or centered, with or without momentum.

use serde_json::{Value, json};

use crate::gpu::Caps;
use crate::ops::{Array, Lowered, Now, Word};
use crate::optim::flat::Flat;
use crate::optim::{Common, Rule};
use crate::shape::Shape;

/// `v = rho v + (1 - rho) g²; push = rate g / sqrt(v - u² + epsilon); w -= push`, where `u = rho u + (1 - rho) g` if
/// centered, else 0. With momentum `s = m s + push; w -= s`. States: v, then u if centered, then s with momentum.
///
/// Source: Keras `RMSprop`; Hinton's lecture 6e of 2012; centered as in Graves 2013, section 4.2.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RmsProp {
    /// In f64, because 1 - rho from f32 loses digits.
    pub rho: f64,
    /// 0 for none.
    pub momentum: f32,
    pub epsilon: f32,
    pub centered: bool,
    pub common: Common,
}

impl Default for RmsProp {
    /// Keras' defaults.
    fn default() -> RmsProp {
        RmsProp { rho: 0.9, momentum: 0.0, epsilon: 1e-7, centered: false, common: Common::default() }
    }
}

impl RmsProp {
    fn has_momentum(&self) -> bool {
        self.momentum != 0.0
    }
}

impl Rule for RmsProp {
    fn name(&self) -> &'static str {
        "rmsprop"
    }

    fn common(&self) -> &Common {
        &self.common
    }

    fn keras(&self) -> Value {
        let (rho, momentum, epsilon) = (self.rho, self.momentum, self.epsilon);
        json!({
            "class_name": "RMSprop",
            "config": { "rho": rho, "momentum": momentum, "epsilon": epsilon, "centered": self.centered },
        })
    }

    fn slots(&self) -> Vec<&'static str> {
        let mut slots = vec!["velocity"];
        slots.extend(self.centered.then_some("average_gradient"));
        slots.extend(self.has_momentum().then_some("momentum"));
        slots
    }

    fn lower(&self, shape: Shape, caps: &Caps) -> Lowered {
        let (entry, states): (_, &[&str]) = match (self.centered, self.has_momentum()) {
            (false, false) => ("plain", &["v"]),
            (false, true) => ("momentum", &["v", "s"]),
            (true, false) => ("centered", &["v", "u"]),
            (true, true) => ("centered_momentum", &["v", "u", "s"]),
        };
        let rest = (1.0 - self.rho) as f32;
        let flat = Flat {
            file: "rmsprop",
            source: include_str!("../../shaders/rmsprop.wgsl"),
            entry,
            states,
            common: self.common,
            words: &[self.rho as f32, rest, self.momentum, self.epsilon].map(Word::F32),
            flops: 14,
        };
        flat.lower(shape, caps)
    }

    fn reference(&self, w: &mut Array, d_w: &Array, states: &mut [Array], now: &Now) {
        let (rho, momentum) = (self.rho, f64::from(self.momentum));
        for (i, w) in w.data.iter_mut().enumerate() {
            let (g, decayed) = self.common.prepared(*w, d_w.data[i], now);
            let mut states = states.iter_mut().map(|state| &mut state.data[i]);
            let mut mix = |value: f64| {
                let state = states.next().expect("a rule is given as many states as it asks for");
                *state = rho * *state + (1.0 - rho) * value;
                *state
            };
            let square = mix(g * g);
            let mean = if self.centered { mix(g) } else { 0.0 };
            let variance = (square - mean * mean).max(0.0) + f64::from(self.epsilon);
            let push = f64::from(now.learning_rate) * g / variance.sqrt();
            *w = decayed
                - match states.next() {
                    Some(speed) => {
                        *speed = momentum * *speed + push;
                        *speed
                    }
                    None => push,
                };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_by_hand() {
        let one = |value: f64| Array::new(Shape::new(&[1]), vec![value]);
        let now = Now { learning_rate: 1.0, ..Now::default() };
        // v = 0.25 * 4, u = 0.25 * 2: the push is 2 / sqrt(1), centered 2 / sqrt(1 - 0.25).
        for (centered, momentum, expected) in
            [(false, 0.0, -2.0), (false, 0.5, -2.25), (true, 0.0, -2.0 / 0.75f64.sqrt())]
        {
            let rule = RmsProp { rho: 0.75, epsilon: 0.0, centered, momentum, common: Common::default() };
            let (mut w, mut states) = (one(0.0), vec![one(0.0); rule.states()]);
            if momentum > 0.0 {
                states[1] = one(0.5);
            }
            rule.reference(&mut w, &one(2.0), &mut states, &now);
            assert!((w.data[0] - expected).abs() < 1e-12, "{centered} {momentum}: {}", w.data[0]);
        }
    }
}
