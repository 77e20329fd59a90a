//! The types of stored elements.

/// How the elements of a tensor are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    F32,
    /// Half precision: 11 significant bits, 65,504 at most. Kernels read and write it and compute in f32.
    F16,
    /// Class ids.
    U32,
    /// Pixels and pool positions, four to a word.
    U8,
}

impl Dtype {
    /// Bytes of `elements` elements, in whole words.
    pub fn bytes(self, elements: u64) -> u64 {
        match self {
            Dtype::F32 | Dtype::U32 => elements.saturating_mul(4),
            Dtype::F16 => elements.saturating_mul(2).next_multiple_of(4),
            Dtype::U8 => elements.next_multiple_of(4),
        }
    }
}
