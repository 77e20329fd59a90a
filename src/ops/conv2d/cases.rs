//! The cases of conv2d, alone and with its neighbours in it.

use crate::ops::conv2d::pixels::OfPixels;
use crate::ops::conv2d::pooled::Pooled;
use crate::ops::conv2d::{Conv2d, Padding};
use crate::ops::{Case, Dtype, MaxPool2d, Preprocess};

/// Awkward sizes on purpose: 1x1 maps, odd sizes, channels that no vector divides, strides that leave a rest.
pub fn cases() -> Vec<Case> {
    let vgg = |filters, x: &[usize]| Case::new(Conv2d::vgg(filters), &[x]);
    let any = |filters, kernel, stride, padding, x: &[usize]| {
        Case::new(Conv2d { filters, kernel, stride, padding, bias: true, relu: false }, &[x])
    };
    let pooled = |conv: Conv2d, x: &[usize]| {
        let pooled = Pooled::new(&conv, &MaxPool2d::vgg()).expect("channels in fours");
        Case::new(pooled, &[x])
    };
    let caffe = Preprocess {
        order: [2, 1, 0],
        scale: [1.0; 3],
        offset: [-103.939, -116.779, -123.68],
        pixels: Dtype::U8,
    };
    let pixels = |conv: Conv2d, dtype, x: &[usize]| {
        Case::new(OfPixels::new(&conv, Preprocess { pixels: dtype, ..caffe }), &[x])
    };
    vec![
        vgg(4, &[1, 1, 1, 3]),
        vgg(7, &[1, 5, 3, 3]),
        vgg(20, &[3, 7, 9, 5]),
        vgg(64, &[1, 9, 8, 3]),
        vgg(32, &[2, 14, 14, 16]),
        vgg(68, &[1, 13, 17, 36]),
        // Several chunks of Winograd tiles, the last one ragged. Without ReLU: among so many outputs one is so close to
        // zero that rounding decides whether its gradient passes.
        Case::new(Conv2d { relu: false, ..Conv2d::vgg(132) }, &[&[3, 29, 22, 20]]),
        vgg(36, &[2, 1, 9, 132]),
        Case::new(Conv2d { padding: Padding::Valid, ..Conv2d::vgg(20) }, &[&[2, 11, 6, 8]]),
        pooled(Conv2d::vgg(12), &[1, 2, 2, 3]),
        pooled(Conv2d::vgg(36), &[2, 11, 13, 8]),
        pooled(Conv2d { relu: false, ..Conv2d::vgg(64) }, &[3, 14, 6, 20]),
        pooled(Conv2d { bias: false, padding: Padding::Valid, ..Conv2d::vgg(8) }, &[1, 9, 22, 4]),
        pixels(Conv2d::vgg(7), Dtype::U8, &[1, 5, 3, 3]),
        pixels(Conv2d { relu: false, ..Conv2d::vgg(64) }, Dtype::U8, &[2, 9, 8, 3]),
        pixels(Conv2d { stride: [2, 1], ..Conv2d::vgg(20) }, Dtype::F32, &[3, 7, 9, 3]),
        any(5, [1, 1], [1, 1], Padding::Same, &[2, 3, 3, 7]),
        any(8, [5, 5], [2, 2], Padding::Same, &[1, 11, 10, 4]),
        any(6, [3, 2], [2, 3], Padding::Valid, &[2, 9, 11, 3]),
        any(12, [7, 7], [4, 4], Padding::Valid, &[1, 23, 19, 3]),
        Case::new(Conv2d { bias: false, ..Conv2d::vgg(8) }, &[&[2, 6, 6, 8]]),
    ]
}
