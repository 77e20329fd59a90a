//! Augmentation on the device: Keras' numbers, the reference's numbers on realistic draws, and what a training run sees.

mod support;

use std::sync::Arc;

use frostline::data::affine::Affine;
use frostline::data::augmentation::Augmentation;
use frostline::data::batches::{Loader, Options};
use frostline::data::split::Split;
use frostline::graph::Store;
use frostline::nn::{Architecture, Freeze, Head, Network, Pool, Preprocessing, init, vgg};
use frostline::ops::trial;
use frostline::ops::{AffineWarp, Array, Case, FillMode, Given, Now, Op, Rung, Rungs};
use frostline::optim::Sgd;
use frostline::shape::Shape;
use frostline::train::augment::{self, preview};
use frostline::train::evaluate::evaluate;
use frostline::train::passes::Passes;
use frostline::train::{ImageSamples, Samples};
use support::device;

#[derive(serde::Deserialize)]
struct Fixture {
    side: usize,
    cval: f32,
    picture: Vec<f64>,
    cases: Vec<KerasCase>,
}

#[derive(serde::Deserialize)]
struct KerasCase {
    theta: f64,
    tx: f64,
    ty: f64,
    shear: f64,
    zx: f64,
    zy: f64,
    fill_mode: FillMode,
    flips: [bool; 2],
    y: Vec<f64>,
}

#[test]
fn the_warp_is_keras_s() {
    let text = include_str!("fixtures/augment/keras_affine.json");
    let fixture: Fixture = serde_json::from_str(text).unwrap();
    let size = [fixture.side; 2];
    let picture = Array::new(Shape::new(&[1, fixture.side, fixture.side, 3]), fixture.picture);
    assert_eq!(fixture.cases.len(), 24);
    for (i, case) in fixture.cases.iter().enumerate() {
        let flip = case.flips.map(|flips| if flips { -1.0 } else { 1.0 });
        let affine = Affine::keras(case.theta, [case.tx, case.ty], case.shear, [case.zx, case.zy]);
        let numbers = affine.after(Affine::scale(flip[0], flip[1])).numbers(size);
        let warp = Array::new(Shape::new(&[1, 6]), numbers.iter().map(|&v| f64::from(v)).collect());
        let op = AffineWarp { fill: case.fill_mode, cval: fixture.cval };
        let now = Now::default();
        let y = op.reference(Given {
            x: &[picture.clone(), warp],
            params: &[],
            now: &now,
            trains: true,
            layer: 0,
        });
        let worst = y.data.iter().zip(&case.y).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        // Keras computes in f64 from f64 angles and rounds the result to f32; the fixture has three decimals.
        assert!(worst < 2e-3, "case {i}, {:?}: {worst} of 255 away from Keras", case.fill_mode);
    }
}

/// At the size of a photograph and with the recipe's draws, the device agrees with the reference.
#[test]
fn realistic_draws_match_the_reference() {
    for fill in FillMode::ALL {
        let case = Case::new(AffineWarp { fill, cval: 12.0 }, &[&[2, 96, 80, 3], &[2, 6]]);
        let mut inputs = case.inputs(1);
        let recipe = Augmentation { shear_range: 10.0, ..Augmentation::recipe() };
        let rows = (0..2).flat_map(|i| recipe.draw(5, 0, i, [96, 80]).warp);
        inputs.x[1].data = rows.map(f64::from).collect();
        let found = trial::compare(device(), &case, Rungs::all(Rung::Naive), &inputs).unwrap();
        // A place of 64 to 128 pixels has steps of 8e-6 in f32, and noise changes by a third of its size per pixel.
        assert!(found.iter().all(|c| c.rel_l2 < 1e-5 && c.broken_guards == 0), "{fill:?}: {found:?}");
    }
}

const SIDE: usize = 32;

fn architecture() -> Architecture {
    let head = Head { pool: Pool::Avg, classes: 3, ..Head::default() }.layers().unwrap();
    let base = vgg::base("vgg11", &[4, 6, 8, 8, 8]).unwrap();
    Architecture::stack("vgg11", base, SIDE, Preprocessing::Caffe, head)
}

/// Smooth pictures, each of its own tint.
fn pixels(n: usize) -> Vec<u8> {
    let value = |i: usize| {
        let (image, rest) = (i / (SIDE * SIDE * 3), i % (SIDE * SIDE * 3));
        let (row, column, channel) = (rest / (SIDE * 3), rest / 3 % SIDE, rest % 3);
        (40 * image + 3 * row + 2 * column + 50 * channel) as u8
    };
    (0..n * SIDE * SIDE * 3).map(value).collect()
}

