//! What matrix units multiply, as plain data.

use std::fmt;

use serde::Serialize;

/// One multiplication of a matrix unit, by all lanes of a subgroup together: (m,k) times (k,n), added to (m,n).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MatrixSize {
    pub m: u32,
    pub n: u32,
    pub k: u32,
    pub factors: Scalar,
    pub sum: Scalar,
}

/// The type of a matrix unit's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scalar {
    F16,
    F32,
    I32,
    U32,
}

impl MatrixSize {
    /// Square matrices of f16, summed in f32.
    pub fn half(side: u32) -> MatrixSize {
        MatrixSize { m: side, n: side, k: side, factors: Scalar::F16, sum: Scalar::F32 }
    }

    /// All sizes of an adapter; none where it has no matrix units.
    pub(super) fn all(adapter: &wgpu::Adapter) -> Vec<MatrixSize> {
        let mut sizes = Vec::new();
        if !adapter.features().contains(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX) {
            return sizes;
        }
        for p in adapter.cooperative_matrix_properties() {
            let (m, n, k) = (p.m_size, p.n_size, p.k_size);
            let size = MatrixSize { m, n, k, factors: scalar(p.ab_type), sum: scalar(p.cr_type) };
            // Drivers list a size once more for saturating sums.
            if !sizes.contains(&size) {
                sizes.push(size);
            }
        }
        sizes
    }
}

fn scalar(of: wgpu::CooperativeScalarType) -> Scalar {
    match of {
        wgpu::CooperativeScalarType::F16 => Scalar::F16,
        wgpu::CooperativeScalarType::F32 => Scalar::F32,
        wgpu::CooperativeScalarType::I32 => Scalar::I32,
        wgpu::CooperativeScalarType::U32 => Scalar::U32,
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scalar::F16 => "f16",
            Scalar::F32 => "f32",
            Scalar::I32 => "i32",
            Scalar::U32 => "u32",
        })
    }
}

/// `16x16x16 f16 -> f32`, as m x n x k.
impl fmt::Display for MatrixSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{} {} -> {}", self.m, self.n, self.k, self.factors, self.sum)
    }
}
