//! Memory: aligned buffers from a process-wide allocator that keeps what is freed.
//!
//! Fresh memory costs page faults at a tenth of the speed at which it can be written, so a freed block is kept in its
//! size class and handed out again. What is kept is bounded; the oldest goes first. Exhaustion is a typed error, never
//! an abort.

use fovea_core::device::DeviceBuffer;
use fovea_core::error::{Error, Result};
use std::alloc::{Layout, alloc, dealloc};
use std::any::Any;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Alignment of every buffer: a cache line, and a vector of AVX-512.
pub const ALIGNMENT: usize = 64;
const PAGE: usize = 4096;
const HUGE_PAGE: usize = 2 << 20;
/// Blocks kept for reuse hold at most this many bytes, or as many as ever were live at once, whichever is more: so
/// that a step whose arena is larger than this still finds its memory again.
const CACHE_LIMIT: usize = 2 << 30;

/// Bytes on the CPU, aligned to [`ALIGNMENT`].
///
/// The contents are reached through raw pointers only, since a running plan writes buffers that it holds behind an
/// `Arc`. **Invariant**: a buffer is written only by its sole owner, or by the one running plan that allocated it or
/// took it over as its sole owner; nobody reads it meanwhile.
#[derive(Debug)]
pub struct Buffer {
    start: NonNull<u8>,
    bytes: usize,
    /// Bytes of the block behind it; 0 for an empty buffer, which has none.
    block: usize,
}

// SAFETY: a buffer is plain memory; `Buffer`'s invariant excludes writes while another thread reads.
unsafe impl Send for Buffer {}
// SAFETY: as above.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// `bytes` bytes of unspecified content.
    pub fn new(bytes: usize) -> Result<Buffer> {
        let (start, block) = if bytes == 0 { (dangling(), 0) } else { allocator().take(bytes)? };
        Ok(Buffer { start, bytes, block })
    }

    /// A buffer that holds a copy of `bytes`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Buffer> {
        let buffer = Buffer::new(bytes.len())?;
        // SAFETY: the buffer is new, so nothing else refers to it, and it has this length.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.as_mut_ptr(), bytes.len()) };
        Ok(buffer)
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn as_ptr(&self) -> *const u8 {
        self.start.as_ptr()
    }

    /// Whoever writes through this keeps the invariant of [`Buffer`].
    pub fn as_mut_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.block > 0 {
            allocator().give_back(Block(self.start), self.block);
        }
    }
}

impl DeviceBuffer for Buffer {
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

/// What the allocator holds, in bytes of whole blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryStats {
    /// In buffers that exist.
    pub live: usize,
    /// Freed and kept for reuse.
    pub cached: usize,
    /// The most that was live at once, since the start or the last [`reset_peak`].
    pub peak: usize,
}

/// The process's CPU memory.
pub fn stats() -> MemoryStats {
    allocator().lock().stats
}

/// Starts a new peak from what is live now.
pub fn reset_peak() {
    let mut state = allocator().lock();
    state.stats.peak = state.stats.live;
}

/// Refuses allocations past this many live bytes; `None` leaves the limit to the operating system.
pub fn set_budget(bytes: Option<usize>) {
    allocator().lock().budget = bytes.unwrap_or(usize::MAX);
}

/// Gives all kept blocks back to the operating system.
pub fn release_cached() {
    allocator().lock().shrink(0);
}

fn dangling() -> NonNull<u8> {
    NonNull::<Aligned>::dangling().cast()
}

#[repr(align(64))]
struct Aligned;

/// Start of an allocated block that nothing else refers to.
struct Block(NonNull<u8>);

// SAFETY: a block is plain memory with one owner.
unsafe impl Send for Block {}

#[derive(Default)]
struct State {
    stats: MemoryStats,
    budget: usize,
    /// Kept blocks by the time at which they were freed, with their sizes.
    kept: BTreeMap<u64, (usize, Block)>,
    /// The times of the kept blocks of each size, oldest first.
    by_size: HashMap<usize, VecDeque<u64>>,
    clock: u64,
}

struct Allocator(Mutex<State>);

fn allocator() -> &'static Allocator {
    static ALLOCATOR: OnceLock<Allocator> = OnceLock::new();
    ALLOCATOR.get_or_init(|| Allocator(Mutex::new(State { budget: usize::MAX, ..State::default() })))
}

/// Block size for a request: the next of four sizes in each doubling, so that at most a fifth is wasted.
fn block_size(bytes: usize) -> Option<usize> {
    let bytes = bytes.max(ALIGNMENT);
    let quarter = (1usize << bytes.ilog2()) / 4;
    let size = bytes.checked_next_multiple_of(quarter.max(ALIGNMENT))?;
    (size <= isize::MAX as usize - HUGE_PAGE).then_some(size)
}

fn block_layout(block: usize) -> Layout {
    let align = match block {
        b if b >= HUGE_PAGE => HUGE_PAGE,
        b if b >= 16 * PAGE => PAGE,
        _ => ALIGNMENT,
    };
    Layout::from_size_align(block, align).expect("a size that block_size accepted")
}

/// Large blocks lie on huge pages where the system gives them: a page fault instead of 512, and fewer addresses to look
/// up while they are read.
fn ask_for_huge_pages(start: NonNull<u8>, bytes: usize) {
    // SAFETY: whole pages of a block of our own; the advice changes no contents, and a refusal is no harm.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::madvise(start.as_ptr().cast(), bytes / HUGE_PAGE * HUGE_PAGE, libc::MADV_HUGEPAGE);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, bytes);
}

