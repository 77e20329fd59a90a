//! A score: how far a tensor goes into a given direction. What Grad-CAM, saliency and dreams differentiate.

use crate::gpu::Kernel;
use crate::ops::pieces::{GROUP_SUM, INDEX};
use crate::ops::step::{flat_grid, grid};
use crate::ops::{Array, Case, Given, Gradients, Live, Lowered, Op, Operand, Part, Site, Step, Wants, Word};
use crate::shape::Shape;

const SOURCE: &str = include_str!("../../shaders/score.wgsl");

/// Elements that one workgroup adds.
const PART: usize = 1 << 14;

/// The inner product of each sample with a direction: x (n, ...); w of the same shape; y (n) = sum of x w.
///
/// A direction of one 1 picks a logit; ones over a channel pick that channel's sum. The sweep starts here as it starts
/// at a loss: d_x = w times the loss scale. w has no gradient.
///
/// # Errors
/// x and w differ in shape.
///
/// Source: Simonyan et al. 2013, *Deep inside convolutional networks*, section 3 (the class score).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score;

fn step(site: &Site, entry: &'static str, part: Part, accumulate: Word) -> Step {
    let n = site.x[0].dims()[0];
    let elements = (site.x[0].numel() / n.max(1) as u64) as usize;
    Step::new(Kernel::new("score", SOURCE, entry).piece(INDEX).piece(GROUP_SUM), part)
        .sizes(&[n, elements, PART, elements.div_ceil(PART)])
        .word(Word::Live(Live::LossScale))
        .word(accumulate)
}

impl Op for Score {
    fn kind(&self) -> &'static str {
        "score"
    }

    fn output(&self, x: &[Shape]) -> Result<Shape, String> {
        match x {
            [x, w] if x == w && x.numel() > 0 => Ok(Shape::new(&[x.dims()[0]])),
            [x, w] => Err(format!("x {x} and direction {w}, expected two tensors of one shape")),
            _ => Err(format!("{} inputs, expected a tensor and a direction", x.len())),
        }
    }

    fn differentiable(&self, index: usize) -> bool {
        index == 0
    }

    fn is_loss(&self) -> bool {
        true
    }

    fn forward(&self, site: &Site) -> Lowered {
        let n = site.x[0].dims()[0] as u64;
        let parts = (site.x[0].numel() / n).div_ceil(PART as u64);
        let mut out = Lowered::default();
        let partial = out.scratch(n * parts);
        out.push(
            step(site, "partial_sums", Part::Forward, Word::U32(0))
                .read("x", Operand::X(0))
                .read("w", Operand::X(1))
                .write("partial", partial)
                .groups(grid(n * parts, site.caps.max_groups))
                .flops(2 * site.x[0].numel()),
        );
        out.push(
            step(site, "total", Part::Forward, Word::U32(0))
                .read("sums", partial)
                .write("y", Operand::Y)
                .groups(flat_grid(n, site.caps.max_groups)),
        );
        out
    }

    fn backward(&self, site: &Site, wants: &Wants) -> Lowered {
        if !wants.d_x[0] {
            return Lowered::default();
        }
        step(site, "backward", Part::DX, Word::Accumulate(Operand::DX(0)))
            .read("w", Operand::X(1))
            .gradient("d_x", Operand::DX(0))
            .groups(flat_grid(site.x[0].numel(), site.caps.max_groups))
            .into()
    }

    fn reference(&self, given: Given) -> Array {
        let (x, w) = (&given.x[0], &given.x[1]);
        let n = x.shape.dims()[0];
        let width = x.data.len() / n;
        let rows = x.data.chunks_exact(width).zip(w.data.chunks_exact(width));
        let y = rows.map(|(x, w)| x.iter().zip(w).map(|(x, w)| x * w).sum()).collect();
        Array::new(Shape::new(&[n]), y)
    }

    fn reference_backward(&self, given: Given, _y: &Array, _d_y: &Array) -> Gradients {
        let scale = f64::from(given.now.loss_scale);
        let d_x = given.x[1].data.iter().map(|w| w * scale).collect();
        Gradients { d_x: vec![Some(Array::new(given.x[0].shape, d_x)), None], d_params: Vec::new() }
    }
}

/// Logits, maps, a single element, and a map of several parts whose last one is ragged.
pub fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 4] = [&[3, 7], &[2, 5, 3, 4], &[1, 1], &[2, 30, 29, 20]];
    shapes.map(|x| Case::new(Score, &[x, x])).into()
}
