//! Device memory: buffers that go back to a pool by size class when their last owner drops them.

use crate::context::{Gpu, lock};
use fovea_core::device::{BufferRef, DeviceBuffer};
use fovea_core::{Error, Result};
use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Smallest buffer; wgpu binds none of size zero.
const SMALLEST: u64 = 256;

/// Cached bytes beyond the live ones that are kept before a fresh allocation empties the cache.
const SLACK: u64 = 256 << 20;

/// What a buffer is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Purpose {
    /// Tensors and intermediates.
    Storage,
    /// Numbers that a run passes to its kernels.
    Uniform,
    /// Readback.
    Staging,
}

impl Purpose {
    fn usages(self) -> wgpu::BufferUsages {
        use wgpu::BufferUsages as U;
        match self {
            Purpose::Storage => U::STORAGE | U::COPY_SRC | U::COPY_DST,
            Purpose::Uniform => U::UNIFORM | U::COPY_DST,
            Purpose::Staging => U::MAP_READ | U::COPY_DST,
        }
    }
}

/// Rounds up to one of four sizes between powers of two, so that at most a fifth is wasted.
fn size_class(bytes: u64) -> u64 {
    if bytes <= SMALLEST {
        return SMALLEST;
    }
    let step = (bytes - 1).ilog2() - 2;
    bytes.div_ceil(1 << step) << step
}

/// Unused buffers by purpose and size.
#[derive(Default)]
pub(crate) struct Pool {
    free: Mutex<HashMap<(Purpose, u64), Vec<wgpu::Buffer>>>,
    live: AtomicU64,
    cached: AtomicU64,
}

impl Pool {
    /// Bytes (live, cached).
    pub fn usage(&self) -> (u64, u64) {
        (self.live.load(Ordering::Relaxed), self.cached.load(Ordering::Relaxed))
    }

    fn reuse(&self, key: (Purpose, u64)) -> Option<wgpu::Buffer> {
        let buffer = lock(&self.free).get_mut(&key)?.pop()?;
        self.cached.fetch_sub(key.1, Ordering::Relaxed);
        Some(buffer)
    }

    /// Frees all that nobody uses.
    pub fn trim(&self) {
        let freed = std::mem::take(&mut *lock(&self.free));
        let bytes: u64 = freed.iter().map(|((_, size), buffers)| size * buffers.len() as u64).sum();
        self.cached.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A piece of device memory.
pub(crate) struct Buffer {
    raw: Option<wgpu::Buffer>,
    purpose: Purpose,
    size: u64,
    gpu: Arc<Gpu>,
}

impl Buffer {
    /// A buffer of at least `bytes` bytes with unspecified contents.
    pub fn take(gpu: &Arc<Gpu>, purpose: Purpose, bytes: u64) -> Result<Buffer> {
        let limit = match purpose {
            Purpose::Storage => gpu.limits.max_storage_buffer_binding_size.min(gpu.limits.max_buffer_size),
            Purpose::Uniform | Purpose::Staging => gpu.limits.max_buffer_size,
        };
        if bytes > limit {
            return Err(Error::device(format!(
                "a tensor of {bytes} bytes is larger than what {} lets a kernel bind ({limit} bytes); \
                 use smaller batches or the CPU",
                gpu.description.name
            ))
            .expected(format!("at most {limit} bytes"))
            .received(format!("{bytes} bytes")));
        }
        let size = size_class(bytes).min(gpu.limits.max_buffer_size & !3);
        let raw = match gpu.pool.reuse((purpose, size)) {
            Some(raw) => raw,
            None => Buffer::create(gpu, purpose, size)?,
        };
        gpu.pool.live.fetch_add(size, Ordering::Relaxed);
        Ok(Buffer { raw: Some(raw), purpose, size, gpu: gpu.clone() })
    }

    fn create(gpu: &Arc<Gpu>, purpose: Purpose, size: u64) -> Result<wgpu::Buffer> {
        let (live, cached) = gpu.pool.usage();
        if cached > live + SLACK {
            gpu.pool.trim();
        }
        let descriptor =
            wgpu::BufferDescriptor { label: None, size, usage: purpose.usages(), mapped_at_creation: false };
        let create = || gpu.guarded(&format!("allocating {size} bytes"), || gpu.device.create_buffer(&descriptor));
        match create() {
            Err(e) if e.kind() == fovea_core::ErrorKind::OutOfMemory => {
                // Freed buffers leave the device when what used them is done.
                gpu.pool.trim();
                gpu.wait(None)?;
                create()
            }
            other => other,
        }
    }

    pub fn raw(&self) -> &wgpu::Buffer {
        self.raw.as_ref().expect("only drop takes it")
    }

    /// Allocated bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(raw) = self.raw.take() else { return };
        self.gpu.pool.live.fetch_sub(self.size, Ordering::Relaxed);
        if self.gpu.alive().is_ok() {
            self.gpu.pool.cached.fetch_add(self.size, Ordering::Relaxed);
            lock(&self.gpu.pool.free).entry((self.purpose, self.size)).or_default().push(raw);
        }
    }
}

/// The memory of one tensor as core holds it.
pub(crate) enum TensorBuffer {
    Device(Arc<Buffer>),
    /// A value of a dtype that the GPU doesn't have (f64), held by the runtime for fallbacks.
    Host(BufferRef),
}

impl DeviceBuffer for TensorBuffer {
    fn bytes(&self) -> usize {
        match self {
            TensorBuffer::Device(buffer) => buffer.size() as usize,
            TensorBuffer::Host(buffer) => buffer.bytes(),
        }
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// The runtime's own type of a buffer that core hands back.
pub(crate) fn tensor(buffer: &BufferRef) -> Result<&TensorBuffer> {
    buffer
        .as_any()
        .downcast_ref::<TensorBuffer>()
        .ok_or_else(|| Error::device("a buffer of another device was given to the GPU; move it with to('gpu')"))
}

#[cfg(test)]
mod tests {
    use super::size_class;

    #[test]
    fn size_classes_waste_little_and_keep_alignment() {
        assert_eq!(size_class(0), 256);
        assert_eq!(size_class(257), 320);
        assert_eq!(size_class(1024), 1024);
        for bytes in (257..1_000_000).step_by(97) {
            let class = size_class(bytes);
            assert!(class >= bytes && class.is_multiple_of(64) && (class - bytes) * 4 < bytes, "{bytes} {class}");
            assert_eq!(size_class(class), class);
        }
    }
}
