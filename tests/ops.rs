//! Every case of every op, on a device and between guard words, against its plain-loop reference.

mod support;

use frostline::gpu::Device;
use frostline::gpu::adapter::Choice;
use frostline::gpu::device::Restrict;
use frostline::ops::cases::{self, Case, Inputs};
use frostline::ops::conv2d::Conv2d;
use frostline::ops::gemm;
use frostline::ops::trial::{self, Comparison, tolerance};
use frostline::ops::{MaxPool2d, Operand, Precision, Rung, Rungs, SoftmaxCrossEntropy};
use support::device;

/// One line for each comparison that failed.
fn failures(case: &Case, rungs: Rungs, found: &[Comparison]) -> Vec<String> {
    let limit = |c: &Comparison| tolerance(case, rungs, c.operand);
    let bad = |c: &&Comparison| c.rel_l2.is_nan() || c.rel_l2 > limit(c) || c.broken_guards > 0;
    let line = |c: &Comparison| format!("{} {rungs:?}: {c:?}", case.name());
    found.iter().filter(bad).map(line).collect()
}

fn matches_on_every_rung(precision: Precision) {
    let mut failed = Vec::new();
    for case in cases::all().into_iter().map(|case| case.at(precision)) {
        for (_, rungs) in trial::ladder(&case, device().caps()) {
            let found = trial::compare_all(device(), &case, rungs).unwrap();
            let worst = found.iter().map(|c| c.rel_l2).fold(0.0, f64::max);
            println!("{:8.1e}  {} {:?}", worst, case.name(), rungs.forward);
            assert_eq!(found.is_empty(), case.op.is_view(true), "{}", case.name());
            failed.extend(failures(&case, rungs, &found));
        }
    }
    for rung in Rung::ALL {
        if let Some(needs) = gemm::unmet(rung, device().caps()) {
            println!("left out on {}: {} needs {needs}", device().info(), rung.name());
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_op_matches_its_reference_on_every_rung() {
    matches_on_every_rung(Precision::F32);
}

#[test]
fn every_op_matches_its_reference_on_every_rung_in_half_precision() {
    if !device().caps().f16 {
        return println!("left out: {} has no f16", device().info());
    }
    matches_on_every_rung(Precision::F16);
}

#[test]
fn parameters_travel_in_uniforms_as_well() {
    let restrict = Restrict { no_immediates: true, no_subgroups: false };
    let plain = Device::open_restricted(&Choice::Name(device().info().name.clone()), &restrict).unwrap();
    for case in cases::all() {
        let rungs = Rungs::all(Rung::Naive);
        let found = trial::compare_all(&plain, &case, rungs).unwrap();
        assert!(failures(&case, rungs, &found).is_empty(), "{found:?}");
    }
}

#[test]
fn ties_of_a_max_pool_go_to_the_first_maximum() {
    for (channels, window) in [(3, [2, 2]), (20, [2, 2]), (7, [3, 3]), (4, [3, 3])] {
        let pool = MaxPool2d { window, stride: [2, 2], same: true };
        let case = Case::new(pool, &[&[3, 7, 5, channels]]);
        let mut inputs = case.inputs(2);
        // As after ReLU: most values are exactly zero.
        inputs.x[0].data.iter_mut().for_each(|v| *v = (*v - 0.5).max(0.0));
        let rungs = Rungs::all(Rung::Naive);
        let found = trial::compare(device(), &case, rungs, &inputs).unwrap();
        assert!(failures(&case, rungs, &found).is_empty(), "{found:?}");
    }
}

#[test]
fn huge_logits_give_a_finite_loss_and_gradient() {
    for (smoothing, soft) in [(0.0, false), (0.1, true)] {
        let op = SoftmaxCrossEntropy { smoothing, soft };
        let labels: &[usize] = if soft { &[3, 20] } else { &[3] };
        let case = Case::new(op, &[&[3, 20], labels, &[3]]);
        let mut inputs = case.inputs(3);
        inputs.x[0].data.iter_mut().for_each(|v| *v = (*v * 1e6).round());
        let rungs = Rungs::all(Rung::Naive);
        let found = trial::compare(device(), &case, rungs, &inputs).unwrap();
        assert!(failures(&case, rungs, &found).is_empty(), "{found:?}");
    }
}

/// A sample that is nearly solved keeps its gradient: 1 - 1e-10 is 1 in f32, and a plain difference would be 0. The loss
/// itself is as exact as f32 holds 1 - 1e-10.
#[test]
fn the_gradient_of_a_solved_sample_is_exact() {
    for soft in [false, true] {
        let labels: &[usize] = if soft { &[3, 20] } else { &[3] };
        let case = Case::new(SoftmaxCrossEntropy { smoothing: 0.0, soft }, &[&[3, 20], labels, &[3]]);
        let mut inputs = case.inputs(6);
        for (sample, label) in [4, 0, 19].into_iter().enumerate() {
            inputs.x[0].data[sample * 20 + label] = 24.0;
            match soft {
                true => (0..20).for_each(|j| inputs.x[1].data[sample * 20 + j] = f64::from(j == label)),
                false => inputs.x[1].data[sample] = label as f64,
            }
        }
        let rungs = Rungs::all(Rung::Naive);
        let found = trial::compare(device(), &case, rungs, &inputs).unwrap();
        let gradients: Vec<Comparison> = found.into_iter().filter(|c| c.operand == Operand::DX(0)).collect();
        assert!(gradients.len() == 2 && failures(&case, rungs, &gradients).is_empty(), "{gradients:?}");
    }
}

#[test]
fn sums_over_more_pixels_than_a_software_driver_loops_are_whole() {
    let conv = Conv2d { filters: 1, kernel: [1, 1], relu: false, ..Conv2d::vgg(1) };
    let case = Case::new(conv, &[&[5, 3, 4400, 1]]);
    let mut inputs = case.inputs(4);
    // Small whole numbers: every sum is exact in f32, however it is ordered.
    for array in inputs.x.iter_mut().chain([&mut inputs.d_y]) {
        array.data.iter_mut().for_each(|v| *v = (*v * 3.0).round());
    }
    for (_, rungs) in trial::ladder(&case, device().caps()) {
        let found = trial::compare(device(), &case, rungs, &inputs).unwrap();
        assert!(failures(&case, rungs, &found).is_empty(), "{rungs:?}: {found:?}");
    }
}

/// Two chunks of tiles: the second one adds to the weight gradient of the first. Nothing is negative, so that sums over
/// 9,600 pixels do not cancel, which no kernel's rounding would survive.
#[test]
fn winograd_on_tiled_products_works_in_chunks() {
    let case = Case::new(Conv2d { relu: false, ..Conv2d::vgg(4) }, &[&[1, 4, 2400, 4]]);
    let mut inputs = case.inputs(5);
    for array in inputs.x.iter_mut().chain([&mut inputs.d_y]) {
        array.data.iter_mut().for_each(|v| *v = v.abs());
    }
    for (rung, rungs) in trial::ladder(&case, device().caps()) {
        if matches!(rung, Rung::Winograd2Tiled | Rung::Winograd4Tiled) {
            let found = trial::compare(device(), &case, rungs, &inputs).unwrap();
            assert!(failures(&case, rungs, &found).is_empty(), "{found:?}");
        }
    }
}

/// The root of the mean square of what rounding to nearest moves is 0.41 of the most: 0.41 for the result alone, 0.58 with
/// the weights. Weights cut off instead of rounded would give 0.9.
#[test]
fn matrix_units_take_the_nearest_weights() {
    let conv = Conv2d { relu: false, ..Conv2d::vgg(24) };
    let case = Case::new(conv, &[&[2, 7, 5, 12]]).at(Precision::F16);
    let ladder = trial::ladder(&case, device().caps());
    let Some((_, rungs)) = ladder.into_iter().find(|(rung, _)| *rung == Rung::Coop) else {
        return println!("left out: {} has no matrix units for f16 summed in f32", device().info());
    };
    let inputs = Inputs { params: case.clone().at(Precision::F32).inputs(6).params, ..case.inputs(6) };
    for found in trial::compare(device(), &case, rungs, &inputs).unwrap() {
        let expected = match found.operand {
            Operand::DParam(_) => 0.0..tolerance(&case, rungs, found.operand),
            _ => 0.5 * trial::HALF..0.75 * trial::HALF,
        };
        assert!(expected.contains(&found.rel_l2), "{expected:?}: {found:?}");
    }
}
