//! What an adapter can do, as plain data: lowering and planning read this and never touch a device.

use serde::Serialize;

use crate::gpu::buffer::{Form, TEXEL_ROW};
use crate::gpu::matrix::MatrixSize;

/// The kind of adapter, which decides the form of the kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A software driver: an invocation is a SIMD lane, loads are dear, arithmetic is cheap.
    Cpu,
    Integrated,
    Discrete,
    /// Virtual or unknown; also what a plan made without a device assumes.
    Other,
}

/// Limits and features of one adapter. Sizes are in bytes, lanes in invocations per subgroup.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Caps {
    pub class: Class,
    pub max_binding: u64,
    pub max_buffer: u64,
    /// Workgroups per dimension of a dispatch.
    pub max_groups: u32,
    /// Texels along one side of a texture.
    pub max_texture: u32,
    pub workgroup_memory: u32,
    pub workgroup_invocations: u32,
    /// Bytes of immediates (push constants); 0 means that parameters travel in a uniform buffer.
    pub immediates: u32,
    /// Smallest and largest subgroup, where subgroups exist.
    pub lanes: Option<(u32, u32)>,
    pub f16: bool,
    /// What its matrix units multiply; empty where it has none.
    pub matrices: Vec<MatrixSize>,
    pub timestamps: bool,
    /// Alignment of the offset of a storage binding.
    pub binding_alignment: u32,
}

impl Default for Caps {
    /// WebGPU's guaranteed limits: what a plan made without a device assumes, and what golden plans pin.
    fn default() -> Caps {
        Caps {
            class: Class::Other,
            max_binding: 128 << 20,
            max_buffer: 256 << 20,
            max_groups: 65_535,
            max_texture: 8192,
            workgroup_memory: 16 << 10,
            workgroup_invocations: 256,
            immediates: 0,
            lanes: None,
            f16: false,
            matrices: Vec::new(),
            timestamps: false,
            binding_alignment: 256,
        }
    }
}

impl Caps {
    /// The most bytes that one tensor may take in this form.
    pub fn max_bytes(&self, form: Form) -> u64 {
        match form {
            Form::Words => self.max_buffer,
            Form::Texels => u64::from(self.max_texture) * 16 * TEXEL_ROW,
        }
    }

    /// Whether the device's memory is the machine's own.
    pub fn shares_memory(&self) -> bool {
        matches!(self.class, Class::Cpu | Class::Integrated)
    }

    /// The subgroup size if it is certain, which shuffle kernels are generated for.
    pub fn exact_lanes(&self) -> Option<u32> {
        self.lanes.filter(|(min, max)| min == max).map(|(min, _)| min)
    }

    pub(super) fn of(adapter: &wgpu::Adapter) -> Caps {
        let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
        let has = |feature| features.contains(feature);
        let immediates = if has(wgpu::Features::IMMEDIATES) { limits.max_immediate_size } else { 0 };
        Caps {
            class: match info.device_type {
                wgpu::DeviceType::Cpu => Class::Cpu,
                wgpu::DeviceType::IntegratedGpu => Class::Integrated,
                wgpu::DeviceType::DiscreteGpu => Class::Discrete,
                _ => Class::Other,
            },
            max_binding: limits.max_storage_buffer_binding_size,
            max_buffer: limits.max_buffer_size,
            max_groups: limits.max_compute_workgroups_per_dimension,
            max_texture: limits.max_texture_dimension_2d,
            workgroup_memory: limits.max_compute_workgroup_storage_size,
            workgroup_invocations: limits.max_compute_invocations_per_workgroup,
            immediates,
            lanes: has(wgpu::Features::SUBGROUP).then_some((info.subgroup_min_size, info.subgroup_max_size)),
            f16: has(wgpu::Features::SHADER_F16),
            matrices: MatrixSize::all(adapter),
            timestamps: has(wgpu::Features::TIMESTAMP_QUERY),
            binding_alignment: limits.min_storage_buffer_offset_alignment,
        }
    }
}
