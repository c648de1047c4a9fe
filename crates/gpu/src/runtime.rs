//! The runtime that core sees.

use crate::adapters::{self, DeviceDescription};
use crate::buffers::{TensorBuffer, tensor};
use crate::compile::compile;
use crate::context::{Counters, Gpu, lock};
use crate::execute::GpuPlan;
use crate::transfer;
use fovea_core::device::{BufferRef, Device, Executable, Runtime};
use fovea_core::plan::Plan;
use fovea_core::shape::Layout;
use fovea_core::{DType, Error, Result};
use std::sync::Arc;

/// A GPU that runs plans.
///
/// Values are f32, i32, i64 (held as i32, checked on the way in), u8 and bool. What the GPU can't do (f64, ops without
/// a GPU kernel) runs on the fallback runtime, with copies between; [`GpuRuntime::counters`] tells how often.
pub struct GpuRuntime {
    gpu: Arc<Gpu>,
    fallback: Option<Arc<dyn Runtime>>,
}

impl GpuRuntime {
    /// Opens the best adapter, with hand-written CPU kernels as the only fallback.
    ///
    /// # Errors
    /// `DeviceError` when no adapter can be used; the message says which were found, why they were refused and what
    /// to do. Software adapters are refused unless `FOVEA_ALLOW_SOFTWARE_GPU=1`.
    pub fn open() -> Result<GpuRuntime> {
        Ok(GpuRuntime { gpu: Gpu::open()?, fallback: None })
    }

    /// As [`GpuRuntime::open`], with a runtime for the steps that the GPU can't do.
    pub fn open_with(fallback: Arc<dyn Runtime>) -> Result<GpuRuntime> {
        Ok(GpuRuntime { gpu: Gpu::open()?, fallback: Some(fallback) })
    }

    /// All adapters of this machine; one is chosen, the others carry the reason why not.
    pub fn devices() -> Vec<DeviceDescription> {
        adapters::survey(&adapters::instance()).into_iter().map(|(_, d)| d).collect()
    }

    /// The adapter that is open.
    pub fn description(&self) -> &DeviceDescription {
        &self.gpu.description
    }

    pub fn counters(&self) -> Counters {
        self.gpu.counters()
    }

    /// The steps that ran on the host, by label, with how often each did.
    pub fn fallbacks(&self) -> Vec<(String, u64)> {
        lock(&self.gpu.tally.fallbacks).iter().map(|(label, n)| (label.clone(), *n)).collect()
    }

    /// Frees the device memory that is kept for reuse.
    pub fn trim(&self) {
        self.gpu.pool.trim();
    }

    /// Waits until all submitted work is done.
    pub fn synchronize(&self) -> Result<()> {
        self.gpu.wait(None)
    }

    /// Destroys the device as if it had been lost, for tests of what happens then.
    #[doc(hidden)]
    pub fn lose_device(&self) {
        self.gpu.device.destroy();
        let _ = self.gpu.wait(None);
    }
}

impl Runtime for GpuRuntime {
    fn device(&self) -> Device {
        Device::Gpu(0)
    }

    fn max_slots(&self) -> Option<usize> {
        Some(adapters::STORAGE_BUFFERS as usize)
    }

    fn compile(&self, plan: &Arc<Plan>) -> Result<Arc<dyn Executable>> {
        self.gpu.alive()?;
        let compiled = compile(plan, self.fallback.as_ref(), None)?;
        Ok(Arc::new(GpuPlan::new(&self.gpu, self.fallback.clone(), compiled)?))
    }

    fn upload(&self, bytes: &[u8], dtype: DType) -> Result<BufferRef> {
        self.gpu.alive()?;
        Ok(Arc::new(TensorBuffer::Device(Arc::new(transfer::upload(&self.gpu, bytes, dtype)?))))
    }

    fn read(&self, buffer: &BufferRef, dtype: DType, layout: &Layout, target: &mut [u8]) -> Result<()> {
        match (tensor(buffer)?, &self.fallback) {
            (TensorBuffer::Device(buffer), _) => transfer::read(&self.gpu, buffer, dtype, layout, target),
            (TensorBuffer::Host(buffer), Some(runtime)) => runtime.read(buffer, dtype, layout, target),
            (TensorBuffer::Host(_), None) => Err(Error::internal("a host buffer without its runtime")),
        }
    }
}
