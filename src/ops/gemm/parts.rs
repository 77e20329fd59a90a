//! Copies of y that a product cut along k leaves, and their sum.

use crate::gpu::Kernel;
use crate::ops::gemm::{Epilogue, Target};
use crate::ops::step::flat_grid;
use crate::ops::{Access, Lowered, Operand, Part, Site, Step, Word, pieces};

/// Parts of a product that was cut along k, each (rows,n), to be added up.
pub struct Parts {
    pub operand: Operand,
    pub count: usize,
    pub rows: usize,
    pub n: usize,
    /// Channels in a tap, and in the part, where they are rounded up; both 1 for plain rows.
    pub channels: [usize; 2],
}

impl Parts {
    /// Pushes y = the sum of the parts, in a fixed order, with its epilogue.
    pub fn sum(&self, out: &mut Lowered, part: Part, y: &Target, end: Epilogue, site: &Site) {
        let kernel = Kernel::new("gemm_sum", include_str!("../../../shaders/gemm_sum.wgsl"), "sum");
        let [channels, padded] = self.channels;
        let count = self.rows / padded * channels * self.n;
        let step = Step::new(kernel.piece(pieces::INDEX), part)
            .read("parts", self.operand)
            .read("bias", end.bias.unwrap_or(self.operand)); // without a bias any readable tensor stands in
        let step = match y.access {
            Access::Gradient => step.gradient("y", y.operand),
            _ => step.write("y", y.operand),
        };
        out.push(
            step.sizes(&[count, self.n, self.count, self.rows * self.n, channels, padded, y.row, y.offset])
                .sizes(&[usize::from(end.bias.is_some())])
                .word(end.floor())
                .word(end.accumulate)
                .groups(flat_grid(count as u64, site.caps.max_groups)),
        );
    }

    /// The epilogue and the target of one product that leaves parts here.
    pub fn target(&self, first: usize) -> (Target, Epilogue) {
        let size = self.rows * self.n;
        let target =
            Target { offset: first * size, batch: size, ..Target::new(self.operand, Access::Update, self.n) };
        (target, Epilogue { bias: None, relu: false, accumulate: Word::U32(0) })
    }
}
