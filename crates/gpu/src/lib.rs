//! The GPU runtime over wgpu: device, memory, generated WGSL, the GEMM template, pipelines.
//! It knows no op by name.
//!
//! **Elements** are 32-bit words on the device: f32 and i32 as they are, i64 as i32 (checked at upload; arithmetic wraps
//! at 32 bits), u8 and bool as u32. An op's own kernel ([`fovea_core::op::WgslKernel`]) sees row-major inputs of such
//! words, from element 0 on; strided inputs are copied first, outputs that nobody wants are bound all the same.
//!
//! **Steps.** A loop nest is one kernel where its slots fit eight bindings, else its program is cut; a reducing nest
//! has a second stage where few outputs have many elements; a contraction is one GEMM kernel, with a second stage where
//! its sum is split. What touches f64, and ops without a kernel, run on the host with copies between
//! ([`GpuRuntime::fallbacks`]).
//!
//! **Switches.** `FOVEA_ALLOW_SOFTWARE_GPU=1` admits software adapters, `FOVEA_GPU_CHECKS=1` compiles shaders with
//! bounds checks.

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
