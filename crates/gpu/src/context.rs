//! The open device: queue, limits, errors turned into typed ones, waiting.

use crate::adapters::{self, DeviceDescription};
use crate::buffers::Pool;
use crate::pipelines::Pipelines;
use fovea_core::{Error, Result};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Submissions that may be in flight before a new one waits for the oldest.
const IN_FLIGHT: usize = 3;

/// Turns on the shader's bounds checks when it is `1`.
const CHECKS: &str = "FOVEA_GPU_CHECKS";

/// What the runtime has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub dispatches: u64,
    pub submissions: u64,
    /// Pipelines compiled.
    pub pipelines: u64,
    /// Steps that ran on the host.
    pub fallbacks: u64,
    /// Bytes of device memory that tensors and running plans hold.
    pub live_bytes: u64,
    /// Bytes of device memory kept for reuse.
    pub cached_bytes: u64,
}

#[derive(Default)]
pub(crate) struct Tally {
    pub dispatches: AtomicU64,
    pub submissions: AtomicU64,
    /// Host steps by label.
    pub fallbacks: Mutex<BTreeMap<String, u64>>,
}

/// A device shared by the runtime, its executables and their buffers.
pub(crate) struct Gpu {
    // Declared first, so that buffers and pipelines go before the device that owns them.
    pub pool: Pool,
    pub pipelines: Pipelines,
    in_flight: Mutex<VecDeque<wgpu::SubmissionIndex>>,
    pub queue: wgpu::Queue,
    pub device: wgpu::Device,
    pub limits: wgpu::Limits,
    pub description: DeviceDescription,
    /// Why the device was lost, once it is.
    lost: Arc<OnceLock<String>>,
    pub tally: Tally,
    /// Bytes handed to `write_buffer` since the last submission; wgpu holds a copy of them until then.
    pub pending_upload: AtomicU64,
}

/// Locks, also after a panic elsewhere: the guarded values stay consistent between statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gpu {
    pub fn open() -> Result<Arc<Gpu>> {
        let instance = adapters::instance();
        let (adapter, description) = adapters::choose(&instance)?;
        let limits = adapter.limits();
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("fovea"),
            required_limits: limits.clone(),
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).map_err(|e| {
            Error::device(format!("{description} could not be opened: {e}. Update its driver, or use the CPU"))
        })?;
        let lost = Arc::new(OnceLock::new());
        let flag = lost.clone();
        device.set_device_lost_callback(move |reason, message| {
            let _ = flag.set(format!("{reason:?}: {message}"));
        });
        // Errors outside a scope have nobody to tell; without a handler wgpu would panic.
        device.on_uncaptured_error(Arc::new(|_| {}));
        let checked = std::env::var_os(CHECKS).is_some_and(|v| v == "1");
        Ok(Arc::new(Gpu {
            pool: Pool::default(),
            pipelines: Pipelines::new(checked),
            in_flight: Mutex::new(VecDeque::new()),
            queue,
            device,
            limits,
            description,
            lost,
            tally: Tally::default(),
            pending_upload: AtomicU64::new(0),
        }))
    }

    /// An error once the device is lost.
    pub fn alive(&self) -> Result<()> {
        match self.lost.get() {
            None => Ok(()),
            Some(why) => Err(Error::device_lost(format!(
                "{} was lost ({why}); what it held is gone. Open the device again or use the CPU",
                self.description.name
            ))),
        }
    }

    /// Runs calls into wgpu and turns what they report into a typed error.
    pub fn guarded<T>(&self, what: &str, body: impl FnOnce() -> T) -> Result<T> {
        self.alive()?;
        let scopes = [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Validation]
            .map(|filter| self.device.push_error_scope(filter));
        let result = catch_unwind(AssertUnwindSafe(body));
        let mut first = None;
        for scope in scopes.into_iter().rev() {
            first = pollster::block_on(scope.pop()).or(first);
        }
        self.alive()?;
        match (result, first) {
            (Ok(value), None) => Ok(value),
            (_, Some(wgpu::Error::OutOfMemory { .. })) => Err(Error::out_of_memory(format!(
                "{} ran out of memory {what}; {} bytes are live",
                self.description.name,
                self.pool.usage().0
            ))),
            (_, Some(wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. })) => {
                Err(Error::internal(format!("the GPU driver refused {what}: {description}")))
            }
            (Err(_), None) => Err(Error::internal(format!("the GPU driver panicked {what}"))),
        }
    }

    /// Waits until a submission, or everything submitted, is done.
    pub fn wait(&self, submission: Option<wgpu::SubmissionIndex>) -> Result<()> {
        self.alive()?;
        let poll = wgpu::PollType::Wait { submission_index: submission, timeout: None };
        // `poll` panics when the device is lost.
        let result = catch_unwind(AssertUnwindSafe(|| self.device.poll(poll)));
        self.alive()?;
        match result {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(e)) => Err(Error::internal(format!("waiting for the GPU failed: {e}"))),
            Err(_) => {
                let _ = self.lost.set("waiting for it failed".into());
                self.alive()
            }
        }
    }

    /// Submits and, where too much is in flight, waits for the oldest submission.
    pub fn submit(&self, commands: Option<wgpu::CommandBuffer>) -> Result<wgpu::SubmissionIndex> {
        let index = self.guarded("submitting", || self.queue.submit(commands))?;
        self.pending_upload.store(0, Ordering::Relaxed);
        self.tally.submissions.fetch_add(1, Ordering::Relaxed);
        let oldest = {
            let mut queue = lock(&self.in_flight);
            queue.push_back(index.clone());
            if queue.len() > IN_FLIGHT { queue.pop_front() } else { None }
        };
        if let Some(oldest) = oldest {
            self.wait(Some(oldest))?;
        }
        Ok(index)
    }

    pub fn counters(&self) -> Counters {
        let (live_bytes, cached_bytes) = self.pool.usage();
        Counters {
            dispatches: self.tally.dispatches.load(Ordering::Relaxed),
            submissions: self.tally.submissions.load(Ordering::Relaxed),
            pipelines: self.pipelines.count(),
            fallbacks: lock(&self.tally.fallbacks).values().sum(),
            live_bytes,
            cached_bytes,
        }
    }
}
