//! Clipping gradients by their norm: steps that run before the rules', because they must see whole tensors.

use std::ops::Range;

use crate::gpu::{Caps, Kernel, Piece};
use crate::ops::pieces::{GROUP_SUM, INDEX, VALUES_OF_ONE};
use crate::ops::step::flat_grid;
use crate::ops::{Array, Lowered, Operand, Part, Step, Word};
use crate::optim::flat::{Width, shares, windows};
use crate::shape::Shape;

const SOURCE: &str = include_str!("../../shaders/clip.wgsl");

/// What keeps a gradient short. Source: Keras `clipvalue`, `clipnorm` and `global_clipnorm`.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clip {
    /// Each element stays within plus and minus this.
    Value(f32),
    /// Each parameter's gradient has at most this norm.
    Norm(f32),
    /// The gradients of all parameters together have at most this norm.
    GlobalNorm(f32),
}

impl Clip {
    pub fn limit(self) -> f32 {
        let (Clip::Value(limit) | Clip::Norm(limit) | Clip::GlobalNorm(limit)) = self;
        limit
    }
}

/// Scales `DParam` 0, 1, ... of these shapes in place so that their joint norm is at most `limit`, which is positive.
/// Keras' `clipnorm` is this for one tensor at a time, `global_clipnorm` for all of them at once.
///
/// Source: Keras `BaseOptimizer.clip_gradients`; Pascanu et al. 2013, algorithm 1.
pub fn by_norm(limit: f32, shapes: &[Shape], caps: &Caps) -> Lowered {
    let mut out = Lowered::default();
    let all: Vec<Portion> =
        shapes.iter().enumerate().flat_map(|(i, &shape)| portions(i, shape, caps)).collect();
    let sums: u64 = all.iter().map(Portion::shares).sum();
    let (partial, factor) = (out.scratch(sums.max(1)), out.scratch(1));
    let mut first = 0;
    for portion in &all {
        out.push(portion.squares(partial, first as usize));
        first += portion.shares();
    }
    out.push(
        step("total", VALUES_OF_ONE)
            .read("partials", partial)
            .write("factor", factor)
            .sizes(&[sums as usize, 0])
            .word(Word::F32(limit)),
    );
    for portion in &all {
        out.push(portion.scale(factor, caps));
    }
    out
}

/// What [`by_norm`] does, in plain loops: the specification.
pub fn reference<'a>(limit: f32, gradients: impl IntoIterator<Item = &'a mut Array>) {
    let limit = f64::from(limit);
    let mut gradients: Vec<&mut Array> = gradients.into_iter().collect();
    let squares = gradients.iter().flat_map(|d_w| &d_w.data).map(|d| d * d);
    let factor = limit / squares.sum::<f64>().sqrt().max(limit);
    gradients.iter_mut().flat_map(|d_w| &mut d_w.data).for_each(|d| *d *= factor);
}

/// A window of one tensor.
struct Portion {
    tensor: usize,
    elements: Range<u64>,
    width: Width,
}

fn portions(tensor: usize, shape: Shape, caps: &Caps) -> impl Iterator<Item = Portion> {
    let width = Width::of(shape);
    windows(shape.numel(), caps).into_iter().map(move |elements| Portion { tensor, elements, width })
}

fn step(entry: &'static str, values: Piece) -> Step {
    let kernel = Kernel::new("clip", SOURCE, entry).piece(INDEX).piece(values).piece(GROUP_SUM);
    Step::new(kernel, Part::Update)
}

impl Portion {
    fn shares(&self) -> u64 {
        shares(&self.elements)
    }

    fn values(&self) -> u64 {
        self.width.values(&self.elements)
    }

    fn bytes(&self) -> Range<u64> {
        self.elements.start * 4..self.elements.end * 4
    }

    fn squares(&self, partial: Operand, first: usize) -> Step {
        step("squares", self.width.piece())
            .read("d_w", Operand::DParam(self.tensor))
            .window(self.bytes())
            // Update, not Write: each tensor fills its own share of the partial sums.
            .update("partial", partial)
            .sizes(&[self.values() as usize, first])
            .word(Word::F32(0.0))
            .groups([self.shares() as u32, 1, 1])
            .flops(2 * (self.elements.end - self.elements.start))
    }

    fn scale(&self, factor: Operand, caps: &Caps) -> Step {
        step("scale", self.width.piece())
            .read("kept_factor", factor)
            .update("clipped", Operand::DParam(self.tensor))
            .window(self.bytes())
            .sizes(&[self.values() as usize, 0])
            .word(Word::F32(0.0))
            .groups(flat_grid(self.values(), caps.max_groups))
            .flops(self.elements.end - self.elements.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_gradients_are_shortened() {
        let pair = |a, b| [a, b].map(|v| Array::new(Shape::new(&[1]), vec![v]));
        let mut long = pair(3.0, 4.0);
        reference(1.0, &mut long);
        assert!((long[0].data[0] - 0.6).abs() < 1e-12 && (long[1].data[0] - 0.8).abs() < 1e-12);
        let mut short = pair(0.3, 0.4);
        reference(1.0, &mut short);
        assert_eq!(short, pair(0.3, 0.4));
    }
}
