//! Choices: the rungs that tuning found for layers, as plain data that a run's receipt keeps and a later run reuses.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ops::{Op, Part, Precision, Rung, Rungs, Site};
use crate::shape::Shape;

/// Chosen rungs by op, shapes of one sample, part and precision; what is not listed runs on its op's default.
///
/// The batch size is no part of the key: the same layer runs on the same rung whatever the batch, in training,
/// evaluation and the feature cache alike. As JSON it is one object:
/// `{"conv2d 14x14x64 -> 14x14x64 3x3x64x64 d_w": "winograd4"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Choices(BTreeMap<String, Rung>);

impl Choices {
    /// Sets the rung of `part` for every layer of this op at these shapes.
    pub fn set(&mut self, op: &dyn Op, site: &Site, part: Part, rung: Rung) {
        self.0.insert(key(op, site, part), rung);
    }

    pub fn get(&self, op: &dyn Op, site: &Site, part: Part) -> Option<Rung> {
        self.0.get(&key(op, site, part)).copied()
    }

    /// The rung of each part: the chosen one where this adapter can run it, else the op's default.
    pub fn rungs(&self, op: &dyn Op, site: &Site) -> Rungs {
        let rung = |part| {
            let able = op.rungs(part, site);
            self.get(op, site, part).filter(|rung| able.contains(rung)).unwrap_or(able[0])
        };
        Rungs { forward: rung(Part::Forward), d_x: rung(Part::DX), d_w: rung(Part::DW) }
    }

    /// (op, shapes and part in words, rung), in the order of the words.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Rung)> {
        self.0.iter().map(|(key, rung)| (key.as_str(), *rung))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds those of `other`, which win over what is here.
    pub fn extend(&mut self, other: Choices) {
        self.0.extend(other.0);
    }
}

/// What a choice is about: `conv2d 56x56x128 -> 56x56x256 3x3x128x256 d_w`, and `f16` behind it in half precision.
pub fn key(op: &dyn Op, site: &Site, part: Part) -> String {
    let params = op.params(site.x);
    let kernel = params.first().map_or(String::new(), |kernel| format!(" {}", kernel.shape));
    let precision = if site.precision == Precision::F32 { "" } else { " f16" };
    format!("{} {} -> {}{kernel} {}{precision}", op.kind(), sample(&site.x[0]), sample(&site.y), part.name())
}

fn sample(shape: &Shape) -> String {
    let dims: Vec<String> = shape.dims()[1..].iter().map(usize::to_string).collect();
    dims.join("x")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Caps, Class};
    use crate::ops::Case;
    use crate::ops::conv2d::Conv2d;

    #[test]
    fn a_choice_holds_for_every_batch_size_and_only_where_it_can_run() {
        let able = Caps { class: Class::Cpu, lanes: Some((8, 8)), ..Caps::default() };
        let unable = Caps::default();
        let (one, eight) = (case(1), case(8));
        let mut choices = Choices::default();
        choices.set(&*one.op, &one.site(&able, Rungs::all(Rung::Naive)), Part::DW, Rung::Subgroup);
        let at = |case: &Case, caps| choices.rungs(&*case.op, &case.site(caps, Rungs::all(Rung::Naive)));
        let default = |caps| Choices::default().rungs(&*one.op, &one.site(caps, Rungs::all(Rung::Naive)));
        assert_eq!(at(&eight, &able), Rungs { d_w: Rung::Subgroup, ..default(&able) });
        assert_eq!(at(&eight, &unable), default(&unable));
    }

    #[test]
    fn it_reads_back_what_it_wrote_and_is_readable() {
        let (caps, case) = (Caps::default(), case(2));
        let mut choices = Choices::default();
        choices.set(&*case.op, &case.site(&caps, Rungs::all(Rung::Naive)), Part::Forward, Rung::Tiled);
        let text = serde_json::to_string(&choices).unwrap();
        assert_eq!(text, r#"{"conv2d 14x14x64 -> 14x14x64 3x3x64x64 forward":"tiled"}"#);
        assert_eq!(serde_json::from_str::<Choices>(&text).unwrap(), choices);
    }

    fn case(n: usize) -> Case {
        Case::new(Conv2d::vgg(64), &[&[n, 14, 14, 64]])
    }
}
