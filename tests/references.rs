//! The plain-loop references are the specification: central differences prove each one's backward pass. No device.

use frostline::ops::{Array, Case, Given, Gradients, Lowered, Op, Site, Wants, cases, differences};
use frostline::shape::Shape;
use rayon::prelude::*;

#[test]
fn every_reference_backward_agrees_with_central_differences() {
    cases::all().par_iter().for_each(|case| {
        let worst = differences::worst(case).unwrap();
        assert!(worst <= differences::TOLERANCE, "{}: off by {worst:e}", case.name());
    });
}

/// y = x^2 with a derivative that forgets the factor of two.
#[derive(Debug)]
struct WrongSquare;

impl Op for WrongSquare {
    fn kind(&self) -> &'static str {
        "wrong_square"
    }

    fn output(&self, x: &[Shape]) -> Result<Shape, String> {
        Ok(x[0])
    }

    fn forward(&self, _site: &Site) -> Lowered {
        Lowered::default()
    }

    fn backward(&self, _site: &Site, _wants: &Wants) -> Lowered {
        Lowered::default()
    }

    fn reference(&self, given: Given) -> Array {
        Array::new(given.x[0].shape, given.x[0].data.iter().map(|x| x * x).collect())
    }

    fn reference_backward(&self, given: Given, _y: &Array, d_y: &Array) -> Gradients {
        let d_x = given.x[0].data.iter().zip(&d_y.data).map(|(x, d_y)| x * d_y);
        Gradients { d_x: vec![Some(Array::new(given.x[0].shape, d_x.collect()))], d_params: Vec::new() }
    }
}

#[test]
fn a_wrong_derivative_shows() {
    let worst = differences::worst(&Case::new(WrongSquare, &[&[3, 5]])).unwrap();
    assert!(worst > 1e-2, "{worst:e}");
}
