//! Each kernel of VGG19's work, timed alone on the adapter that Frostline takes (or `FROSTLINE_ADAPTER`).
//!
//! A kernel is timed only after it has just matched its plain-loop reference, on a case with the same channels and
//! weights but a small map. Throughput is in floating-point operations where there are any, else in bytes.
//!
//!     cargo bench --bench kernels                          # everything, on each op's default rung
//!     cargo bench --bench kernels -- 'conv2d/forward'      # a part of one op
//!     FROSTLINE_RUNG=naive cargo bench --bench kernels     # another rung, where an op has it

#[path = "support/bound.rs"]
mod bound;
mod support;

use std::time::Duration;

use bound::Bound;
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use frostline::gpu::Device;
use frostline::ops::cases::{self, Bench};
use frostline::ops::{Case, Lowered, Part, Rungs, trial};

/// Largest relative distance from the reference that a kernel may have and still be timed.
const TOLERANCE: f64 = 1e-5;

fn kernels(criterion: &mut Criterion) {
    let device = support::device();
    for bench in cases::bench() {
        let rungs = bound::rungs(&device, &bench.case);
        for part in [Part::Forward, Part::DX, Part::DW] {
            time(criterion, &device, &bench, rungs, part);
        }
    }
}

fn time(criterion: &mut Criterion, device: &Device, bench: &Bench, rungs: Rungs, part: Part) {
    let case = &bench.case;
    let site = bound::site(device, case, rungs);
    let Some(lowered) = bound::lower(&*case.op, &site, part) else { return };
    let mut group = criterion.benchmark_group(format!("{}/{}", case.op.kind(), part.name()));
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    group.throughput(throughput(case, &lowered));
    let shapes = case.name();
    let shapes = shapes.split_once(' ').map_or("", |(_, shapes)| shapes);
    let id = BenchmarkId::new(rung(rungs, part), shapes);
    // Criterion calls this only for what its filter picks, and more than once: match and bind at the first call.
    let mut ready = None;
    group.bench_function(id, |bencher| {
        let (tensors, launches) = ready.get_or_insert_with(|| {
            matches_its_reference(device, &bench.small, rungs);
            let inputs = case.inputs(1);
            let mut tensors = Bound::new(device, case, &inputs).unwrap_or_else(|error| panic!("{error}"));
            let launches = tensors.prepare(&lowered).unwrap_or_else(|error| panic!("{error}"));
            (tensors, launches)
        });
        bencher.iter(|| tensors.run(launches).unwrap_or_else(|error| panic!("{error}")));
    });
    group.finish();
}

/// # Panics
/// A result is off, or a guard word changed: what computes wrongly is not timed.
fn matches_its_reference(device: &Device, case: &Case, rungs: Rungs) {
    let found = trial::compare_all(device, case, rungs).unwrap_or_else(|error| panic!("{error}"));
    for result in found {
        let right = result.rel_l2 <= TOLERANCE && result.broken_guards == 0;
        assert!(right, "{} {rungs:?} does not match its reference: {result:?}", case.name());
    }
}

fn throughput(case: &Case, lowered: &Lowered) -> Throughput {
    match lowered.steps.iter().map(|step| step.flops).sum() {
        0 => Throughput::Bytes((case.x[0].numel() + case.y().numel()) * 4),
        flops => Throughput::Elements(flops),
    }
}

fn rung(rungs: Rungs, part: Part) -> &'static str {
    match part {
        Part::Forward | Part::Update => rungs.forward.name(),
        Part::DX => rungs.d_x.name(),
        Part::DW => rungs.d_w.name(),
    }
}

criterion_group!(benches, kernels);
criterion_main!(benches);
