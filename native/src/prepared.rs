//! Values that threads make: batches, weights. They wait here until the thread of their graph takes them over.

use crate::environment::{Call, Environment};
use crate::promise::{Delivery, Ending};
use fovea_core::device::{BufferRef, Device, Runtime};
use fovea_core::graph::Cell;
use fovea_core::{Error, Result, TensorType};
use fovea_cpu::memory::Buffer;
use napi_sys::napi_value;
use rustc_hash::FxHashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

pub const FUNCTIONS: &[(&str, Call)] = &[("takePrepared", take_prepared)];

/// A value on a device that belongs to no graph yet.
pub struct Made {
    ty: TensorType,
    buffer: BufferRef,
}

impl Made {
    /// A value of these bytes in row-major order.
    pub fn new(runtime: &dyn Runtime, ty: TensorType, bytes: &[u8]) -> Result<Made> {
        Ok(Made { ty, buffer: runtime.upload(bytes, ty.dtype)? })
    }

    /// A value that `write` makes in zeroed memory. Errors: out of memory, and those of `write`.
    pub fn written(runtime: &dyn Runtime, ty: TensorType, write: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<Made> {
        let buffer = Buffer::new(ty.bytes())?;
        // SAFETY: the buffer is new, so nothing else refers to it, has this length, and is filled before it is a slice.
        let bytes = unsafe {
            std::ptr::write_bytes(buffer.as_mut_ptr(), 0, buffer.bytes());
            std::slice::from_raw_parts_mut(buffer.as_mut_ptr(), buffer.bytes())
        };
        write(bytes)?;
        if runtime.device() != Device::Cpu {
            return Made::new(runtime, ty, bytes);
        }
        Ok(Made { ty, buffer: Arc::new(buffer) })
    }
}

/// What one piece of work made, and where it lies.
struct Lot {
    device: Device,
    values: Vec<Made>,
}

#[derive(Default)]
struct Inner {
    lots: FxHashMap<u32, Lot>,
    last: u32,
}

/// The values that wait for one environment, by number; they go with it.
#[derive(Clone, Default)]
pub struct Prepared {
    inner: Arc<Mutex<Inner>>,
}

impl Prepared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets values wait; returns the number under which `takePrepared` finds them.
    pub fn put(&self, device: Device, values: Vec<Made>) -> u32 {
        let mut inner = self.lock();
        inner.last = inner.last.wrapping_add(1);
        let number = inner.last;
        inner.lots.insert(number, Lot { device, values });
        number
    }

    /// What resolves a promise with the number of `values`.
    pub fn delivery(&self, device: Device, values: Vec<Made>) -> Delivery {
        let prepared = self.clone();
        Box::new(move |js| js.number(f64::from(prepared.put(device, values))))
    }
}

/// Leaves with the values that wait under a number: one handle each to adopt.
fn take_prepared(e: &mut Environment, a: &[napi_value]) -> Result<napi_value> {
    let number = e.js.to_u32(a[0], "number")?;
    let Lot { device, values } =
        e.prepared.lock().lots.remove(&number).ok_or_else(|| Error::internal("nothing waits under this number"))?;
    let mut handles = Vec::with_capacity(values.len());
    for Made { ty, buffer } in values {
        let cell = Cell::ready(buffer, ty.bytes(), e.graph.account());
        let val = e.graph.leaf(ty, cell, device, false)?;
        handles.push(e.handles.make(&mut e.graph, val)?);
    }
    e.housekeeping()?;
    e.js.numbers(handles.into_iter().map(f64::from))
}

/// Runs `work` on a thread of its own; the promise settles with what it gives.
pub fn background(e: &Environment, work: impl FnOnce() -> Ending + Send + 'static) -> Result<napi_value> {
    // The promise is made once the thread runs: a promise that nothing settles would keep the process alive.
    let (hand_over, handed) = mpsc::channel::<Box<dyn FnOnce(Ending) + Send>>();
    let run = move || {
        let Ok(settle) = handed.recv() else { return };
        let outcome = catch_unwind(AssertUnwindSafe(work));
        settle(outcome.unwrap_or_else(|_| Err(Error::internal("work on a thread panicked; this is a bug in Fovea"))));
    };
    std::thread::Builder::new()
        .name("fovea-loader".into())
        .spawn(run)
        .map_err(|e| Error::internal(format!("a thread could not be started: {e}")))?;
    let (promise, settle) = e.promises.deliver(e.js)?;
    hand_over.send(Box::new(settle)).map_err(|_| Error::internal("a thread ended before its work"))?;
    Ok(promise)
}
