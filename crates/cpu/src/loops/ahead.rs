//! Memory that is asked for before it is needed: while a thread computes on what its caches hold, what comes next is
//! on its way.

use std::cell::{Cell, UnsafeCell};

/// Bytes that come with one request.
const LINE: usize = 64;

/// Runs of memory, all of one length, at equal distances.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    pub start: *const u8,
    /// Bytes of a run, and from run to run.
    pub run: usize,
    pub step: usize,
    pub runs: usize,
}

impl Region {
    fn lines(&self) -> usize {
        self.run.div_ceil(LINE) * self.runs
    }
}

/// What a thread asks for, a few lines with each block that it computes.
pub struct Ahead {
    regions: UnsafeCell<Vec<Region>>,
    /// Byte in the current run.
    at: Cell<usize>,
    /// Lines for each block; 0 where there is nothing to ask for.
    quota: Cell<usize>,
}

thread_local! {
    static AHEAD: Ahead =
        const { Ahead { regions: UnsafeCell::new(Vec::new()), at: Cell::new(0), quota: Cell::new(0) } };
}

/// Asks for memory that will be read or written soon. Any address is fine.
#[inline]
pub fn ask(from: *const u8, bytes: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..bytes).step_by(LINE) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: every x86-64 processor has it, and it never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.wrapping_add(line).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (from, bytes);
}

impl Ahead {
    /// Replaces what this thread asks for by `regions`, spread over `blocks` blocks.
    pub fn set(regions: impl Iterator<Item = Region>, blocks: usize) {
        AHEAD.with(|ahead| {
            // SAFETY: the thread's own, and nothing else is called meanwhile but the iterator, which doesn't come here.
            let list = unsafe { &mut *ahead.regions.get() };
            list.clear();
            list.extend(regions.filter(|r| r.run > 0 && r.runs > 0));
            ahead.at.set(0);
            let lines: usize = list.iter().map(Region::lines).sum();
            ahead.quota.set(lines.div_ceil(blocks.max(1)));
        });
    }

    /// This thread's, for as long as the thread lives.
    pub fn of_thread() -> *const Ahead {
        AHEAD.with(|ahead| ahead as *const Ahead)
    }

    /// Asks for the next few lines; says whether there were any.
    #[inline]
    pub fn step(&self) -> bool {
        let quota = self.quota.get();
        if quota > 0 {
            self.ask_lines(quota);
        }
        quota > 0
    }

    #[inline(never)]
    fn ask_lines(&self, mut lines: usize) {
        // SAFETY: as in `set`.
        let regions = unsafe { &mut *self.regions.get() };
        while lines > 0 {
            let Some(region) = regions.last_mut() else { return };
            let at = self.at.get();
            let bytes = (lines * LINE).min(region.run - at);
            ask(region.start.wrapping_add(at), bytes);
            lines -= bytes.div_ceil(LINE);
            self.at.set(at + bytes);
            if at + bytes == region.run {
                self.at.set(0);
                region.start = region.start.wrapping_add(region.step);
                region.runs -= 1;
                if region.runs == 0 {
                    regions.pop();
                }
            }
        }
    }
}
