//! Affine maps of the plane, from a place in the result to the place in the image that is seen there.

/// (x, y) becomes (m00 x + m01 y + m02, m10 x + m11 y + m12), in pixels from the centre of the image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine([[f64; 3]; 2]);

impl Affine {
    pub const IDENTITY: Affine = Affine([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);

    /// Keras' one matrix, Rotation * Shift * Shear * Zoom. Angles in degrees, shifts in pixels along x and y.
    /// Source: keras `apply_affine_transform`.
    pub fn keras(theta: f64, [tx, ty]: [f64; 2], shear: f64, [zx, zy]: [f64; 2]) -> Affine {
        let (sin, cos) = theta.to_radians().sin_cos();
        let (slant, squeeze) = shear.to_radians().sin_cos();
        let rotation = Affine([[cos, -sin, 0.0], [sin, cos, 0.0]]);
        let shift = Affine([[1.0, 0.0, tx], [0.0, 1.0, ty]]);
        let shear = Affine([[1.0, -slant, 0.0], [0.0, squeeze, 0.0]]);
        rotation.after(shift).after(shear).after(Affine::scale(zx, zy))
    }

    pub fn scale(x: f64, y: f64) -> Affine {
        Affine([[x, 0.0, 0.0], [0.0, y, 0.0]])
    }

    /// The window of `scale` times the image whose centre lies `offset` from the image's.
    pub fn window([x, y]: [f64; 2], offset: [f64; 2]) -> Affine {
        Affine([[x, 0.0, offset[0]], [0.0, y, offset[1]]])
    }

    /// This map of what `first` gives: the matrix product.
    pub fn after(self, first: Affine) -> Affine {
        let (a, b) = (self.0, first.0);
        let row = |r: usize| {
            let linear = |c: usize| a[r][0] * b[0][c] + a[r][1] * b[1][c];
            [linear(0), linear(1), linear(2) + a[r][2]]
        };
        Affine([row(0), row(1)])
    }

    /// The six numbers that [`crate::ops::AffineWarp`] takes for an image of (h, w).
    pub fn numbers(self, [h, w]: [usize; 2]) -> [f32; 6] {
        let [[xx, xy, x0], [yx, yy, y0]] = self.0;
        let centre = |size: usize| (size as f64 - 1.0) / 2.0;
        [yy, yx, y0 + centre(h), xy, xx, x0 + centre(w)].map(|v| v as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_exact_and_flips_mirror() {
        assert_eq!(Affine::IDENTITY.numbers([4, 7]), [1.0, 0.0, 1.5, 0.0, 1.0, 3.0]);
        assert_eq!(Affine::keras(0.0, [0.0; 2], 0.0, [1.0; 2]), Affine::IDENTITY);
        assert_eq!(Affine::scale(-1.0, 1.0).numbers([1, 3]), [1.0, 0.0, 0.0, 0.0, -1.0, 1.0]);
    }

    #[test]
    fn the_last_factor_acts_first() {
        let both = Affine::keras(90.0, [3.0, 0.0], 0.0, [2.0, 1.0]);
        let [row_y, row_x, row, column_y, column_x, column] = both.numbers([1, 1]);
        // Zoom stretches x by 2, the shift adds 3, the rotation turns x into y.
        let expected = [0.0, 2.0, 3.0, -1.0, 0.0, 0.0];
        for (found, expected) in [row_y, row_x, row, column_y, column_x, column].into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        }
    }
}