fn everything() -> Augmentation {
    Augmentation {
        hue_range: 30.0,
        contrast_range: [0.5, 1.5],
        erase_probability: 0.5,
        mixup_alpha: 0.4,
        cutmix_alpha: 1.0,
        ..Augmentation::recipe()
    }
}

/// The pictures as files, so that they come the way that all images come.
fn images(n: usize, folder: &std::path::Path) -> ImageSamples {
    let file = |i: usize| folder.join(format!("{i}.png"));
    for (i, picture) in pixels(n).chunks_exact(SIDE * SIDE * 3).enumerate() {
        image::save_buffer(file(i), picture, SIDE as u32, SIDE as u32, image::ColorType::Rgb8).unwrap();
    }
    let split = Split::from_samples((0..n).map(|i| (file(i), i as u32 % 3)));
    ImageSamples(Arc::new(Loader::new(split, Options::square(SIDE as u32, 6)).unwrap()))
}

/// Losses of two training steps, `memory` deciding the micro-batches.
fn losses(augmentation: &Augmentation, memory: u64) -> (Vec<f32>, usize) {
    let network = augment::network(architecture(), &Freeze::None, 0.0, augmentation).unwrap();
    let mut store = Store::new(device().clone());
    init::parameters(&network.graph, &mut store, 1, |_| true).unwrap();
    let rule = Some(Arc::new(Sgd::default()) as _);
    let mut passes = Passes::new(&network.graph, &mut store, 6, rule, memory).unwrap();
    passes.augment(augmentation);
    let folder = tempfile::tempdir().unwrap();
    let samples = images(6, folder.path());
    for iteration in 0..2 {
        let batch = samples.in_order().unwrap().next().unwrap().unwrap();
        passes.step(&batch, 4, iteration, 0.01).unwrap();
    }
    let results = passes.results(true).unwrap();
    (results.into_iter().flat_map(|r| r.losses).collect(), passes.plan().settings.batch)
}

#[test]
fn micro_batches_see_the_augmentation_of_the_whole_batch() {
    let (whole, six) = losses(&everything(), u64::MAX);
    let (parts, fewer) = losses(&everything(), 2_000_000);
    assert!(six == 6 && fewer < 6, "{six} {fewer}");
    for (a, b) in whole.iter().zip(&parts) {
        assert!((a - b).abs() < 1e-4 * a.abs(), "{whole:?} is not {parts:?}");
    }
    let (plain, _) = losses(&Augmentation::default(), u64::MAX);
    assert!(plain.iter().zip(&whole).any(|(a, b)| (a - b).abs() > 1e-3), "nothing was augmented");
}

/// The augmenting graph without draws is the plain graph, bit by bit: validation sees images as they are.
#[test]
fn evaluation_sees_images_as_they_are() {
    let plain = Network::new(architecture(), &Freeze::None, 0.0).unwrap();
    let augmenting = augment::network(architecture(), &Freeze::None, 0.0, &everything()).unwrap();
    let mut store = Store::new(device().clone());
    init::parameters(&plain.graph, &mut store, 1, |_| true).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let samples = images(5, folder.path());
    let probabilities = |graph, store: &mut Store| evaluate(graph, store, &samples, 4, u64::MAX).unwrap();
    let (a, b) = (probabilities(&plain.graph, &mut store), probabilities(&augmenting.graph, &mut store));
    assert_eq!(a.probabilities, b.probabilities);
    assert!((a.metrics.loss() - b.metrics.loss()).abs() < 1e-6);
}

#[test]
fn each_image_and_each_step_draws_anew_and_the_seed_repeats_it() {
    let mut store = Store::new(device().clone());
    let same: Vec<u8> = pixels(1).repeat(3);
    let mut seen = |seed, iteration| {
        preview(&mut store, &same, [SIDE; 2], &Augmentation::recipe(), (seed, iteration)).unwrap()
    };
    let first = seen(1, 0);
    let images: Vec<&[u8]> = first.chunks_exact(SIDE * SIDE * 3).collect();
    assert!(images[0] != images[1] && images[1] != images[2]);
    assert_eq!(first, seen(1, 0));
    assert!(first != seen(1, 1) && first != seen(2, 0));
    let none = preview(&mut store, &same, [SIDE; 2], &Augmentation::default(), (1, 0)).unwrap();
    assert_eq!(none, same);
}
