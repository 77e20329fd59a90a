//! Maps as rows of a matrix.

use crate::ops::{Array, Case, Given, Gradients, Lowered, Op, Site};
use crate::shape::Shape;

/// x (n, ...) seen as (n, everything else); of a map, element (h, w, c) is column `(h W + w) C + c`.
///
/// Nothing moves: both are the same memory, and so are the gradients.
///
/// Source: Keras `Flatten`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flatten;

impl Op for Flatten {
    fn kind(&self) -> &'static str {
        "flatten"
    }

    fn output(&self, x: &[Shape]) -> Result<Shape, String> {
        let columns = x[0].dims()[1..].iter().try_fold(1usize, |product, &d| product.checked_mul(d));
        match columns {
            Some(columns) => Ok(Shape::new(&[x[0].dims()[0], columns])),
            None => Err(format!("x {} has more elements than a machine word counts", x[0])),
        }
    }

    fn is_view(&self, _training: bool) -> bool {
        true
    }

    fn forward(&self, _site: &Site) -> Lowered {
        Lowered::default()
    }

    fn reference(&self, given: Given) -> Array {
        Array::new(given.x[0].shape.flattened(), given.x[0].data.clone())
    }

    fn reference_backward(&self, given: Given, _y: &Array, d_y: &Array) -> Gradients {
        let d_x = Array::new(given.x[0].shape, d_y.data.clone());
        Gradients { d_x: vec![Some(d_x)], d_params: Vec::new() }
    }
}

pub fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 3] = [&[3, 5, 7, 3], &[1, 1, 1, 20], &[3, 7]];
    shapes.map(|x| Case::new(Flatten, &[x])).into()
}
