//! One case of the comparison, run by burn's wgpu backend on the adapter that wgpu takes first.
//!
//!     frostline-peer-burn CASE [SECONDS]
//!
//! Prints one JSON object. One case per process, so that the peak of memory is that case's own. The first run (compiling
//! and burn's autotuning) stands apart; the others are timed until `SECONDS` are over (default 20), at least three.

mod vgg;

use std::time::Instant;

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, DeviceKind, Distribution, Int, Tensor};
use vgg::{Base, Model, convolution};

/// One run of a case, waited for.
type Run = Box<dyn FnMut()>;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let case = arguments.next().expect("usage: frostline-peer-burn CASE [SECONDS]");
    let seconds: f64 = arguments.next().map_or(20.0, |text| text.parse().expect("SECONDS is a number"));
    let device = Device::wgpu(DeviceKind::DefaultDevice);
    device.seed(1);
    let mut run = case_of(&case, &device);
    let first = time(&mut run);
    eprintln!("{case}: warm after {first:.0} ms"); // minutes where burn tunes itself on a software driver
    let mut times = Vec::new();
    run();
    let start = Instant::now();
    while times.len() < 3 || (times.len() < 50 && start.elapsed().as_secs_f64() < seconds) {
        times.push(time(&mut run));
    }
    times.sort_by(f64::total_cmp);
    println!(
        r#"{{"peer":"burn-wgpu","version":"burn 0.22.1","case":"{case}","median_ms":{:.3},"min_ms":{:.3},"max_ms":{:.3},"runs":{},"first_ms":{:.1},"peak_mib":{:.0},"load":{}}}"#,
        times[times.len() / 2],
        times[0],
        times[times.len() - 1],
        times.len(),
        first,
        peak_mib(),
        load()
    );
}

fn case_of(case: &str, device: &Device) -> Run {
    match case {
        "gemm512" => product(512, device),
        "gemm1024" => product(1024, device),
        "conv64" => single(64, 112, device),
        "conv256" => single(256, 28, device),
        "conv512" => single(512, 14, device),
        "fwd64" => forward(64, device),
        "fwd224" => forward(224, device),
        "step_all" => step(16, device),
        "step_l5" => step(3, device),
        _ => panic!("no case {case}"),
    }
}

/// (size,size) times (size,size).
fn product(size: usize, device: &Device) -> Run {
    let [a, b] = [(); 2].map(|()| Tensor::<2>::random([size, size], noise(), device));
    let device = device.clone();
    Box::new(move || {
        let product = a.clone().matmul(b.clone());
        device.sync().expect("a device");
        drop(product);
    })
}

/// One 3x3 convolution of `channels` to `channels` on a square map.
fn single(channels: usize, size: usize, device: &Device) -> Run {
    let layer = convolution(channels, channels, device);
    let x = Tensor::<4>::random([1, channels, size, size], noise(), device);
    let device = device.clone();
    Box::new(move || {
        let y = layer.forward(x.clone());
        device.sync().expect("a device");
        drop(y);
    })
}

/// VGG19 without its top on one image.
fn forward(side: usize, device: &Device) -> Run {
    let base = Base::new(device);
    let x = Tensor::<4>::random([1, 3, side, side], noise(), device);
    let device = device.clone();
    Box::new(move || {
        let y = base.forward(x.clone());
        device.sync().expect("a device");
        drop(y);
    })
}

/// A training step of eight images of 64x64, the first `frozen` convolutions frozen: SGD with momentum.
fn step(frozen: usize, device: &Device) -> Run {
    const BATCH: usize = 8;
    let device = device.clone().autodiff();
    let x = Tensor::<4>::random([BATCH, 3, 64, 64], noise(), &device);
    let labels = Tensor::<1, Int>::from_ints([0, 1, 2, 3, 4, 5, 6, 7], &device);
    let loss = CrossEntropyLossConfig::new().init(&device);
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
    let mut optimizer = SgdConfig::new().with_momentum(Some(momentum)).init();
    let mut model = Some(Model::new(64, frozen, &device));
    Box::new(move || {
        let now = model.take().expect("put back below");
        let gradients = loss.forward(now.forward(x.clone()), labels.clone()).backward();
        let gradients = GradientsParams::from_grads(gradients, &now);
        model = Some(optimizer.step(1e-3, now, gradients));
        device.sync().expect("a device");
    })
}

fn noise() -> Distribution {
    Distribution::Normal(0.0, 1.0)
}

/// Milliseconds.
fn time(run: &mut Run) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64() * 1e3
}

/// Peak resident memory of this process, where Linux tells.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// Mean number of running processes over the last minute.
fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0)
}
