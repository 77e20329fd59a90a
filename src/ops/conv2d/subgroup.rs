//! Rung `subgroup`: implicit GEMM in the form for software drivers.
//!
//! A map is copied into texels with its padding written out, so that the product needs no bounds and divides nothing.

use crate::gpu::Kernel;
use crate::ops::conv2d::{Conv2d, Geometry};
use crate::ops::gemm::{self, Epilogue, Fit, Packed, Target, Tn, Walk};
use crate::ops::step::{LONGEST_LOOP, grid};
use crate::ops::{Access, Lowered, Operand, Part, Site, Step, Word, pieces};

/// Pixels of one workgroup.
const ROWS: u32 = 32;

/// Whether no loop is longer than a software driver's longest.
pub fn applies(g: &Geometry) -> bool {
    let taps = g.kh * g.kw * g.ci.max(g.co).div_ceil(4);
    taps <= LONGEST_LOOP && g.wo.div_ceil(4) <= LONGEST_LOOP
}

/// Who writes a halo out: the texels that it gives.
pub type Fill<'a> = &'a dyn Fn(&mut Lowered, Part, &Halo) -> Operand;

/// From x, which is the map.
pub fn from_x(out: &mut Lowered, part: Part, halo: &Halo) -> Operand {
    halo.push(out, part, Operand::X(0))
}

pub fn forward(conv: &Conv2d, site: &Site, fill: Fill) -> Lowered {
    let g = conv.at(&site.x[0]);
    let mut out = Lowered::default();
    let halo = Halo {
        n: g.n,
        size: [g.h, g.w, g.ci],
        out: [(g.ho - 1) * g.sh + g.kh, (g.wo - 1) * g.sw + g.kw],
        pad: [g.top, g.left],
        step: [1, 1],
    };
    let x = fill(&mut out, Part::Forward, &halo);
    let c = g.ci.next_multiple_of(4);
    let w = Walk {
        lines: g.kh * g.kw,
        line: c,
        length: g.ci,
        line_stride: g.ci * g.co,
        reversed: false,
        u_stride: g.co,
        v_len: g.co,
        v_stride: 1,
        offset: 0,
        aligned: g.co.is_multiple_of(4),
    };
    let w = gemm::pack_lines(&mut out, Part::Forward, Operand::Param(0), &w);
    let end =
        Epilogue { bias: conv.bias.then_some(Operand::Param(1)), relu: conv.relu, accumulate: Word::U32(0) };
    let y = Target::new(Operand::Y, Access::Write, g.co);
    let maps = Maps { n: g.n, out: [g.ho, g.wo, g.co], kernel: [g.kh, g.kw], stride: [g.sh, g.sw] };
    let step = maps.convolve(&halo, Part::Forward, (x, w), &y, end, site.caps.max_groups);
    out.push(step.flops(2 * g.macs()));
    out
}

/// d_x is a convolution of d_y, spread out by the stride, with the kernel rotated and its channels swapped.
pub fn input_gradient(conv: &Conv2d, site: &Site, out: &mut Lowered) {
    let g = conv.at(&site.x[0]);
    let d_x = Operand::DX(0);
    let halo = Halo {
        n: g.n,
        size: [g.ho, g.wo, g.co],
        out: [g.h + g.kh - 1, g.w + g.kw - 1],
        pad: [g.kh - 1 - g.top, g.kw - 1 - g.left],
        step: [g.sh, g.sw],
    };
    let d_y = halo.push(out, Part::DX, Operand::DY);
    let c = g.co.next_multiple_of(4);
    let w = Walk {
        lines: g.kh * g.kw,
        line: c,
        length: g.co,
        line_stride: g.ci * g.co,
        reversed: true,
        u_stride: 1,
        v_len: g.ci,
        v_stride: g.co,
        offset: 0,
        aligned: false,
    };
    let w = gemm::pack_lines(out, Part::DX, Operand::Param(0), &w);
    let y = Target::new(d_x, Access::Gradient, g.ci);
    let maps = Maps { n: g.n, out: [g.h, g.w, g.ci], kernel: [g.kh, g.kw], stride: [1, 1] };
    let step = maps.convolve(&halo, Part::DX, (d_y, w), &y, Epilogue::gradient(d_x), site.caps.max_groups);
    out.push(step.flops(2 * g.macs()));
}

/// d_w is a product over all pixels, in pieces that the longest loop holds; later pieces add to the first.
pub fn weight_gradient(conv: &Conv2d, site: &Site, out: &mut Lowered, fill: Fill) {
    let g = conv.at(&site.x[0]);
    let line4 = g.wo.div_ceil(4);
    let halo = Halo {
        n: g.n,
        size: [g.h, g.w, g.ci],
        out: [(g.ho - 1) * g.sh + g.kh, (line4 * 4 - 1) * g.sw + g.kw],
        pad: [g.top, g.left],
        step: [1, 1],
    };
    let x = fill(out, Part::DW, &halo);
    let most = (LONGEST_LOOP / line4).max(1);
    for piece in 0..pieces_of_lines(&g, site.caps.max_binding, most) {
        let first = (piece * most).min(g.n * g.ho);
        let lines = (g.n * g.ho - first).min(most);
        let d_y = pack_rows_of_map(out, &g, first, lines, line4);
        let t = tn(&g, &halo, (first, lines, line4), d_y);
        let d_w = Operand::DParam(0);
        let mut end = Epilogue::gradient(d_w);
        let mut y = Target::new(d_w, Access::Gradient, g.co);
        if piece > 0 {
            end.accumulate = Word::U32(1);
            y.access = Access::Update;
        }
        out.push(gemm::transposed_product(x, d_y.texels, &t, &y, Fit::Exact, end));
    }
}

