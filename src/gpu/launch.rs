//! A launch is one dispatch, ready to be encoded; a list of them is encoded anew at each step.

use std::ops::Range;
use std::sync::Arc;

use crate::error::Result;
use crate::gpu::buffer::Raw;
use crate::gpu::device::Device;
use crate::gpu::{Buffer, Pipeline};

/// One dispatch: the pipeline, what it is bound to, its parameter words and its grid.
pub struct Launch {
    pub pipeline: Arc<Pipeline>,
    pub bound: Bound,
    /// The parameter block `p`, in the order of the WGSL struct.
    pub words: Vec<u32>,
    pub groups: [u32; 3],
    /// Floating-point operations, to keep submissions short enough for watchdogs.
    pub flops: u64,
}

/// Buffers bound to a pipeline; made once and reused.
#[derive(Clone)]
pub struct Bound(wgpu::BindGroup);

/// The uniform block of one launch where there are no immediates; 256 is the largest alignment WebGPU may ask for.
const UNIFORM_STRIDE: usize = 256;

/// Watchdogs kill dispatch queues after seconds, and Ctrl-C should be prompt: submissions aim at this length.
const SUBMISSION_SECONDS: f64 = 0.1;

impl Device {
    /// Binds byte ranges of buffers, in the order of the slots that the pipeline was made for.
    pub fn bind(&self, pipeline: &Pipeline, ranges: &[(&Buffer, Range<u64>)]) -> Bound {
        let entries: Vec<_> = pipeline
            .numbers
            .iter()
            .zip(ranges)
            .map(|(&binding, (buffer, range))| wgpu::BindGroupEntry {
                binding,
                resource: match &buffer.raw {
                    Raw::Words(buffer) => wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer,
                        offset: range.start,
                        size: wgpu::BufferSize::new(range.end - range.start),
                    }),
                    Raw::Texels(view) => wgpu::BindingResource::TextureView(view),
                },
            })
            .collect();
        Bound(self.raw.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.storage,
            entries: &entries,
        }))
    }

    /// Encodes and submits the launches in order, without waiting for them.
    ///
    /// # Errors
    /// The device was lost or an earlier submission failed.
    pub fn submit<'a>(&self, launches: impl IntoIterator<Item = &'a Launch>) -> Result<()> {
        let limit = (self.flops_per_second() * SUBMISSION_SECONDS) as u64;
        let mut group: Vec<&Launch> = Vec::new();
        let mut flops = 0;
        for launch in launches {
            group.push(launch);
            flops += launch.flops;
            if flops >= limit {
                self.encode(&group, None);
                group.clear();
                flops = 0;
            }
        }
        if !group.is_empty() {
            self.encode(&group, None);
        }
        self.check()
    }

    /// Submits launches as one pass, timed where `timestamps` are asked for.
    pub(super) fn encode(&self, launches: &[&Launch], timestamps: Option<wgpu::ComputePassTimestampWrites>) {
        let uniforms = self.uniforms(launches);
        let mut encoder = self.raw.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder
            .begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes: timestamps });
        for (index, launch) in launches.iter().enumerate() {
            pass.set_pipeline(&launch.pipeline.raw);
            pass.set_bind_group(0, &launch.bound.0, &[]);
            match &uniforms {
                Some(group) => pass.set_bind_group(1, group, &[(index * UNIFORM_STRIDE) as u32]),
                None if launch.words.is_empty() => {}
                None => pass.set_immediates(0, bytemuck::cast_slice(&launch.words)),
            }
            let [x, y, z] = launch.groups;
            pass.dispatch_workgroups(x, y, z);
        }
        drop(pass);
        self.queue.submit([encoder.finish()]);
    }

    /// Where the adapter has no immediates, the parameter blocks travel in one uniform buffer per submission.
    fn uniforms(&self, launches: &[&Launch]) -> Option<wgpu::BindGroup> {
        let layout = launches.first()?.pipeline.uniform.as_ref()?;
        let mut bytes = vec![0u8; launches.len() * UNIFORM_STRIDE];
        for (block, launch) in bytes.chunks_exact_mut(UNIFORM_STRIDE).zip(launches) {
            block[..launch.words.len() * 4].copy_from_slice(bytemuck::cast_slice(&launch.words));
        }
        let buffer = self.raw.create_buffer(&wgpu::BufferDescriptor {
            label: Some("parameters"),
            size: bytes.len() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.queue.write_buffer(&buffer, 0, &bytes);
        Some(self.raw.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("parameters"),
            layout,
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &buffer,
                    offset: 0,
                    size: wgpu::BufferSize::new(UNIFORM_STRIDE as u64),
                }),
            }],
        }))
    }
}
