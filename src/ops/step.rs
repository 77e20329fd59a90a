//! Steps: what an op lowers to. Plain values that say which kernel reads and writes what; no device in sight.

use std::ops::Range;

use crate::gpu::pipeline::Slot;
use crate::gpu::{Dtype, Form, Kernel, Piece};
use crate::ops::operand::Operand;
use crate::ops::word::{Now, Word};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    Read,
    /// Every element is overwritten.
    Write,
    /// Read and written in place.
    Update,
    /// A destination that the planner fills by Write or by Add; see [`Word::Accumulate`].
    Gradient,
}

/// One storage binding of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// The name of the variable in the WGSL file.
    pub name: &'static str,
    pub operand: Operand,
    pub access: Access,
    /// Bytes of the tensor that are bound; all of it where `None`.
    pub window: Option<Range<u64>>,
    pub form: Form,
}

/// Which part of a layer's work a step belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Forward,
    DX,
    /// Gradients of parameters: kernel and bias.
    DW,
    Update,
}

impl Part {
    pub fn name(self) -> &'static str {
        match self {
            Part::Forward => "forward",
            Part::DX => "d_x",
            Part::DW => "d_w",
            Part::Update => "update",
        }
    }
}

/// One dispatch: a kernel, what it reads and writes, its parameter block and its grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub kernel: Kernel,
    pub part: Part,
    pub bindings: Vec<Binding>,
    pub words: Vec<Word>,
    pub groups: [u32; 3],
    pub flops: u64,
}

impl Step {
    pub fn new(kernel: Kernel, part: Part) -> Step {
        Step { kernel, part, bindings: Vec::new(), words: Vec::new(), groups: [1; 3], flops: 0 }
    }

    fn bind(mut self, name: &'static str, operand: Operand, access: Access) -> Step {
        self.bindings.push(Binding { name, operand, access, window: None, form: Form::Words });
        self
    }

    pub fn read(self, name: &'static str, operand: Operand) -> Step {
        self.bind(name, operand, Access::Read)
    }

    pub fn write(self, name: &'static str, operand: Operand) -> Step {
        self.bind(name, operand, Access::Write)
    }

    pub fn update(self, name: &'static str, operand: Operand) -> Step {
        self.bind(name, operand, Access::Update)
    }

    pub fn gradient(self, name: &'static str, operand: Operand) -> Step {
        self.bind(name, operand, Access::Gradient)
    }

    /// Reads a scratch tensor of texels.
    pub fn read_texels(self, name: &'static str, operand: Operand) -> Step {
        self.read(name, operand).in_texels()
    }

    /// Writes a scratch tensor of texels.
    pub fn write_texels(self, name: &'static str, operand: Operand) -> Step {
        self.write(name, operand).in_texels()
    }

    fn in_texels(mut self) -> Step {
        self.bindings.last_mut().expect("just bound").form = Form::Texels;
        self
    }

    /// The same step over other operands.
    pub fn renamed(mut self, rename: impl Fn(Operand) -> Operand) -> Step {
        for binding in &mut self.bindings {
            binding.operand = rename(binding.operand);
        }
        for word in &mut self.words {
            if let Word::Accumulate(operand) = word {
                *operand = rename(*operand);
            }
        }
        self
    }

    /// Narrows the latest binding to a range of bytes of its tensor.
    pub fn window(mut self, bytes: Range<u64>) -> Step {
        let last = self.bindings.last_mut().expect("a window follows its binding");
        last.window = Some(bytes);
        self
    }

    /// Appends words of sizes and counts to the parameter block.
    pub fn sizes(mut self, values: &[usize]) -> Step {
        self.words.extend(values.iter().map(|&v| Word::U32(v as u32)));
        self
    }

    pub fn word(mut self, word: Word) -> Step {
        self.words.push(word);
        self
    }

    pub fn words(mut self, words: impl IntoIterator<Item = Word>) -> Step {
        self.words.extend(words);
        self
    }

    /// The same step with another piece in the place of `piece`.
    pub fn exchanged(mut self, piece: Piece, other: Piece) -> Step {
        self.kernel.pieces.iter_mut().filter(|known| **known == piece).for_each(|known| *known = other);
        self
    }

    pub fn groups(mut self, groups: [u32; 3]) -> Step {
        self.groups = groups;
        self
    }

    pub fn flops(mut self, flops: u64) -> Step {
        self.flops = flops;
        self
    }

    /// The same step over tensors of these types, one for each binding.
    pub fn over(mut self, dtypes: impl Iterator<Item = Dtype>) -> Step {
        let halves = self.bindings.iter().zip(dtypes).filter(|(_, dtype)| *dtype == Dtype::F16);
        self.kernel.halves = halves.map(|(binding, _)| binding.name).collect();
        self
    }

    /// The layout that the compiled kernel needs.
    pub fn slots(&self) -> Vec<Slot> {
        let slot = |b: &Binding| Slot { name: b.name, writes: b.access != Access::Read, form: b.form };
        self.bindings.iter().map(slot).collect()
    }

    /// The parameter block as words; `accumulate` answers for each gradient destination.
    pub fn block(&self, now: &Now, accumulate: impl Fn(Operand) -> bool) -> Vec<u32> {
        self.words.iter().map(|word| word.bits(now, &accumulate)).collect()
    }
}

/// Software drivers end the loops of a kernel silently after 65,535 iterations, nested ones together: no loop whose
/// length comes from a shape is longer than this, which leaves room for the loops around it.
pub const LONGEST_LOOP: usize = 60 << 10;

/// Invocations of one group of the kernels that compute one element per invocation; `SIZE` in their WGSL.
pub const FLAT_SIZE: u64 = 64;

/// A grid of at least `count` groups that stays under `max` per dimension; kernels skip what is beyond.
pub fn grid(count: u64, max: u32) -> [u32; 3] {
    let max = u64::from(max);
    let rows = count.div_ceil(max).max(1);
    [count.div_ceil(rows).max(1) as u32, rows as u32, 1]
}

/// The grid of a kernel that computes one element per invocation.
pub fn flat_grid(elements: u64, max: u32) -> [u32; 3] {
    grid(elements.div_ceil(FLAT_SIZE), max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_cover_the_count_and_respect_the_limit() {
        for count in [0, 1, 7, 65_535, 65_536, 1_000_000, 40_000_000] {
            let [x, y, z] = grid(count, 65_535);
            assert!(u64::from(x) * u64::from(y) >= count && x <= 65_535 && y <= 65_535 && z == 1);
            assert!(u64::from(x) * u64::from(y) <= count + u64::from(y), "{count}: {x} x {y}");
        }
    }
}