/// How many pieces the largest batch that a binding holds needs: the list of steps is the same for any batch.
fn pieces_of_lines(g: &Geometry, max_binding: u64, most: usize) -> usize {
    let row_bytes = (4 * g.wo * g.co).max(4 * g.h * g.w * g.ci / g.ho);
    let lines = (max_binding as usize / row_bytes).min(65_535 * g.ho).max(g.n * g.ho);
    lines.div_ceil(most)
}

fn pack_rows_of_map(out: &mut Lowered, g: &Geometry, first: usize, lines: usize, line4: usize) -> Packed {
    let walk = Walk {
        lines,
        line: line4 * 4,
        length: g.wo,
        line_stride: g.wo * g.co,
        reversed: false,
        u_stride: g.co,
        v_len: g.co,
        v_stride: 1,
        offset: first * g.wo * g.co,
        aligned: g.co.is_multiple_of(4),
    };
    gemm::pack_lines(out, Part::DW, Operand::DY, &walk)
}

fn tn(g: &Geometry, halo: &Halo, (first, lines, line4): (usize, usize, usize), d_y: Packed) -> Tn {
    let c4 = halo.c4();
    let (pitch, line) = (halo.out[1] * c4, g.sh * halo.out[1] * c4);
    let image = halo.out[0] * pitch;
    Tn {
        n: g.co,
        lines,
        line4,
        image_lines: g.ho,
        image_line: first % g.ho,
        a_offset: first / g.ho * image + first % g.ho * line,
        a_image_skip: image as isize - (g.ho * line) as isize,
        a_line: line,
        a_step: g.sw * c4,
        a_run: pitch,
        run_panels: (g.kw * c4).div_ceil(8),
        a_panel: 8,
        a_batch: 0,
        b_panel: lines * line4 * 32,
        b_batch: d_y.batch,
        channels: g.ci,
        taps: g.kw,
        runs: g.kh,
        batch: 1,
    }
}

/// Maps in texels with their padding written out.
pub struct Halo {
    pub n: usize,
    /// Height, width, channels of a map.
    pub size: [usize; 3],
    /// Height and width with the padding.
    pub out: [usize; 2],
    pub pad: [usize; 2],
    /// Distance of neighbouring pixels.
    pub step: [usize; 2],
}

impl Halo {
    fn c4(&self) -> usize {
        self.size[2].div_ceil(4)
    }

    fn push(&self, out: &mut Lowered, part: Part, x: Operand) -> Operand {
        let aligned = self.size[2].is_multiple_of(4);
        let kernel = Kernel::new("conv2d_halo", include_str!("../../../shaders/conv2d_halo.wgsl"), "halo")
            .piece(pieces::TEXEL)
            .piece(if aligned { pieces::X4_ALIGNED } else { pieces::X4_STRIDED });
        let step = Step::new(kernel, part).read("x", x);
        self.filled(out, |texels| {
            step.write_texels("out", texels)
                .sizes(&self.size)
                .sizes(&[self.c4()])
                .sizes(&self.out)
                .sizes(&self.pad)
                .sizes(&self.step)
        })
    }

    /// The texels, which the step writes: one invocation for each.
    pub fn filled(&self, out: &mut Lowered, step: impl FnOnce(Operand) -> Step) -> Operand {
        let texels = out.texels((self.n * self.out[0] * self.out[1] * self.c4()) as u64);
        let groups = [(self.out[1] * self.c4()).div_ceil(8), self.out[0], self.n];
        out.push(step(texels).groups(groups.map(|d| d as u32)));
        texels
    }
}

/// The sizes of a convolution over a halo.
struct Maps {
    n: usize,
    /// Height, width, channels of the result.
    out: [usize; 3],
    kernel: [usize; 2],
    stride: [usize; 2],
}

impl Maps {
    fn convolve(
        &self,
        halo: &Halo,
        part: Part,
        (x, w): (Operand, Packed),
        y: &Target,
        end: Epilogue,
        max_groups: u32,
    ) -> Step {
        let ([ho, wo, co], [kh, kw], [sh, sw]) = (self.out, self.kernel, self.stride);
        let (m, c4) = (self.n * ho * wo, halo.c4());
        let (run, pitch) = (kw * c4, halo.out[1] * c4);
        let source = include_str!("../../../shaders/conv2d_subgroup.wgsl");
        let kernel = Kernel::new("conv2d_subgroup", source, "convolution")
            .with("ROWS", ROWS)
            .piece(pieces::TEXEL)
            .piece(pieces::GEMM_ROWS)
            .piece(pieces::GEMM_STRIP);
        let step =
            Step::new(gemm::stores(kernel, y, co, &end), part).read_texels("a", x).read_texels("b", w.texels);
        let [x, z, _] = grid((m as u64).div_ceil(u64::from(ROWS)), max_groups);
        gemm::bind_target(step, y, &end)
            .sizes(&[m, co, kh * run, y.row, ho * wo, wo, pitch, halo.out[0] * pitch])
            .sizes(&[sh * pitch, sw * c4, kh, run, usize::from(end.bias.is_some())])
            .word(end.floor())
            .word(end.accumulate)
            .groups([x, co.div_ceil(64) as u32, z])
    }
}
