//! Matrix products for software drivers (rung `subgroup`): operands are packed into texels, then multiplied tile by
//! tile. Plain functions that push steps; dense layers and Winograd's convolutions stand on them.
//!
//! Which kernel serves a product depends on its strides and never on the number of samples, so that a smaller last
//! batch runs the same kernels.

pub mod coop;
mod half;
mod operands;
mod pack;
mod parts;
mod stream;
pub mod tiled;
mod tn;

use crate::gpu::{Caps, Class, Kernel};
use crate::ops::{Access, Lowered, Part, Rung, Site, Step, Word, pieces};

pub use operands::{Epilogue, Matrix, Packed, Sizes, Target};
pub use pack::{Walk, column_panels, pack_columns, pack_lines, pack_rows};
pub use parts::Parts;
pub use stream::{Stream, stream};
pub use tn::{Fit, Tn, transposed_product};

/// Lanes of the subgroup that the kernels are written for.
const LANES: u32 = 8;
/// Rows of a panel of `a`, and columns of a panel of `b`.
pub const PANEL: usize = 32;

/// Whether the kernels of this rung run at a site at all.
pub fn runs(site: &Site) -> bool {
    unmet(Rung::Subgroup, site.caps).is_none()
}

/// What a rung needs and an adapter has not all of, in words; `None` where its kernels run.
pub fn unmet(rung: Rung, caps: &Caps) -> Option<&'static str> {
    let (has, what) = match rung {
        Rung::Naive => return None,
        Rung::Subgroup | Rung::Packed | Rung::Winograd2 | Rung::Winograd4 => (
            caps.exact_lanes() == Some(LANES) && caps.max_texture >= 4096,
            "subgroups of exactly 8 lanes and textures of 4096 texels a side",
        ),
        Rung::Tiled | Rung::Winograd2Tiled | Rung::Winograd4Tiled => {
            (tiled::fits(caps), "workgroups of 256 invocations with 16 KiB of shared memory")
        }
        Rung::Coop => (
            coop::Tile::new(caps, 1).is_some(),
            "f16 and matrix units that multiply 8x8 or 16x16 of it into f32, for subgroups of one size",
        ),
    };
    (!has).then_some(what)
}

/// Whether this rung is the form for the site's adapter: a software driver whose lanes are known.
pub fn suits(site: &Site) -> bool {
    runs(site) && site.caps.class == Class::Cpu
}

/// All rungs of a matrix-like op, the default first. `fast` are those of the subgroup's products that run here. Matrix
/// units are no default: an adapter that reports them may be a software driver's imitation, and on no GPU have they been
/// timed. Tuning may choose them.
pub fn ladder(fast: Vec<Rung>, site: &Site) -> Vec<Rung> {
    let tiles = [(tiled::fits(site.caps), Rung::Tiled), (coop::runs(site), Rung::Coop)];
    let tiles = tiles.into_iter().filter_map(|(runs, rung)| runs.then_some(rung)).collect();
    let naive = vec![Rung::Naive];
    let order = match (suits(site), tiled::suits(site)) {
        (true, _) => [fast, naive, tiles],
        (_, true) => [tiles, naive, fast],
        _ => [naive, tiles, fast],
    };
    order.concat()
}

/// Pushes y = a b with its epilogue.
pub fn product(
    out: &mut Lowered,
    part: Part,
    (a, b): (Packed, Packed),
    sizes: Sizes,
    y: &Target,
    end: Epilogue,
) {
    let kernel = stores(kernel(PANEL, sizes.columns_first, &b), y, sizes.n, &end);
    multiply(out, Step::new(kernel, part), (a, b), sizes, y, end, PANEL);
}

/// Pushes a batch of products into scratch that has room for the margins: `y.row` a multiple of 64, and rows up to a
/// multiple of `rows`, which is 16 or 32.
pub fn plain_product(
    out: &mut Lowered,
    part: Part,
    (a, b): (Packed, Packed),
    sizes: Sizes,
    y: &Target,
    rows: usize,
) {
    let kernel =
        kernel(rows, sizes.columns_first, &b).piece(pieces::Y4_ALIGNED).piece(pieces::GEMM_PUT_PLAIN);
    let end = Epilogue { bias: None, relu: false, accumulate: Word::U32(0) };
    multiply(out, Step::new(kernel, part), (a, b), sizes, y, end, rows);
}

fn kernel(rows: usize, columns_first: bool, b: &Packed) -> Kernel {
    Kernel::new("gemm", include_str!("../../shaders/gemm.wgsl"), "product")
        .with("ROWS", rows as u32)
        .with("N_FIRST", u32::from(columns_first))
        .with("B_ALONG_K", u32::from(b.along_k))
        .piece(pieces::TEXEL)
        .piece(pieces::GEMM_ROWS)
        .piece(pieces::GEMM_STRIP)
}

fn multiply(
    out: &mut Lowered,
    step: Step,
    (a, b): (Packed, Packed),
    sizes: Sizes,
    y: &Target,
    end: Epilogue,
    rows: usize,
) {
    let Sizes { m, n, k, batch, columns_first } = sizes;
    let step = step.read_texels("a", a.texels).read_texels("b", b.texels);
    let mut groups = [m.div_ceil(rows), n.div_ceil(2 * PANEL), batch].map(|d| d as u32);
    if columns_first {
        groups.swap(0, 1);
    }
    out.push(
        bind_target(step, y, &end)
            .sizes(&[m, n, k.div_ceil(4), y.row, y.offset, y.batch, b.panel, a.batch, b.batch])
            .sizes(&[usize::from(end.bias.is_some())])
            .word(end.floor())
            .word(end.accumulate)
            .groups(if m == 0 { [0; 3] } else { groups })
            .flops(sizes.flops()),
    );
}

/// Adds the pieces that store a register tile of the subgroup rung.
pub fn stores(kernel: Kernel, y: &Target, n: usize, end: &Epilogue) -> Kernel {
    ends(kernel, y, n, end).piece(pieces::GEMM_PUT)
}

/// Adds the pieces that an epilogue needs.
pub fn ends(kernel: Kernel, y: &Target, n: usize, end: &Epilogue) -> Kernel {
    let aligned = [n, y.row, y.offset, y.batch].iter().all(|v| v.is_multiple_of(4));
    kernel.piece(if aligned { pieces::Y4_ALIGNED } else { pieces::Y4_RAGGED }).piece(if end.bias.is_some() {
        pieces::BIAS4
    } else {
        pieces::BIAS4_NONE
    })
}

/// Binds the bias and y.
pub fn bind_target(mut step: Step, y: &Target, end: &Epilogue) -> Step {
    if let Some(bias) = end.bias {
        step = step.read("bias", bias);
    }
    step = match y.access {
        Access::Gradient => step.gradient("y", y.operand),
        Access::Update => step.update("y", y.operand),
        Access::Write | Access::Read => step.write("y", y.operand),
    };
    match &y.window {
        Some(window) => step.window(window.clone()),
        None => step,
    }
}
