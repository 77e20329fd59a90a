//! An opened adapter: buffers, transfers, kernels.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::error::{Error, Result};
use crate::gpu::adapter::{self, Choice, Info};
use crate::gpu::buffer::{Buffer, Form, Raw, TEXEL_ROW};
use crate::gpu::caps::{Caps, Class};
use crate::gpu::disk::Disk;
use crate::gpu::failure::{Cause, Failure};
use crate::gpu::kernel::Kernel;
use crate::gpu::pipeline::{Build, Cache, Compiler, Pipeline, Slot};
use crate::gpu::ring::Ring;

/// A device with all of its adapter's limits, and everything that was compiled on it.
pub struct Device {
    pub(super) raw: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    info: Info,
    why: String,
    pipelines: Cache,
    disk: Option<Disk>,
    pub(super) ring: Ring,
    live: Arc<AtomicU64>,
    /// Nanoseconds that the host has waited for the device.
    waited: AtomicU64,
    failure: Failure,
}

/// What to change about an adapter before opening it: for tests and for people who hunt a driver's bug.
#[derive(Clone, Debug, Default)]
pub struct Restrict {
    /// Parameters in uniform buffers even where the adapter has immediates.
    pub no_immediates: bool,
    /// No subgroup operations.
    pub no_subgroups: bool,
}

impl Device {
    /// Opens an adapter with all of its limits raised.
    ///
    /// # Errors
    /// No adapter fits `choice`, or the driver refuses to open it.
    pub fn open(choice: &Choice) -> Result<Device> {
        Device::open_restricted(choice, &Restrict::default())
    }

    /// As [`Device::open`], with parts of the adapter left unused.
    pub fn open_restricted(choice: &Choice, restrict: &Restrict) -> Result<Device> {
        let mut all = adapter::candidates();
        let infos: Vec<Info> = all.iter().map(|c| c.info.clone()).collect();
        let (index, why) = adapter::choose(&infos, choice)?;
        let adapter::Candidate { adapter, mut info } = all.swap_remove(index);
        if restrict.no_immediates {
            info.caps.immediates = 0;
        }
        if restrict.no_subgroups {
            info.caps.lanes = None;
        }
        let (raw, queue) = open_adapter(&adapter)
            .map_err(|e| Error::Device(format!("cannot open {info}: {e}; try --adapter cpu")))?;
        let failure = Failure::watch(&raw);
        let (pipelines, ring, live, waited) = Default::default();
        Ok(Device { raw, queue, info, why, pipelines, disk: None, ring, live, waited, failure })
    }

    /// Keeps what the driver compiles from now on in a file in `folder`, and starts from what is there.
    pub fn keep_pipelines(&mut self, folder: &Path) {
        self.disk = Disk::open(&self.raw, folder);
    }

    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Why this adapter was chosen, in words.
    pub fn why(&self) -> &str {
        &self.why
    }

    pub fn caps(&self) -> &Caps {
        &self.info.caps
    }

    /// Bytes of all live buffers made by [`Device::buffer`].
    pub fn live_bytes(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }

    /// Number of kernels compiled so far.
    pub fn compiled(&self) -> usize {
        self.pipelines.len()
    }

    /// Zeroed device memory of at least `bytes`.
    ///
    /// # Errors
    /// More than the adapter allows for one buffer, or out of memory.
    pub fn buffer(&self, label: &str, bytes: u64) -> Result<Buffer> {
        self.memory(label, bytes, Form::Words)
    }

    /// As [`Device::buffer`], in either form.
    ///
    /// # Errors
    /// More than the adapter allows for one buffer, or out of memory.
    pub fn memory(&self, label: &str, bytes: u64, form: Form) -> Result<Buffer> {
        let bytes = form.round_up(bytes);
        let limit = self.caps().max_bytes(form);
        if bytes > limit {
            return Err(self.too_large(label, bytes, "the largest buffer of this adapter", limit));
        }
        let scope = self.raw.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let raw = match form {
            Form::Words => Raw::Words(self.words(label, bytes)),
            Form::Texels => Raw::Texels(self.texels(label, bytes)),
        };
        match pollster::block_on(scope.pop()) {
            Some(_) => Err(self.refused(label, bytes)),
            None => self.check().map(|()| Buffer::new(raw, bytes, self.live.clone())),
        }
    }

    fn words(&self, label: &str, bytes: u64) -> wgpu::Buffer {
        self.raw.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: bytes,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    }

