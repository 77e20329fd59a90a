//! Two images become one: mixup blends them, cutmix pastes a part of one into the other.

use crate::gpu::Kernel;
use crate::ops::pieces::INDEX;
use crate::ops::rgb::{inside, with_rows};
use crate::ops::step::flat_grid;
use crate::ops::{Array, Case, Given, Lowered, Op, Operand, Part, Site, Step};
use crate::shape::Shape;

const SOURCE: &str = include_str!("../../shaders/mix.wgsl");

/// x, partner (n, h, w, 3); rule (n, 5): a share, then top, left, bottom, right as shares of the height and width.
/// y = share x + (1 - share) partner, and the partner alone where a pixel's centre lies inside of the rectangle.
///
/// Mixup has an empty rectangle, cutmix a share of 1. The labels mix on the host, by the same shares.
///
/// # Errors
/// No two RGB maps of one shape, or a rule that is not five numbers per image.
///
/// Source: Zhang et al. 2017, *mixup*; Yun et al. 2019, *CutMix*.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mix;

impl Op for Mix {
    fn kind(&self) -> &'static str {
        "mix"
    }

    fn output(&self, x: &[Shape]) -> Result<Shape, String> {
        match x[0] == x[1] {
            true => with_rows(&[x[0], x[2]], 5),
            false => Err(format!("images {} and partners {}, expected one shape", x[0], x[1])),
        }
    }

    fn differentiable(&self, _index: usize) -> bool {
        false
    }

    fn is_stochastic(&self) -> bool {
        true
    }

    fn forward(&self, site: &Site) -> Lowered {
        let pixels = site.y.numel() / 3;
        Step::new(Kernel::new("mix", SOURCE, "forward").piece(INDEX), Part::Forward)
            .read("x", Operand::X(0))
            .read("partner", Operand::X(1))
            .read("rule", Operand::X(2))
            .write("y", Operand::Y)
            .sizes(&[pixels as usize, site.y.dims()[1], site.y.dims()[2]])
            .groups(flat_grid(pixels, site.caps.max_groups))
            .flops(12 * pixels)
            .into()
    }

    fn reference(&self, given: Given) -> Array {
        let [x, partner, rule] = [&given.x[0], &given.x[1], &given.x[2]];
        let [_, h, w, _] = x.nhwc();
        let mixed = |e: usize| {
            let (n, pixel) = (e / (3 * h * w), e / 3 % (h * w));
            let rule = &rule.data[5 * n..5 * n + 5];
            let share = if inside(pixel, [h, w], &rule[1..]) { 0.0 } else { rule[0] };
            share * x.data[e] + (1.0 - share) * partner.data[e]
        };
        Array::new(x.shape, (0..x.data.len()).map(mixed).collect())
    }
}

/// Single pixels and odd maps.
pub fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 3] = [&[5, 7, 5, 3], &[1, 1, 1, 3], &[6, 8, 16, 3]];
    shapes.map(|x| Case::new(Mix, &[x, x, &[x[0], 5]])).into()
}
