//! Finding adapters: which there are, which one is taken, and why the others are not.

use fovea_core::{Error, Result};
use std::fmt;

/// Lets software adapters (lavapipe, WARP) be used when it is `1`; meant for tests.
pub const ALLOW_SOFTWARE: &str = "FOVEA_ALLOW_SOFTWARE_GPU";

/// One adapter of this machine, as `doctor` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceDescription {
    pub name: String,
    /// vulkan, metal or dx12.
    pub backend: String,
    /// discrete, integrated, virtual, software or other.
    pub kind: String,
    pub driver: String,
    /// Whether [`GpuRuntime::open`](crate::GpuRuntime::open) takes this one.
    pub chosen: bool,
    /// Why it is not taken.
    pub reason: Option<String>,
}

impl fmt::Display for DeviceDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {}", self.name, self.kind, self.backend)?;
        if !self.driver.is_empty() {
            write!(f, ", {}", self.driver)?;
        }
        write!(f, ")")?;
        match &self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

/// Storage buffers that the generated kernels bind at most: WebGPU's default limit.
pub const STORAGE_BUFFERS: u32 = 8;
/// Invocations of a workgroup at most: WebGPU's default limit.
pub const INVOCATIONS: u32 = 256;
/// Bytes of workgroup memory at most: WebGPU's default limit.
pub const WORKGROUP_BYTES: u32 = 16384;
/// Workgroups along one dimension at most: WebGPU's default limit.
pub const GROUPS_PER_DIMENSION: u32 = 65535;

fn allow_software() -> bool {
    std::env::var_os(ALLOW_SOFTWARE).is_some_and(|v| v == "1")
}

/// How much an adapter is wanted; `Err` says why it can't be used.
fn rank(adapter: &wgpu::Adapter) -> Result<u32, String> {
    let limits = adapter.limits();
    if limits.max_storage_buffers_per_shader_stage < STORAGE_BUFFERS
        || limits.max_compute_invocations_per_workgroup < INVOCATIONS
        || limits.max_compute_workgroup_storage_size < WORKGROUP_BYTES
        || limits.max_compute_workgroups_per_dimension < GROUPS_PER_DIMENSION
    {
        return Err("its compute limits are below WebGPU's defaults".into());
    }
    match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => Ok(4),
        wgpu::DeviceType::IntegratedGpu => Ok(3),
        wgpu::DeviceType::VirtualGpu => Ok(2),
        wgpu::DeviceType::Other => Ok(1),
        wgpu::DeviceType::Cpu if allow_software() => Ok(0),
        wgpu::DeviceType::Cpu => Err(format!(
            "a software adapter is slower than fovea's own CPU kernels (set {ALLOW_SOFTWARE}=1 to test with it)"
        )),
    }
}

fn describe(info: &wgpu::AdapterInfo) -> DeviceDescription {
    let kind = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => "discrete",
        wgpu::DeviceType::IntegratedGpu => "integrated",
        wgpu::DeviceType::VirtualGpu => "virtual",
        wgpu::DeviceType::Cpu => "software",
        wgpu::DeviceType::Other => "other",
    };
    let driver = [info.driver.as_str(), info.driver_info.as_str()].join(" ").trim().to_owned();
    DeviceDescription {
        name: info.name.clone(),
        backend: info.backend.to_string(),
        kind: kind.into(),
        driver,
        chosen: false,
        reason: None,
    }
}

pub(crate) fn instance() -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    descriptor.flags = wgpu::InstanceFlags::empty();
    wgpu::Instance::new(descriptor)
}

/// All adapters with their descriptions; exactly one is chosen if any can be used.
pub(crate) fn survey(instance: &wgpu::Instance) -> Vec<(wgpu::Adapter, DeviceDescription)> {
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let ranks: Vec<Result<u32, String>> = adapters.iter().map(rank).collect();
    let best = ranks.iter().filter_map(|r| r.as_ref().ok()).max().copied();
    let chosen = best.and_then(|best| ranks.iter().position(|r| r.as_ref().ok() == Some(&best)));
    let mut out: Vec<(wgpu::Adapter, DeviceDescription)> = Vec::new();
    for (i, (adapter, rank)) in adapters.into_iter().zip(ranks).enumerate() {
        let mut description = describe(&adapter.get_info());
        description.chosen = chosen == Some(i);
        description.reason = match rank {
            Err(why) => Some(why),
            Ok(_) if description.chosen => None,
            Ok(_) => Some("another adapter is preferred".into()),
        };
        out.push((adapter, description));
    }
    out
}

/// The adapter to use, or an error that says what was found and what to do.
pub(crate) fn choose(instance: &wgpu::Instance) -> Result<(wgpu::Adapter, DeviceDescription)> {
    let found = survey(instance);
    let list: Vec<String> = found.iter().map(|(_, d)| d.to_string()).collect();
    if let Some(chosen) = found.into_iter().find(|(_, d)| d.chosen) {
        return Ok(chosen);
    }
    let message = if list.is_empty() {
        "no GPU: neither Vulkan, Metal nor DirectX 12 reports an adapter. Install the GPU's driver \
         (on Linux also the Vulkan loader, libvulkan1), or use the CPU"
            .to_owned()
    } else {
        format!("no usable GPU; found {}. Install the GPU's driver, or use the CPU", list.join("; "))
    };
    Err(Error::device(message).expected("a Vulkan, Metal or DirectX 12 adapter").received(if list.is_empty() {
        "none".to_owned()
    } else {
        list.join("; ")
    }))
}
