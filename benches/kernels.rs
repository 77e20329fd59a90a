//! Each kernel of VGG19's work, timed alone on the adapter that Frostline takes (or `FROSTLINE_ADAPTER`).
//!
//! A kernel is timed only after it has just matched its plain-loop reference, on a case with the same channels and
//! weights but a small map. Throughput is in floating-point operations where there are any, else in bytes.
//!
//!     cargo bench --bench kernels                          # everything, on each op's default rung
//!     cargo bench --bench kernels -- 'conv2d/forward'      # a part of one op
//!     FROSTLINE_RUNG=naive cargo bench --bench kernels     # another rung, where an op has it
//!     FROSTLINE_PRECISION=f16 cargo bench --bench kernels  # activations and gradients stored as f16

mod support;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use frostline::gpu::Device;
use frostline::ops::cases::{self, Bench};
use frostline::ops::{Case, Lowered, Part, Rung, Rungs, trial};
use frostline::study::bound::{Bound, lower};

fn kernels(criterion: &mut Criterion) {
    let device = support::device();
    let precision = support::precision(&device);
    for bench in cases::bench() {
        let bench = Bench { case: bench.case.at(precision), ..bench };
        let rungs = rungs(&device, &bench.case);
        for part in [Part::Forward, Part::DX, Part::DW] {
            time(criterion, &device, &bench, rungs, part);
        }
    }
}

fn time(criterion: &mut Criterion, device: &Device, bench: &Bench, rungs: Rungs, part: Part) {
    let case = &bench.case;
    let Some(lowered) = lower(device, case, rungs, part) else { return };
    let mut group = criterion.benchmark_group(format!("{}/{}", case.op.kind(), part.name()));
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    group.throughput(throughput(case, &lowered));
    let shapes = case.name();
    let shapes = shapes.split_once(' ').map_or("", |(_, shapes)| shapes);
    let id = BenchmarkId::new(name_of(rungs, part), shapes);
    // Criterion calls this only for what its filter picks, and more than once: match and bind at the first call.
    let mut ready = None;
    group.bench_function(id, |bencher| {
        let (_tensors, launches) = ready.get_or_insert_with(|| {
            matches_its_reference(device, &case.small(), rungs);
            let mut tensors = Bound::of(device, case).unwrap_or_else(|error| panic!("{error}"));
            let launches = tensors.prepare(&lowered).unwrap_or_else(|error| panic!("{error}"));
            (tensors, launches)
        });
        bencher.iter(|| {
            device.submit(&*launches).and_then(|()| device.wait()).unwrap_or_else(|error| panic!("{error}"));
        });
    });
    group.finish();
}

/// A rung for each part: the one that `FROSTLINE_RUNG` names where the op has it, else the op's default.
fn rungs(device: &Device, case: &Case) -> Rungs {
    let wanted = std::env::var("FROSTLINE_RUNG").ok();
    let site = case.site(device.caps(), Rungs::all(Rung::Naive));
    let pick = |part| {
        let able = case.op.rungs(part, &site);
        able.iter().copied().find(|rung| wanted.as_deref() == Some(rung.name())).unwrap_or(able[0])
    };
    Rungs { forward: pick(Part::Forward), d_x: pick(Part::DX), d_w: pick(Part::DW) }
}

/// # Panics
/// A result is off, or a guard word changed: what computes wrongly is not timed.
fn matches_its_reference(device: &Device, case: &Case, rungs: Rungs) {
    let found = trial::compare_all(device, case, rungs).unwrap_or_else(|error| panic!("{error}"));
    for result in found {
        let limit = trial::tolerance(case, rungs, result.operand);
        let right = result.rel_l2 <= limit && result.broken_guards == 0;
        assert!(right, "{} {rungs:?} does not match its reference: {result:?}", case.name());
    }
}

fn throughput(case: &Case, lowered: &Lowered) -> Throughput {
    match lowered.steps.iter().map(|step| step.flops).sum() {
        0 => Throughput::Bytes((case.x[0].numel() + case.y().numel()) * 4),
        flops => Throughput::Elements(flops),
    }
}

fn name_of(rungs: Rungs, part: Part) -> &'static str {
    match part {
        Part::Forward | Part::Update => rungs.forward.name(),
        Part::DX => rungs.d_x.name(),
        Part::DW => rungs.d_w.name(),
    }
}

criterion_group!(benches, kernels);
criterion_main!(benches);
