//! Whole passes of VGG19 from pixels to logits, random weights: one image of 224x224, and eight of 64x64.
//!
//! The weights are frozen, as in a base: what depends on them alone runs once, before the clock. The mean that
//! criterion prints is of single passes, each waited for; `--verbose` adds the median.
//!
//!     cargo bench --bench steps

mod support;

use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use frostline::error::Result;
use frostline::gpu::Device;
use frostline::graph::draft::Role;
use frostline::graph::{Graph, Plan, Program, Settings, Store, ValueId};
use frostline::nn::{Head, Pool, Preprocessing, init, vgg};
use frostline::ops::{Dtype, Now, Preprocess};
use frostline::shape::Shape;

const CLASSES: usize = 16;

fn passes(criterion: &mut Criterion) {
    let device = Arc::new(support::device());
    let mut group = criterion.benchmark_group("vgg19 forward");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_secs(3)).measurement_time(Duration::from_secs(10));
    for (input, batch) in [(224, 1), (64, 8)] {
        group.throughput(Throughput::Elements(batch as u64));
        let mut ready = None;
        group.bench_function(BenchmarkId::new(format!("{input}x{input}"), batch), |bencher| {
            let pass = ready.get_or_insert_with(|| {
                Pass::new(device.clone(), input, batch).unwrap_or_else(|error| panic!("{error}"))
            });
            bencher.iter(|| pass.run().unwrap_or_else(|error| panic!("{error}")));
        });
    }
    group.finish();
}

/// A program that holds one batch of grey noise.
struct Pass {
    device: Arc<Device>,
    program: Program,
    batch: usize,
}

impl Pass {
    fn new(device: Arc<Device>, input: usize, batch: usize) -> Result<Pass> {
        let (graph, image, logits) = network(input)?;
        let mut store = Store::new(device.clone());
        init::parameters(&graph, &mut store, 1, |_| true)?;
        let logits = Role::Activation(logits);
        let settings = Settings { batch, outputs: vec![logits], ..Settings::default() };
        let plan = Plan::new(&graph, device.caps(), settings)?;
        let program = Program::new(&graph, plan, &mut store)?;
        let pixels: Vec<u8> = (0..batch * input * input * 3).map(|i| (i * 7919 % 251) as u8).collect();
        program.feed(image, &pixels);
        let mut pass = Pass { device, program, batch };
        pass.run()?;
        let values = pass.program.read(logits, (batch * CLASSES) as u64)?;
        let differ = values.windows(2).any(|pair| pair[0] != pair[1]);
        assert!(values.iter().all(|v| v.is_finite()) && differ, "the logits are {values:?}");
        Ok(pass)
    }

    fn run(&mut self) -> Result<()> {
        self.program.run(self.batch, &Now::default(), 0)?;
        self.device.wait()
    }
}

/// VGG19 with a global average and one dense layer, all of it frozen: the graph, its image and its logits.
fn network(input: usize) -> Result<(Graph, ValueId, ValueId)> {
    let head = Head { pool: Pool::Avg, classes: CLASSES, ..Head::default() };
    let architecture = vgg::with_head("vgg19", input, Preprocessing::Caffe, &head)?;
    let mut graph = Graph::default();
    let image = graph.input("image", Shape::new(&[1, input, input, 3]), Dtype::U8);
    let p = architecture.preprocessing;
    let (order, scale, offset) = (p.source(), p.scale(), p.offset());
    let preprocess = Preprocess { order, scale, offset, pixels: Dtype::U8 };
    let mut x = graph.push("preprocess", Arc::new(preprocess), &[image])?;
    for layer in &architecture.layers {
        x = graph.push(&layer.name, layer.op(), &[x])?;
    }
    graph.set_trainable(|_| false);
    Ok((graph, image, x))
}

criterion_group!(benches, passes);
criterion_main!(benches);
