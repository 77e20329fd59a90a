//! The transforms in front of the products and behind them.

use crate::gpu::Kernel;
use crate::ops::gemm::{Epilogue, Target};
use crate::ops::{Access, Operand, Part, Step, Word, pieces};

use super::products::{Lanes, Method, Stack};
use super::tiles::Tiles;

/// A map whose tiles are transformed.
pub struct Input {
    pub x: Operand,
    /// (h, w, channels)
    pub size: [usize; 3],
    pub pad: [usize; 2],
    /// The tile is rotated by half a turn.
    pub flipped: bool,
}

/// What becomes of a tile of outputs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Store {
    Map,
    /// Maxima of 2x2 windows; their positions go to the op's auxiliary result.
    Pooled,
}

impl Method<'_> {
    /// V = Bᵀ d B for the tiles of a chunk. Where they are the rows of a product, neighbouring invocations of the
    /// subgroup's transform share the channels, as they do there.
    pub fn input(
        &self,
        part: Part,
        input: &Input,
        tiles: &Tiles,
        (first, count): (usize, usize),
        v: &Stack,
    ) -> Step {
        let [h, w, c] = input.size;
        let source = include_str!("../../../../shaders/conv2d_winograd_input.wgsl");
        let kernel = self
            .kernel("conv2d_winograd_input", source, "input_tiles")
            .piece(pieces::X4_MAP)
            .piece(pieces::WINOGRAD_TILE);
        let (lanes, margin) = if part == Part::DW { (Lanes::Channels, 4) } else { (Lanes::Items, 8) };
        let (kernel, groups) = self.spread(kernel, lanes, [count, margin], c);
        v.bind(Step::new(self.writes(kernel), part).read("x", input.x))
            .sizes(&[h, w, c / 4, tiles.rows, tiles.columns, first, count])
            .sizes(&input.pad)
            .sizes(&[usize::from(input.flipped)])
            .sizes(&v.words())
            .groups(groups)
    }

    /// d_M = A d_y Aᵀ for the tiles of a chunk; `size` is (h, w, channels) of d_y.
    pub fn output_gradient(
        &self,
        [h, w, c]: [usize; 3],
        tiles: &Tiles,
        (first, count): (usize, usize),
        d_m: &Stack,
    ) -> Step {
        let source = include_str!("../../../../shaders/conv2d_winograd_output_gradient.wgsl");
        let kernel = self.kernel("conv2d_winograd_output_gradient", source, "output_gradient_tiles");
        let (kernel, groups) = self.spread(
            kernel.piece(pieces::X4_MAP).piece(pieces::WINOGRAD_TILE),
            Lanes::Channels,
            [count, 4],
            c,
        );
        d_m.bind(Step::new(self.writes(kernel), Part::DW).read("x", Operand::DY))
            .sizes(&[h, w, c / 4, tiles.rows, tiles.columns, first, count])
            .sizes(&d_m.words())
            .groups(groups)
    }

    /// U = G w Gᵀ.
    pub fn weights(&self, [ci, co]: [usize; 2], u: &Stack) -> Step {
        let source = include_str!("../../../../shaders/conv2d_winograd_weight.wgsl");
        let kernel = self.kernel("conv2d_winograd_weight", source, "weight_tiles").piece(pieces::X4_MAP);
        let (kernel, groups) = self.spread(kernel, Lanes::Channels, [ci, 1], co);
        u.bind(Step::new(self.writes(kernel), Part::Forward).read("x", Operand::Param(0)))
            .sizes(&[ci, co / 4])
            .sizes(&u.words())
            .groups(groups)
    }

    /// y = Aᵀ M A with its epilogue, perhaps pooled; `size` is (h, w, channels) before pooling.
    pub fn output(
        &self,
        part: Part,
        [h, w, c]: [usize; 3],
        tiles: &Tiles,
        (first, count): (usize, usize),
        (m, y): (&Target, &Target),
        (store, end): (Store, Epilogue),
    ) -> Step {
        let source = include_str!("../../../../shaders/conv2d_winograd_output.wgsl");
        let put = match store {
            Store::Map => pieces::WINOGRAD_PUT,
            Store::Pooled => pieces::WINOGRAD_PUT_POOLED,
        };
        let kernel = self
            .kernel("conv2d_winograd_output", source, "output_tiles")
            .piece(pieces::WINOGRAD_PRODUCTS)
            .piece(pieces::WINOGRAD_TILE)
            .piece(put);
        let (kernel, groups) = self.spread(kernel, Lanes::Channels, [count, 1], c);
        // Without a bias any readable tensor stands in.
        let bias = end.bias.unwrap_or(m.operand);
        let step = Step::new(kernel, part).read("x", m.operand).read("bias", bias);
        let step = match y.access {
            Access::Gradient => step.gradient("y", y.operand),
            _ => step.write("y", y.operand),
        };
        let step = match store {
            Store::Map => step,
            Store::Pooled => step.write("positions", Operand::Aux),
        };
        step.sizes(&[h, w, c / 4, tiles.rows, tiles.columns, first, count, m.batch / 4, m.row / 4])
            .sizes(&[usize::from(part == Part::DX), usize::from(end.bias.is_some())])
            .word(end.floor())
            .word(end.accumulate)
            .groups(groups)
    }

    /// d_w = Gᵀ d_U G.
    pub fn weight_gradient(&self, [ci, co]: [usize; 2], d_u: &Target) -> Step {
        let d_w = Operand::DParam(0);
        let source = include_str!("../../../../shaders/conv2d_winograd_weight_gradient.wgsl");
        let kernel = self
            .kernel("conv2d_winograd_weight_gradient", source, "weight_gradient")
            .piece(pieces::WINOGRAD_PRODUCTS);
        let (kernel, groups) = self.spread(kernel, Lanes::Channels, [ci, 1], co);
        Step::new(kernel, Part::DW)
            .read("x", d_u.operand)
            .gradient("y", d_w)
            .sizes(&[ci, co / 4, d_u.batch / 4, d_u.row / 4])
            .word(Word::Accumulate(d_w))
            .groups(groups)
    }

    fn kernel(&self, file: &'static str, source: &'static str, entry: &'static str) -> Kernel {
        let transforms = if self.outputs == 2 { pieces::WINOGRAD_F2 } else { pieces::WINOGRAD_F4 };
        Kernel::new(file, source, entry).piece(pieces::WINOGRAD_LINE).piece(transforms)
    }
}
