//! Operands of matrix products, packed into texels in the order in which the products read them.

use std::ops::Range;

use crate::gpu::Kernel;
use crate::ops::gemm::{Matrix, PANEL, Packed};
use crate::ops::{Lowered, Operand, Part, Step, pieces};

/// Texels that one invocation of `pack` makes.
const RUN: usize = 16;

/// How `pack` walks over a tensor: element (u, v), where v runs inside a texel and u runs in lines.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    pub lines: usize,
    /// Packed places of a line, of which `length` exist and the rest are zero.
    pub line: usize,
    pub length: usize,
    pub line_stride: usize,
    /// Lines are read from the last to the first.
    pub reversed: bool,
    pub u_stride: usize,
    pub v_len: usize,
    pub v_stride: usize,
    pub offset: usize,
    /// Runs of v are whole, contiguous and aligned.
    pub aligned: bool,
}

impl Walk {
    fn matrix(x: &Matrix, u_len: usize, v_len: usize) -> Walk {
        let [u_stride, v_stride] = if x.transposed { [1, x.stride] } else { [x.stride, 1] };
        let aligned = !x.transposed && x.aligned(v_len);
        let (line, length, offset) = (u_len, u_len, x.offset);
        let (lines, line_stride, reversed) = (1, 0, false);
        Walk { lines, line, length, line_stride, reversed, u_stride, v_len, v_stride, offset, aligned }
    }
}

/// Packs `a` (m,k) by rows. Reads nothing but its tensor, so that the packing of a frozen weight runs once.
pub fn pack_rows(out: &mut Lowered, part: Part, a: &Matrix, m: usize, k: usize) -> Packed {
    let read = (a.operand, a.window.clone());
    pack(out, part, read, &Walk::matrix(a, m, k), true, [k.div_ceil(4), m.div_ceil(PANEL)])
}

/// Packs `b` (k,n) by columns; see [`pack_rows`].
pub fn pack_columns(out: &mut Lowered, part: Part, b: &Matrix, k: usize, n: usize) -> Packed {
    let read = (b.operand, b.window.clone());
    let sizes = [k.next_multiple_of(4), column_panels(n)];
    pack(out, part, read, &Walk::matrix(b, k, n), false, sizes)
}

/// Packs by columns what is no plain matrix: the taps of a weight, the rows of a map.
pub fn pack_lines(out: &mut Lowered, part: Part, x: Operand, walk: &Walk) -> Packed {
    pack(out, part, (x, None), walk, false, [walk.lines * walk.line, column_panels(walk.v_len)])
}

/// Panels of 32 columns; the kernels take them in pairs.
pub fn column_panels(n: usize) -> usize {
    n.div_ceil(2 * PANEL) * 2
}

fn pack(
    out: &mut Lowered,
    part: Part,
    (x, window): (Operand, Option<Range<u64>>),
    walk: &Walk,
    by_rows: bool,
    [depth, panels]: [usize; 2],
) -> Packed {
    let width = if by_rows { PANEL } else { PANEL / 4 };
    let batch = panels * depth * width;
    let texels = out.texels(batch as u64);
    let kernel = Kernel::new("gemm_pack", include_str!("../../../shaders/gemm_pack.wgsl"), "pack")
        .with("BY_ROWS", u32::from(by_rows))
        // No word: the two forms of a frozen weight, packed once each, are told apart by their kernels.
        .with("REVERSED", u32::from(walk.reversed))
        .piece(pieces::TEXEL)
        .piece(if walk.aligned { pieces::X4_ALIGNED } else { pieces::X4_STRIDED });
    let mut step = Step::new(kernel, part).read("x", x);
    if let Some(window) = window {
        step = step.window(window);
    }
    out.push(
        step.write_texels("out", texels)
            .sizes(&[walk.lines, walk.line, walk.length, walk.line_stride])
            .sizes(&[walk.u_stride, walk.v_len, walk.v_stride, depth, panels, walk.offset])
            .groups([(panels * width / 8) as u32, depth.div_ceil(RUN) as u32, 1]),
    );
    Packed { texels, batch, panel: depth * width, along_k: false }
}
