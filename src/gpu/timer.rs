//! How long launches take: by the device's own clock, or by the host's.
//!
//! A GPU writes a timestamp at the start and the end of a pass, so a single dispatch is timed by a pass of its own. A
//! software driver computes on the host: there each launch is a submission of its own, waited for and timed by the
//! host's clock. That includes what a submission costs (30 to 40 microseconds).

use std::time::Instant;

use crate::error::{Error, Result};
use crate::gpu::caps::Class;
use crate::gpu::{Device, Launch};

/// When one launch ran, in seconds since the first of its list began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    pub start: f64,
    pub seconds: f64,
}

/// Who tells the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Timestamps of the device.
    Device,
    /// The host's clock, around a submission that is waited for.
    Host,
}

/// WebGPU's largest set of timestamps holds 4096: two for each launch.
const MOST_LAUNCHES: usize = 2048;

impl Device {
    /// The clock that can be trusted here. Software drivers report timestamps too, but compute on the host anyway.
    pub fn clock(&self) -> Clock {
        match (self.caps().class, self.caps().timestamps) {
            (Class::Cpu, _) | (_, false) => Clock::Host,
            _ => Clock::Device,
        }
    }

    /// Seconds that `launches` take together. The device must be idle: see [`Device::wait`].
    ///
    /// # Errors
    /// The device is lost.
    pub fn time(&self, launches: &[Launch]) -> Result<f64> {
        match self.clock() {
            Clock::Host => self.time_on_host(launches),
            Clock::Device => {
                let all: Vec<&Launch> = launches.iter().collect();
                Ok(self.timestamps(&[&all])?[0].seconds)
            }
        }
    }

    /// Runs `launches` in order, each alone, and tells when each one ran. The device must be idle.
    ///
    /// # Errors
    /// The device is lost.
    pub fn time_each(&self, launches: &[Launch]) -> Result<Vec<Span>> {
        self.time_each_by(self.clock(), launches)
    }

    /// As [`Device::time_each`], by a clock of one's own choice; only devices with timestamps have theirs.
    ///
    /// # Errors
    /// The device is lost.
    pub fn time_each_by(&self, clock: Clock, launches: &[Launch]) -> Result<Vec<Span>> {
        let begun = Instant::now();
        let mut spans = Vec::with_capacity(launches.len());
        for some in launches.chunks(MOST_LAUNCHES) {
            let first = begun.elapsed().as_secs_f64();
            match clock {
                Clock::Host => {
                    for launch in some {
                        let start = begun.elapsed().as_secs_f64();
                        let seconds = self.time_on_host(std::slice::from_ref(launch))?;
                        spans.push(Span { start, seconds });
                    }
                }
                Clock::Device => {
                    let passes: Vec<[&Launch; 1]> = some.iter().map(|launch| [launch]).collect();
                    let passes: Vec<&[&Launch]> = passes.iter().map(<[_; 1]>::as_slice).collect();
                    let timed = self.timestamps(&passes)?;
                    spans.extend(timed.iter().map(|span| Span { start: first + span.start, ..*span }));
                }
            }
        }
        Ok(spans)
    }

    fn time_on_host(&self, launches: &[Launch]) -> Result<f64> {
        let start = Instant::now();
        self.submit(launches)?;
        self.wait()?;
        Ok(start.elapsed().as_secs_f64())
    }

    /// When each of the passes ran, by timestamps.
    fn timestamps(&self, passes: &[&[&Launch]]) -> Result<Vec<Span>> {
        let count = 2 * passes.len() as u32;
        let set = self.raw.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("timestamps"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        for (index, launches) in (0..).zip(passes) {
            let writes = wgpu::ComputePassTimestampWrites {
                query_set: &set,
                beginning_of_pass_write_index: Some(2 * index),
                end_of_pass_write_index: Some(2 * index + 1),
            };
            self.encode(launches, Some(writes));
        }
        let ticks = self.resolve(&set, count)?;
        let period = f64::from(self.queue.get_timestamp_period()) * 1e-9;
        let since = |from: u64, to: u64| to.saturating_sub(from) as f64 * period;
        let span = |pair: &[u64]| Span { start: since(ticks[0], pair[0]), seconds: since(pair[0], pair[1]) };
        Ok(ticks.chunks_exact(2).map(span).collect())
    }

    fn resolve(&self, set: &wgpu::QuerySet, count: u32) -> Result<Vec<u64>> {
        let bytes = u64::from(count) * 8;
        let buffer = |label, usage| {
            let size = bytes;
            self.raw.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false })
        };
        let resolved =
            buffer(Some("timestamps"), wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
        let staging = buffer(Some("read back"), wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        let mut encoder = self.raw.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.resolve_query_set(set, 0..count, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &staging, 0, bytes);
        self.queue.submit([encoder.finish()]);
        staging.slice(..).map_async(wgpu::MapMode::Read, |_| {});
        self.wait()?;
        let view = staging.slice(..).get_mapped_range();
        let view = view.map_err(|e| Error::Device(format!("cannot read timestamps: {e}")))?;
        Ok(bytemuck::pod_collect_to_vec(&view))
    }
}
