//! Workers that share the tasks of one product: each has scratch memory of its own, and takes tasks as it is done.

use super::kernel::{Engine, Kernels};
use super::operand::Product;
use crate::memory::Buffer;
use fovea_core::Result;
use fovea_core::device::Threads;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A product over given buffers, as its workers see it.
#[derive(Clone, Copy)]
pub(super) struct Call<'a, T: 'static> {
    pub product: &'a Product,
    pub engine: &'static Engine<T>,
    /// The operand that is broadcast, and the one that is read as vectors.
    pub left: *const T,
    pub right: *const T,
    pub sums: Sums<T>,
}

// SAFETY: workers only read the operands, and tasks write different elements of the result.
unsafe impl<T: Kernels> Sync for Call<'_, T> {}

/// The result of a product, whose sum is cut into chunks: the first goes to `out`, each other one to a buffer that lies
/// like it.
#[derive(Clone, Copy)]
pub(super) struct Sums<T> {
    pub out: *mut T,
    pub partial: *mut T,
    /// Elements of one result.
    pub elements: usize,
    /// Terms of a chunk.
    pub chunk: usize,
    pub chunks: usize,
}

impl<T> Sums<T> {
    /// Where the sums of a chunk go.
    pub fn of(&self, chunk: usize) -> *mut T {
        match chunk {
            0 => self.out,
            chunk => self.partial.wrapping_add((chunk - 1) * self.elements),
        }
    }
}

/// What one thread works with.
pub(super) trait Worker {
    /// # Safety
    /// The operands lie in their buffers; the sums have room, and nobody else touches what this task writes.
    unsafe fn run(&mut self, task: usize);
}

/// How many share how much work.
pub(super) struct Team {
    pub workers: usize,
    pub tasks: usize,
    /// Tasks that a worker takes at a time.
    pub batch: usize,
    /// Bytes of each worker's memory.
    pub scratch: usize,
}

/// Start of the memory of all workers.
struct Memory(*mut u8);

// SAFETY: each worker uses its own part.
unsafe impl Sync for Memory {}

impl Memory {
    fn part(&self, index: usize, bytes: usize) -> *mut u8 {
        self.0.wrapping_add(index * bytes)
    }
}

impl Team {
    /// Runs all tasks; `recruit` makes a worker from its memory, which is aligned to 64 bytes and of any content.
    ///
    /// # Safety
    /// The operands lie in their buffers; the sums have room, nobody else touches them, and tasks write different ones.
    pub unsafe fn run<W: Worker>(&self, threads: &dyn Threads, recruit: impl Fn(*mut u8) -> W + Sync) -> Result<()> {
        let bytes = self.scratch.next_multiple_of(128);
        let buffer = Buffer::new(self.workers * bytes)?;
        let memory = Memory(buffer.as_mut_ptr());
        let next = AtomicUsize::new(0);
        let work = |index: usize| {
            let mut worker = recruit(memory.part(index, bytes));
            loop {
                let first = next.fetch_add(self.batch, Ordering::Relaxed);
                if first >= self.tasks {
                    return;
                }
                for task in first..(first + self.batch).min(self.tasks) {
                    // SAFETY: by this function's contract.
                    unsafe { worker.run(task) };
                }
            }
        };
        if self.workers == 1 {
            work(0)
        } else {
            threads.run(self.workers, &work)
        }
        Ok(())
    }
}
