//! Compute pipelines, cached by their WGSL text.

use crate::context::{Gpu, lock};
use fovea_core::Result;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Cached pipelines at most; a program whose shapes never repeat would else keep them all.
const MOST_PIPELINES: usize = 4096;

/// What a pipeline binds: this many storage buffers, then perhaps one uniform buffer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Bindings {
    pub storage: u32,
    pub uniform: bool,
}

/// A compiled kernel with the layout of its bind group.
#[derive(Clone)]
pub(crate) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

pub(crate) struct Pipelines {
    checked: bool,
    compiled: AtomicU64,
    by_source: Mutex<HashMap<String, Pipeline>>,
    layouts: Mutex<HashMap<Bindings, (wgpu::BindGroupLayout, wgpu::PipelineLayout)>>,
}

impl Pipelines {
    /// `checked` compiles shaders with bounds checks.
    pub fn new(checked: bool) -> Pipelines {
        Pipelines { checked, compiled: AtomicU64::new(0), by_source: Mutex::default(), layouts: Mutex::default() }
    }

    /// Pipelines compiled so far.
    pub fn count(&self) -> u64 {
        self.compiled.load(Ordering::Relaxed)
    }

    fn layouts(&self, gpu: &Gpu, bindings: Bindings) -> (wgpu::BindGroupLayout, wgpu::PipelineLayout) {
        lock(&self.layouts)
            .entry(bindings)
            .or_insert_with(|| {
                let total = bindings.storage + u32::from(bindings.uniform);
                let entries: Vec<wgpu::BindGroupLayoutEntry> = (0..total)
                    .map(|binding| wgpu::BindGroupLayoutEntry {
                        binding,
                        visibility: wgpu::ShaderStages::COMPUTE,
                        ty: wgpu::BindingType::Buffer {
                            ty: if binding < bindings.storage {
                                wgpu::BufferBindingType::Storage { read_only: false }
                            } else {
                                wgpu::BufferBindingType::Uniform
                            },
                            has_dynamic_offset: false,
                            min_binding_size: None,
                        },
                        count: None,
                    })
                    .collect();
                let group = gpu
                    .device
                    .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries });
                let pipeline = gpu.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                    label: None,
                    bind_group_layouts: &[Some(&group)],
                    ..Default::default()
                });
                (group, pipeline)
            })
            .clone()
    }

    /// The pipeline of a WGSL source with entry point `main`. The source must have been made by this crate or be an
    /// op's own kernel: it is trusted to stay inside its buffers.
    pub fn get(&self, gpu: &Gpu, source: &str, bindings: Bindings) -> Result<Pipeline> {
        if let Some(found) = lock(&self.by_source).get(source) {
            return Ok(found.clone());
        }
        let made = gpu.guarded(&format!("compiling a kernel:\n{source}\n"), || {
            let (group, layout) = self.layouts(gpu, bindings);
            let descriptor =
                wgpu::ShaderModuleDescriptor { label: None, source: wgpu::ShaderSource::Wgsl(source.into()) };
            let module = if self.checked {
                gpu.device.create_shader_module(descriptor)
            } else {
                // SAFETY: generated kernels compute indices only from sizes and strides that the plan's slots were
                // laid out for, divide only by non-zero constants or behind a test, and end their loops; ops' own
                // kernels promise the same. The tests run them with the checks on.
                unsafe { gpu.device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
            };
            let pipeline = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: Some(&layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    zero_initialize_workgroup_memory: false,
                    ..Default::default()
                },
                cache: None,
            });
            Pipeline { pipeline, layout: group }
        })?;
        let mut cache = lock(&self.by_source);
        if cache.len() >= MOST_PIPELINES {
            // Plans keep those that they use.
            cache.clear();
        }
        cache.insert(source.to_owned(), made.clone());
        self.compiled.fetch_add(1, Ordering::Relaxed);
        Ok(made)
    }
}