impl Allocator {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, bytes: usize) -> Result<(NonNull<u8>, usize)> {
        let mut state = self.lock();
        let Some(block) = block_size(bytes) else { return Err(state.exhausted(bytes)) };
        if state.stats.live.checked_add(block).is_none_or(|live| live > state.budget) {
            return Err(state.exhausted(bytes));
        }
        let start = match state.reuse(block) {
            Some(Block(start)) => start,
            None => {
                let room = state.budget - state.stats.live - block;
                state.shrink(room);
                let fresh = || {
                    let layout = block_layout(block);
                    // SAFETY: the layout's size is at least `ALIGNMENT`, so not zero.
                    let start = NonNull::new(unsafe { alloc(layout) })?;
                    if layout.align() == HUGE_PAGE {
                        ask_for_huge_pages(start, block);
                    }
                    Some(start)
                };
                let start = fresh().or_else(|| {
                    state.shrink(0);
                    fresh()
                });
                start.ok_or_else(|| state.exhausted(bytes))?
            }
        };
        state.stats.live += block;
        state.stats.peak = state.stats.peak.max(state.stats.live);
        Ok((start, block))
    }

    fn give_back(&self, start: Block, block: usize) {
        let mut state = self.lock();
        let time = state.clock;
        state.clock += 1;
        state.stats.live -= block;
        state.stats.cached += block;
        state.kept.insert(time, (block, start));
        state.by_size.entry(block).or_default().push_back(time);
        let room = CACHE_LIMIT.max(state.stats.peak).min(state.budget.saturating_sub(state.stats.live));
        state.shrink(room);
    }
}

impl State {
    /// The kept block of this size that was freed last, so that it may still be in a cache.
    fn reuse(&mut self, block: usize) -> Option<Block> {
        let time = self.by_size.get_mut(&block)?.pop_back()?;
        let (_, start) = self.kept.remove(&time)?;
        self.stats.cached -= block;
        Some(start)
    }

    /// Frees kept blocks, oldest first, until at most `limit` bytes are kept.
    fn shrink(&mut self, limit: usize) {
        while self.stats.cached > limit {
            let Some((_, (block, Block(start)))) = self.kept.pop_first() else { return };
            if let Some(times) = self.by_size.get_mut(&block) {
                times.pop_front();
            }
            self.stats.cached -= block;
            // SAFETY: the block came from `alloc` with this layout and has left both lists.
            unsafe { dealloc(start.as_ptr(), block_layout(block)) };
        }
    }

    fn exhausted(&self, requested: usize) -> Error {
        let budget = if self.budget == usize::MAX { "none".to_owned() } else { format!("{} bytes", self.budget) };
        let live = self.stats.live;
        Error::out_of_memory(format!(
            "out of CPU memory: {requested} bytes requested with {live} bytes live (budget: {budget})"
        ))
        .received(format!("{requested} bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fovea_core::ErrorKind;

    #[test]
    fn sizes_waste_little_and_never_shrink() {
        for bytes in (1..5000).chain([1 << 20, (1 << 20) + 1, 12_345_678, 3 << 30]) {
            let block = block_size(bytes).unwrap();
            assert!(block >= bytes && block.is_multiple_of(ALIGNMENT));
            assert!(bytes < 256 || block as f64 <= 1.25 * bytes as f64 + 64.0, "{bytes} in {block}");
            assert_eq!(block_size(block), Some(block));
        }
        assert_eq!(block_size(usize::MAX), None);
    }

    #[test]
    fn buffers_are_aligned_reused_and_hold_what_was_written() {
        let empty = Buffer::new(0).unwrap();
        assert_eq!((empty.bytes(), empty.as_ptr() as usize % ALIGNMENT), (0, 0));
        let odd = 7_654_321;
        let first = Buffer::new(odd).unwrap();
        let address = first.as_ptr();
        assert_eq!(address as usize % PAGE, 0);
        drop(first);
        assert_eq!(Buffer::new(odd - 5).unwrap().as_ptr(), address);
        let held = Buffer::from_bytes(&[1, 2, 3]).unwrap();
        // SAFETY: three bytes were written and nothing writes them now.
        assert_eq!(unsafe { std::slice::from_raw_parts(held.as_ptr(), 3) }, [1, 2, 3]);
    }

    #[test]
    fn exhaustion_is_an_error_that_names_the_sizes() {
        let error = Buffer::new(usize::MAX / 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        assert!(error.to_string().contains(&(usize::MAX / 2).to_string()));
        assert_eq!(Buffer::new(usize::MAX).unwrap_err().kind(), ErrorKind::OutOfMemory);
    }

    #[test]
    fn a_budget_counts_live_bytes_and_drops_kept_ones_first() {
        let private = Allocator(Mutex::new(State { budget: 12_000, ..State::default() }));
        let (a, block) = private.take(7000).unwrap();
        let error = private.take(7000).unwrap_err();
        assert!(error.to_string().contains("7000 bytes requested") && error.to_string().contains("12000"), "{error}");
        private.give_back(Block(a), block);
        assert_eq!(private.lock().stats, MemoryStats { live: 0, cached: block, peak: block });
        let (b, second) = private.take(9000).unwrap();
        assert_eq!(private.lock().stats.cached, 0);
        private.give_back(Block(b), second);
        private.lock().shrink(0);
    }
}
