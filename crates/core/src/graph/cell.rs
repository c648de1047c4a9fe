//! Cells: the places where jobs leave values.

use crate::device::BufferRef;
use crate::error::{Error, Result};
use crate::shape::Layout;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A buffer that exists or that a job in flight will fill.
#[derive(Debug)]
pub struct Cell {
    state: Mutex<State>,
    bytes: i64,
    /// Sum of the bytes of one graph's cells.
    account: Arc<AtomicI64>,
}

enum State {
    Pending,
    Ready(BufferRef),
    Failed(Error),
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            State::Pending => "pending",
            State::Ready(_) => "ready",
            State::Failed(_) => "failed",
        })
    }
}

impl Cell {
    pub fn new(bytes: usize, account: &Arc<AtomicI64>) -> Arc<Cell> {
        account.fetch_add(bytes as i64, Ordering::Relaxed);
        Arc::new(Cell { state: Mutex::new(State::Pending), bytes: bytes as i64, account: account.clone() })
    }

    pub fn ready(buffer: BufferRef, bytes: usize, account: &Arc<AtomicI64>) -> Arc<Cell> {
        let cell = Cell::new(bytes, account);
        cell.fill(buffer);
        cell
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn fill(&self, buffer: BufferRef) {
        *self.lock() = State::Ready(buffer);
    }

    pub fn fail(&self, error: Error) {
        *self.lock() = State::Failed(error);
    }

    pub fn is_ready(&self) -> bool {
        !matches!(*self.lock(), State::Pending)
    }

    /// The buffer; the job's error where it failed.
    pub fn buffer(&self) -> Result<BufferRef> {
        match &*self.lock() {
            State::Ready(buffer) => Ok(buffer.clone()),
            State::Failed(error) => Err(error.clone()),
            State::Pending => Err(Error::internal("a value was read before its job ran")),
        }
    }

    /// The buffer, taken out of the cell; for the cell's last owner.
    pub fn into_buffer(self: Arc<Cell>) -> Result<BufferRef> {
        match Arc::try_unwrap(self) {
            Ok(cell) => match std::mem::replace(&mut *cell.lock(), State::Pending) {
                State::Ready(buffer) => Ok(buffer),
                State::Failed(error) => Err(error),
                State::Pending => Err(Error::internal("a value was read before its job ran")),
            },
            Err(shared) => shared.buffer(),
        }
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        self.account.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A materialised value: a cell and where in its buffer the elements lie.
#[derive(Clone, Debug)]
pub struct Value {
    pub cell: Arc<Cell>,
    pub layout: Layout,
}
