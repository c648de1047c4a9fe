//! Memory that a thread's loops reuse.

use std::cell::Cell;

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "only its size and alignment count")] [u8; 64]);

thread_local! {
    static LINES: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// Calls `body` with `bytes` of this thread's memory, aligned to 64; what they hold is unspecified.
pub fn with<R>(bytes: usize, body: impl FnOnce(*mut u8) -> R) -> R {
    // Taken out meanwhile, so that a nested call gets memory of its own.
    let mut lines = LINES.take();
    let needed = bytes.div_ceil(size_of::<Line>());
    if lines.len() < needed {
        lines.resize(needed, Line([0; 64]));
    }
    let result = body(lines.as_mut_ptr().cast());
    LINES.set(lines);
    result
}
