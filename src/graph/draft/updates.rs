//! Where updates stand in a draft: right behind a parameter's gradient, or behind the last one.

use super::Drafter;
use crate::graph::builder::{Param, ParamId};
use crate::graph::role::Owner;
use crate::ops::{Live, Precision, Word};
use crate::optim::{self, Clip, Scaling, scaling};
use crate::shape::Shape;

impl Drafter<'_> {
    /// Small gradients would become zero in half precision.
    pub(super) fn scales_losses(&self) -> bool {
        self.settings.rule.is_some() && self.settings.precision == Precision::F16
    }

    /// A joint norm, and whether all gradients are finite, is known once the last one is there.
    pub(super) fn updates_wait(&self) -> bool {
        let clip = self.settings.rule.as_ref().and_then(|rule| rule.common().clip);
        self.scales_losses() || matches!(clip, Some(Clip::GlobalNorm(_)))
    }

    pub(super) fn late_updates(&mut self) {
        let Some(rule) = self.settings.rule.clone().filter(|_| self.updates_wait()) else { return };
        let trained = self.trained.clone();
        let shapes: Vec<Shape> = trained.iter().map(|p| self.graph.params[p.0].spec.shape).collect();
        if self.scales_losses() {
            self.block(Owner::Trained, Scaling::default().unscale(&shapes, self.caps), &[]);
        }
        self.block(Owner::Trained, optim::before(rule.as_ref(), &shapes, self.caps), &[]);
        trained.into_iter().for_each(|param| self.update(param));
    }

    pub(super) fn update(&mut self, param: ParamId) {
        let Some(rule) = &self.settings.rule else { return };
        let Param { spec, rate, .. } = &self.graph.params[param.0];
        let mut lowered = optim::update(rule.as_ref(), spec.shape, self.caps);
        if self.scales_losses() {
            lowered = scaling::only_if_it_counts(rule.as_ref(), lowered);
        }
        for word in lowered.steps.iter_mut().flat_map(|step| &mut step.words) {
            if *word == Word::Live(Live::LearningRate) && *rate != 1.0 {
                *word = Word::Scaled(Live::LearningRate, *rate);
            }
        }
        self.block(Owner::Param(param), lowered, &[]);
        self.shared.update(param);
    }
}
