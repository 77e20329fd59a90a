//! Whole passes of VGG19, the same as `frostline bench --filter step/` runs, random weights: forward, and training steps
//! under four ways of freezing.
//!
//! The mean that criterion prints is of single passes, each waited for; `--verbose` adds the median.
//!
//!     cargo bench --bench steps -- layers5
//!     FROSTLINE_PRECISION=f16 cargo bench --bench steps -- layers5

mod support;

use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use frostline::graph::Choices;
use frostline::study::bench::steps::{Ready, all};

fn passes(criterion: &mut Criterion) {
    let device = Arc::new(support::device());
    let precision = support::precision(&device);
    let mut group = criterion.benchmark_group(format!("vgg19 {}", precision.name()));
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_secs(3)).measurement_time(Duration::from_secs(10));
    for sized in all() {
        group.throughput(Throughput::Elements(sized.batch as u64));
        let size = format!("{0}x{1}x{1}x3", sized.batch, sized.side);
        // Criterion calls this only for what its filter picks, and more than once: bind at the first call.
        let mut ready = None;
        group.bench_function(BenchmarkId::new(sized.pass.name, size), |bencher| {
            let pass = ready.get_or_insert_with(|| {
                let ready = Ready::new(&device, &sized, &Choices::default(), precision);
                ready.unwrap_or_else(|error| panic!("{error}"))
            });
            bencher.iter(|| pass.time().unwrap_or_else(|error| panic!("{error}")));
        });
    }
    group.finish();
}

criterion_group!(benches, passes);
criterion_main!(benches);
