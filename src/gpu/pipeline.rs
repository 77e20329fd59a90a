//! From a kernel to a compiled pipeline, once per device.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::error::{Error, Result};
use crate::gpu::buffer::Form;
use crate::gpu::kernel::Kernel;

/// Name of a storage binding and whether the kernel writes it, in binding order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    pub name: &'static str,
    pub writes: bool,
    pub form: Form,
}

/// How a module is built: everything besides the kernel that its text depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Build {
    /// Elements of guard words before each tensor; 0 outside of trials.
    pub guard: u32,
    /// Keep the driver-independent bounds checks: for edited kernels.
    pub checked: bool,
}

/// A compiled kernel and the layouts that its bind groups need.
pub struct Pipeline {
    pub(super) raw: wgpu::ComputePipeline,
    pub(super) storage: wgpu::BindGroupLayout,
    pub(super) uniform: Option<wgpu::BindGroupLayout>,
    /// Binding number of each slot.
    pub(super) numbers: Vec<u32>,
}

type Key = (Kernel, Vec<Slot>, Build);

/// What all kernels of one device are compiled with.
pub(super) struct Compiler<'d> {
    pub device: &'d wgpu::Device,
    /// Bytes of a kernel's parameters that go with the dispatch; 0 where they go through a uniform buffer.
    pub immediates: u32,
    /// What the driver compiled before.
    pub disk: Option<&'d wgpu::PipelineCache>,
}

/// All pipelines of one device; a kernel is compiled when it is first asked for.
#[derive(Default)]
pub(super) struct Cache {
    known: Mutex<HashMap<Key, Arc<Pipeline>>>,
}

impl Cache {
    /// # Errors
    /// The WGSL does not compile; the message holds naga's report.
    pub fn get(
        &self,
        compiler: &Compiler,
        kernel: &Kernel,
        slots: &[Slot],
        build: Build,
    ) -> Result<Arc<Pipeline>> {
        let key = (kernel.clone(), slots.to_vec(), build);
        let mut known = self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(pipeline) = known.get(&key) {
            return Ok(pipeline.clone());
        }
        let pipeline = Arc::new(compile(compiler, kernel, slots, build)?);
        known.insert(key, pipeline.clone());
        Ok(pipeline)
    }

    pub fn len(&self) -> usize {
        self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).len()
    }
}

fn compile(compiler: &Compiler, kernel: &Kernel, slots: &[Slot], build: Build) -> Result<Pipeline> {
    let &Compiler { device, immediates, disk } = compiler;
    let label = kernel.to_string();
    let number = |slot: &Slot| {
        let declared = kernel.bindings().find(|(_, name)| *name == slot.name);
        let missing = || Error::Device(format!("kernel {label} declares no binding '{}'", slot.name));
        declared.map(|(number, _)| number).ok_or_else(missing)
    };
    let numbers = slots.iter().map(number).collect::<Result<Vec<u32>>>()?;
    let text = kernel.wgsl(build.guard, immediates > 0);
    let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let module = shader_module(device, &label, text, build.checked);
    let entries: Vec<_> = numbers.iter().zip(slots).map(storage_entry).collect();
    let storage = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(&label),
        entries: &entries,
    });
    let uniform = (immediates == 0).then(|| uniform_layout(device));
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(&label),
        bind_group_layouts: &[Some(&storage), uniform.as_ref()][..1 + usize::from(uniform.is_some())],
        immediate_size: immediates,
    });
    let raw = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(&label),
        layout: Some(&layout),
        module: &module,
        entry_point: Some(kernel.entry),
        compilation_options: wgpu::PipelineCompilationOptions {
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache: disk,
    });
    match pollster::block_on(scope.pop()) {
        Some(error) => Err(Error::Device(format!("kernel {label} does not compile: {error}"))),
        None => Ok(Pipeline { raw, storage, uniform, numbers }),
    }
}

fn shader_module(device: &wgpu::Device, label: &str, text: String, checked: bool) -> wgpu::ShaderModule {
    let descriptor =
        wgpu::ShaderModuleDescriptor { label: Some(label), source: wgpu::ShaderSource::Wgsl(text.into()) };
    if checked {
        return device.create_shader_module(descriptor);
    }
    // SAFETY: the shipped kernels bound every access by their shapes, which `frostline check` and the tests prove with
    // guard words; unchecked mode removes the loop bounds that keep software drivers from unrolling.
    unsafe { device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
}

fn storage_entry((&binding, slot): (&u32, &Slot)) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: match slot.form {
            Form::Words => wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only: !slot.writes },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            Form::Texels => wgpu::BindingType::StorageTexture {
                access: match slot.writes {
                    true => wgpu::StorageTextureAccess::WriteOnly,
                    false => wgpu::StorageTextureAccess::ReadOnly,
                },
                format: wgpu::TextureFormat::Rgba32Float,
                view_dimension: wgpu::TextureViewDimension::D2,
            },
        },
        count: None,
    }
}

fn uniform_layout(device: &wgpu::Device) -> wgpu::BindGroupLayout {
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("parameters"),
        entries: &[wgpu::BindGroupLayoutEntry {
            binding: 0,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Uniform,
                has_dynamic_offset: true,
                min_binding_size: None,
            },
            count: None,
        }],
    })
}
