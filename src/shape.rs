//! Shape: one to four dimensions, NHWC, printed as `8x56x56x256`.

use std::fmt;

/// The extent of a tensor. Images and feature maps are (n, h, w, c), matrices (rows, columns), vectors (n).
/// For activations the first dimension is always the batch.
///
/// ```
/// use frostline::shape::Shape;
/// let x = Shape::new(&[8, 56, 56, 256]);
/// assert_eq!(x.to_string(), "8x56x56x256");
/// assert_eq!(x.numel(), 6_422_528);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    dims: [usize; 4],
    rank: u8,
}

impl Shape {
    /// # Panics
    /// On more than four dimensions or none: a bug in the caller, never something a file can cause.
    pub fn new(dims: &[usize]) -> Shape {
        assert!((1..=4).contains(&dims.len()), "rank {} shape", dims.len());
        let mut all = [1; 4];
        all[..dims.len()].copy_from_slice(dims);
        Shape { dims: all, rank: dims.len() as u8 }
    }

    pub fn dims(&self) -> &[usize] {
        &self.dims[..self.rank as usize]
    }

    pub fn rank(&self) -> usize {
        self.rank as usize
    }

    /// The last dimension: channels of a map, columns of a matrix.
    pub fn last(&self) -> usize {
        self.dims[self.rank as usize - 1]
    }

    /// Number of elements; `u64` so that no product of file-supplied sizes wraps.
    pub fn numel(&self) -> u64 {
        self.dims().iter().fold(1u64, |product, &d| product.saturating_mul(d as u64))
    }

    /// The same shape with another first dimension.
    pub fn with_batch(&self, n: usize) -> Shape {
        let mut other = *self;
        other.dims[0] = n;
        other
    }

    /// (n, everything else), the matrix that a dense layer sees.
    pub fn flattened(&self) -> Shape {
        Shape::new(&[self.dims[0], self.dims()[1..].iter().product()])
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: Vec<String> = self.dims().iter().map(usize::to_string).collect();
        f.pad(&text.join("x"))
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_flattens() {
        let x = Shape::new(&[2, 3, 5, 7]);
        assert_eq!(x.to_string(), "2x3x5x7");
        assert_eq!(x.flattened(), Shape::new(&[2, 105]));
        assert_eq!(x.with_batch(9).dims(), &[9, 3, 5, 7]);
    }

    #[test]
    fn sizes_saturate_instead_of_wrapping() {
        assert_eq!(Shape::new(&[usize::MAX, usize::MAX]).numel(), u64::MAX);
    }
}
