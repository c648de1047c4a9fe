//! Plain bytes behind a lock.

use fovea_core::device::{BufferRef, DeviceBuffer};
use fovea_core::{Error, Result};
use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

/// What fresh memory holds: NaN as f32 and f64, −1 as an integer.
const POISON: u64 = u64::MAX;

/// A buffer of the reference runtime, aligned for every dtype.
#[derive(Debug)]
pub struct Bytes {
    words: Mutex<Vec<u64>>,
    bytes: usize,
}

impl Bytes {
    pub fn poisoned(bytes: usize) -> Arc<Bytes> {
        Arc::new(Bytes { words: Mutex::new(vec![POISON; bytes.div_ceil(8)]), bytes })
    }

    pub fn copy_of(bytes: &[u8]) -> Arc<Bytes> {
        let buffer = Bytes::poisoned(bytes.len());
        buffer.with(|target| target.copy_from_slice(bytes));
        buffer
    }

    /// Lends the bytes.
    pub fn with<T>(&self, body: impl FnOnce(&mut [u8]) -> T) -> T {
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: `words` owns at least `bytes` bytes, any bits are valid as u8 and u64, and the lock makes the
        // borrow unique.
        body(unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), self.bytes) })
    }
}

impl DeviceBuffer for Bytes {
    fn bytes(&self) -> usize {
        self.bytes
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// The buffer behind a reference.
pub fn of(buffer: &BufferRef) -> Result<&Bytes> {
    buffer.as_any().downcast_ref().ok_or_else(|| Error::device("a buffer of another runtime"))
}
