//! What the augmenting ops share: RGB images, and a row of numbers for each of them.

use crate::shape::Shape;

/// Checks that `x[0]` is RGB and `x[1]` has a row of `numbers` for each of its images: the rule of augmenting ops.
pub(super) fn with_rows(x: &[Shape], numbers: usize) -> Result<Shape, String> {
    if x[0].rank() != 4 || x[0].last() != 3 {
        return Err(format!("x is {}, expected RGB images (n, h, w, 3)", x[0]));
    }
    let expected = Shape::new(&[x[0].dims()[0], numbers]);
    match x[1] == expected {
        true => Ok(x[0]),
        false => Err(format!("{} numbers for images {}, expected {expected}", x[1], x[0])),
    }
}

/// Whether the centre of pixel `i` of an (h, w) image lies in `[top, left, bottom, right]`.
pub(super) fn inside(i: usize, [h, w]: [usize; 2], rectangle: &[f64]) -> bool {
    let (row, column) = (((i / w) as f64 + 0.5) / h as f64, ((i % w) as f64 + 0.5) / w as f64);
    (rectangle[0]..rectangle[2]).contains(&row) && (rectangle[1]..rectangle[3]).contains(&column)
}