    fn texels(&self, label: &str, bytes: u64) -> wgpu::TextureView {
        let texture = self.raw.create_texture(&wgpu::TextureDescriptor {
            label: Some(label),
            size: wgpu::Extent3d {
                width: TEXEL_ROW as u32,
                height: (bytes / 16 / TEXEL_ROW) as u32,
                depth_or_array_layers: 1,
            },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba32Float,
            usage: wgpu::TextureUsages::STORAGE_BINDING,
            view_formats: &[],
        });
        texture.create_view(&wgpu::TextureViewDescriptor::default())
    }

    fn refused(&self, label: &str, bytes: u64) -> Error {
        let what =
            format!("{label}, beside {} that the device holds,", crate::error::bytes(self.live_bytes()));
        Error::OutOfMemory { what, needed: bytes }
    }

    fn too_large(&self, label: &str, bytes: u64, limit_name: &'static str, limit: u64) -> Error {
        Error::TooLarge {
            what: label.to_owned(),
            needed: bytes,
            limit_name,
            limit,
            cure: "use a smaller --batch, --input or head".to_owned(),
        }
    }

    /// The compiled form of `kernel`, compiled on first use.
    ///
    /// # Errors
    /// The WGSL does not compile on this device.
    pub fn pipeline(&self, kernel: &Kernel, slots: &[Slot], build: Build) -> Result<Arc<Pipeline>> {
        let immediates = self.caps().immediates.min(128);
        let disk = self.disk.as_ref().map(|disk| &disk.raw);
        let compiler = Compiler { device: &self.raw, immediates, disk };
        self.pipelines.get(&compiler, kernel, slots, build)
    }

    /// Waits for everything submitted so far.
    ///
    /// # Errors
    /// The device was lost.
    pub fn wait(&self) -> Result<()> {
        self.poll(wgpu::PollType::wait_indefinitely())?;
        self.check()
    }

    /// Seconds that the host has waited for the device so far, whatever for.
    pub fn waited(&self) -> f64 {
        self.waited.load(Ordering::Relaxed) as f64 * 1e-9
    }

    /// Waits until the work is done.
    pub(super) fn poll(&self, until: wgpu::PollType) -> Result<()> {
        let begun = Instant::now();
        let polled = self.raw.poll(until);
        self.waited.fetch_add(begun.elapsed().as_nanos() as u64, Ordering::Relaxed);
        polled.map(drop).map_err(|e| self.error(e))
    }

    /// Gives the device up, as if the driver had reset it: every later call that waits for it fails with
    /// [`Error::DeviceLost`]. For tests of what happens then.
    pub fn lose(&self) {
        self.failure.record(Cause::Lost("it was given up on request".to_owned()));
        self.raw.destroy();
    }

    /// Notes a failure that the next check reports.
    pub(super) fn fail(&self, what: String) {
        self.failure.record(Cause::Refused(what));
    }

    /// The first failure that the driver reported since the device was opened.
    pub(super) fn check(&self) -> Result<()> {
        match &*self.failure.first() {
            None => Ok(()),
            Some(Cause::Lost(what)) => Err(Error::DeviceLost(format!("{}: {what}", self.info))),
            Some(Cause::Refused(what)) => Err(Error::Device(format!(
                "{} failed: {what}; run 'frostline doctor', or try --adapter cpu",
                self.info
            ))),
        }
    }

    /// An error of the driver's, as the loss of the device where it is lost.
    pub(super) fn error(&self, what: impl std::fmt::Display) -> Error {
        match self.check() {
            Err(error) => error,
            Ok(()) => Error::Device(format!("{}: {what}", self.info)),
        }
    }

    /// A cautious guess, only used to keep submissions short.
    pub(super) fn flops_per_second(&self) -> f64 {
        match self.caps().class {
            Class::Cpu => 2e10,
            Class::Integrated | Class::Other => 3e11,
            Class::Discrete => 3e12,
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if let Some(disk) = &self.disk {
            disk.save();
        }
    }
}

fn open_adapter(adapter: &wgpu::Adapter) -> Result<(wgpu::Device, wgpu::Queue), wgpu::RequestDeviceError> {
    let wanted = wgpu::Features::SUBGROUP
        | wgpu::Features::SHADER_F16
        | wgpu::Features::TIMESTAMP_QUERY
        | wgpu::Features::IMMEDIATES
        | wgpu::Features::PIPELINE_CACHE
        | wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
    pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
        label: Some("frostline"),
        required_features: adapter.features() & wanted,
        required_limits: adapter.limits(),
        // SAFETY: cooperative matrices are experimental in wgpu 30; kernels that use them are compared with the
        // reference before they are chosen.
        experimental_features: unsafe { wgpu::ExperimentalFeatures::enabled() },
        memory_hints: wgpu::MemoryHints::Performance,
        trace: wgpu::Trace::Off,
    }))
}
