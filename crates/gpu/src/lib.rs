//! The GPU runtime over wgpu: device, memory, generated WGSL, the GEMM template, pipelines.
//! It knows no op by name.

mod adapters;
mod buffers;
mod compile;
mod context;
mod execute;
mod gemm;
mod host;
mod loops;
mod memory;
mod numbers;
mod pipelines;
mod reductions;
mod runtime;
mod space;
mod split;
mod transfer;
#[cfg(test)]
mod validation;
mod wgsl;

pub use adapters::{ALLOW_SOFTWARE, DeviceDescription};
pub use context::Counters;
pub use runtime::GpuRuntime;
