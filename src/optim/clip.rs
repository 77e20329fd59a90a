//! Clipping gradients by their norm: steps that run before the rules', because they must see whole tensors.

use std::ops::Range;

use crate::gpu::{Caps, Kernel};
use crate::ops::pieces::{GROUP_SUM, INDEX};
use crate::ops::step::flat_grid;
use crate::ops::{Array, Lowered, Operand, Part, Step, Word};
use crate::optim::flat::{shares, windows};
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
    let pieces: Vec<Piece> =
        shapes.iter().enumerate().flat_map(|(i, &shape)| pieces(i, shape, caps)).collect();
    let parts: u64 = pieces.iter().map(Piece::parts).sum();
    let (partial, factor) = (out.scratch(parts.max(1)), out.scratch(1));
    let mut first = 0;
    for piece in &pieces {
        out.push(piece.squares(partial, first as usize));
        first += piece.parts();
    }
    out.push(
        step("total")
            .read("partials", partial)
            .write("factor", factor)
            .sizes(&[parts as usize, 0])
            .word(Word::F32(limit)),
    );
    for piece in &pieces {
        out.push(piece.scale(factor, caps));
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
struct Piece {
    tensor: usize,
    elements: Range<u64>,
    /// 1 where vec4 kernels fit.
    wide: usize,
}

fn pieces(tensor: usize, shape: Shape, caps: &Caps) -> impl Iterator<Item = Piece> {
    let wide = usize::from(shape.numel().is_multiple_of(4));
    windows(shape.numel(), caps).into_iter().map(move |elements| Piece { tensor, elements, wide })
}

fn step(entry: &'static str) -> Step {
    Step::new(Kernel::new("clip", SOURCE, entry).piece(INDEX).piece(GROUP_SUM), Part::Update)
}

impl Piece {
    fn parts(&self) -> u64 {
        shares(&self.elements)
    }

    fn count(&self) -> u64 {
        (self.elements.end - self.elements.start) / [1, 4][self.wide]
    }

    fn bytes(&self) -> Range<u64> {
        self.elements.start * 4..self.elements.end * 4
    }

    fn squares(&self, partial: Operand, first: usize) -> Step {
        step(["squares", "squares4"][self.wide])
            .read(["d_w", "d_w4"][self.wide], Operand::DParam(self.tensor))
            .window(self.bytes())
            // Update, not Write: each tensor fills its own share of the partial sums.
            .update("partial", partial)
            .sizes(&[self.count() as usize, first])
            .word(Word::F32(0.0))
            .groups([self.parts() as u32, 1, 1])
            .flops(2 * (self.elements.end - self.elements.start))
    }

    fn scale(&self, factor: Operand, caps: &Caps) -> Step {
        step(["scale", "scale4"][self.wide])
            .read("kept_factor", factor)
            .update(["clipped", "clipped4"][self.wide], Operand::DParam(self.tensor))
            .window(self.bytes())
            .sizes(&[self.count() as usize, 0])
            .word(Word::F32(0.0))
            .groups(flat_grid(self.count(), caps.max_groups))
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
