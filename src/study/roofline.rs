//! The roofline: how fast this adapter multiplies and adds, and how fast it copies, measured by two kernels of their own.
//!
//! No kernel of Frostline's form can take less time than its operations at the one rate and its bytes at the other.
//! Source: Williams, Waterman and Patterson 2009.
//!
//! ```no_run
//! use frostline::gpu::{Device, adapter::Choice};
//! use frostline::study::roofline::Roofline;
//! let roofline = Roofline::measure(&Device::open(&Choice::Best)?)?;
//! println!("{roofline}");
//! let (flops, bytes) = (1_000_000_000, 4_000_000);
//! println!("at least {} s; 20 ms are {:.0} %", roofline.seconds(flops, bytes), roofline.percent(flops, bytes, 0.02));
//! # Ok::<(), frostline::error::Error>(())
//! ```

use std::fmt;

use serde::Serialize;

use crate::error::Result;
use crate::gpu::{Caps, Class, Device, Kernel, Launch};
use crate::ops::step::grid;
use crate::ops::{Dtype, Operand, Part, Step};
use crate::study::bound::Bound;
use crate::study::timing::{Times, sample};

/// Invocations of a group.
const SIZE: u32 = 64;
/// Floating-point operations of one round; see the shader.
const FLOPS_PER_ROUND: u64 = 512;
/// Software drivers end a loop silently after 65,535 iterations.
const MOST_ROUNDS: usize = 60_000;
/// A measured run takes at least this long, so that submitting it does not count.
const LEAST_SECONDS: f64 = 0.02;

/// The measured limits of one adapter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Roofline {
    pub gflops: f64,
    /// Bytes read and written, in 10^9 a second.
    pub gbytes: f64,
}

impl Roofline {
    /// Measures both limits: medians of several runs.
    ///
    /// # Errors
    /// The device is lost, or has not the memory for two buffers of at most 64 MiB.
    pub fn measure(device: &Device) -> Result<Roofline> {
        Ok(Roofline { gflops: multiply_add(device)?, gbytes: copy(device)? })
    }

    /// The least seconds for so many operations and bytes.
    pub fn seconds(&self, flops: u64, bytes: u64) -> f64 {
        (flops as f64 / self.gflops).max(bytes as f64 / self.gbytes) * 1e-9
    }

    /// Percent of the roofline that `seconds` for so many operations and bytes reach. Above 100 where an algorithm does
    /// with fewer operations than the counted ones, as Winograd's does, or finds its bytes in a cache.
    pub fn percent(&self, flops: u64, bytes: u64, seconds: f64) -> f64 {
        100.0 * self.seconds(flops, bytes) / seconds
    }
}

impl fmt::Display for Roofline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "multiply-add {:.1} GFLOP/s, copy {:.1} GB/s", self.gflops, self.gbytes)
    }
}

/// The two steps, small, for the test that validates every kernel.
pub fn steps(caps: &Caps) -> [Step; 2] {
    [multiply_add_step(caps, 1, 1), copy_step(caps, 1)]
}

fn multiply_add(device: &Device) -> Result<f64> {
    let invocations = match device.caps().class {
        Class::Cpu => 1 << 14,
        _ => 1 << 21,
    };
    let mut bound = Bound::new(device);
    bound.reserve(Operand::Y, Dtype::F32, invocations as u64 * 4)?;
    let mut rounds = 16;
    loop {
        let step = multiply_add_step(device.caps(), rounds, invocations);
        let launches = bound.prepare(&step.into())?;
        let first = device.time(&launches)?.min(device.time(&launches)?);
        if first >= LEAST_SECONDS || rounds == MOST_ROUNDS {
            let flops = FLOPS_PER_ROUND * (rounds * invocations) as u64;
            return Ok(flops as f64 / median(device, &launches)? * 1e-9);
        }
        rounds = (rounds * 2).min(MOST_ROUNDS);
    }
}

fn copy(device: &Device) -> Result<f64> {
    let bytes = device.caps().max_binding.min(64 << 20);
    let mut bound = Bound::new(device);
    bound.reserve(Operand::X(0), Dtype::F32, bytes / 4)?;
    bound.reserve(Operand::Y, Dtype::F32, bytes / 4)?;
    let launches = bound.prepare(&copy_step(device.caps(), (bytes / 16) as usize).into())?;
    Ok((2 * bytes) as f64 / median(device, &launches)? * 1e-9)
}

fn median(device: &Device, launches: &[Launch]) -> Result<f64> {
    let mut times = Times::default();
    sample(&mut times, 5, 0.2, || device.time(launches))?;
    Ok(times.median())
}

fn multiply_add_step(caps: &Caps, rounds: usize, invocations: usize) -> Step {
    step("multiply_add", caps, rounds, invocations).write("y", Operand::Y)
}

fn copy_step(caps: &Caps, count: usize) -> Step {
    step("copy", caps, 0, count).read("x", Operand::X(0)).write("y", Operand::Y)
}

fn step(entry: &'static str, caps: &Caps, rounds: usize, count: usize) -> Step {
    let kernel =
        Kernel::new("roofline", include_str!("../../shaders/roofline.wgsl"), entry).with("SIZE", SIZE);
    let groups = grid(count.div_ceil(SIZE as usize) as u64, caps.max_groups);
    let row = groups[0] as usize * SIZE as usize;
    Step::new(kernel, Part::Forward).sizes(&[rounds, count, row]).groups(groups)
}
