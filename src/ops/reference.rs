//! What the plain-loop CPU references work with: arrays of f64. They are the specification of every op.

use crate::ops::Now;
use crate::shape::Shape;

/// A dense row-major array.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub shape: Shape,
    pub data: Vec<f64>,
}

impl Array {
    pub fn zeros(shape: Shape) -> Array {
        Array { shape, data: vec![0.0; shape.numel() as usize] }
    }

    /// # Panics
    /// `data` has another length than `shape`.
    pub fn new(shape: Shape, data: Vec<f64>) -> Array {
        assert_eq!(shape.numel() as usize, data.len(), "{shape}");
        Array { shape, data }
    }

    /// (n, h, w, c) of a map.
    pub fn nhwc(&self) -> [usize; 4] {
        self.shape.dims().try_into().expect("a map has four dimensions")
    }
}

/// Everything that a reference may look at.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    pub x: &'a [Array],
    pub params: &'a [Array],
    pub now: &'a Now,
    /// [`crate::ops::Site::trains`].
    pub trains: bool,
    /// [`crate::ops::Site::layer`], for random numbers.
    pub layer: u32,
}

/// All gradients of one op; inputs that have none (labels, images) give `None`.
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    pub d_x: Vec<Option<Array>>,
    pub d_params: Vec<Array>,
}
