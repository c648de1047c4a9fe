//! Reductions across kept elements: strips of neighbouring results, sixteen rows of partial results each.

use super::super::code::{Frame, Source};
use super::super::space::Rect;
use super::super::strided;
use super::fold::Strip;
use super::tree::LANES;
use super::{Item, Reducing};
use std::ops::Range;

impl Reducing {
    /// Folds `units`: for each index of the kept dimensions outside, each chunk, the strips.
    ///
    /// # Safety
    /// As [`Reducing::run`]; each of `lanes` has room for 16 rows of `width` states.
    pub(super) unsafe fn outer(
        &self,
        mut frame: Frame<'_>,
        units: Range<usize>,
        targets: &[*mut u8],
        lanes: &[*mut u8],
    ) {
        let strips = self.space.cols().div_ceil(self.width);
        for unit in units {
            let (strip, rest) = (unit % strips, unit / strips);
            let (chunk, side) = (rest % self.tree.chunks, rest / self.tree.chunks);
            let col = strip * self.width;
            let cols = self.width.min(self.space.cols() - col);
            let first = Rect { row: side * self.tree.size(), rows: 1, col, cols };
            // SAFETY: the caller's.
            unsafe { self.strip(&mut frame, first, chunk, targets, lanes) };
        }
    }

    /// Folds one chunk of the groups that start in the row `first`.
    ///
    /// # Safety
    /// As [`Reducing::outer`].
    unsafe fn strip(
        &self,
        frame: &mut Frame<'_>,
        first: Rect,
        chunk: usize,
        targets: &[*mut u8],
        lanes: &[*mut u8],
    ) {
        let (tree, cols) = (self.tree, first.cols);
        let range = tree.chunk(chunk);
        for (item, &lanes) in self.items.iter().zip(lanes) {
            // SAFETY: room for 16 rows of states.
            unsafe { (item.fold.start)(LANES * cols, lanes) };
        }
        let most = (self.block / cols).max(1);
        let mut at = range.start;
        while at < range.end {
            let rows = tree.stretch(at, range.end, most);
            let rect = Rect { row: first.row + at, rows, ..first };
            // SAFETY: the caller's.
            unsafe { frame.eval(&[rect], rows * cols) };
            for (item, &lanes) in self.items.iter().zip(lanes) {
                // SAFETY: the block has been evaluated.
                unsafe { self.absorb_block(frame, item, rect, at, lanes) };
            }
            at += rows;
        }
        let used = tree.length.min(LANES);
        for ((item, &lanes), &target) in self.items.iter().zip(lanes).zip(targets) {
            let access = frame.access(item.access);
            let (at, step) = (self.space.start(access, first), access.inner());
            let state = item.fold.state;
            // SAFETY: the target has a state for each chunk and output.
            unsafe {
                (item.fold.combine)(lanes, cols, used);
                let dst = target.add((chunk * self.outputs + at as usize) * state);
                strided::copy(state, dst, (0, step), lanes, (0, 1), (1, cols));
            }
        }
    }

    /// Folds the rows of a block, from element `at` of the groups on.
    ///
    /// # Safety
    /// As [`Reducing::outer`].
    unsafe fn absorb_block(&self, frame: &Frame<'_>, item: &Item, rect: Rect, at: usize, lanes: *mut u8) {
        let (length, width, element) = (self.tree.length, rect.cols, item.fold.element);
        let mut done = 0;
        while done < rect.rows {
            let position = (at + done) % length;
            let rows = (length - position).min(rect.rows - done);
            let (lane, first) = (position % LANES, (at + done) as i32);
            match item.source {
                Source::Entry(entry) => {
                    // SAFETY: the block's values lie row by row.
                    unsafe {
                        let src = frame.pointer(entry).add(done * width * element);
                        (item.fold.absorb_rows)(lanes, Strip { src, rows, width, step: width as isize, lane, first });
                    }
                }
                Source::Strided(access) => {
                    let (from, base) = (frame.access(access), frame.base(access));
                    let mut before = 0;
                    self.space.pieces(from, Rect { row: rect.row + done, rows, ..rect }, |piece| {
                        // SAFETY: accesses are in bounds.
                        unsafe {
                            let src = base.offset(piece.start * element as isize);
                            let lane = (lane + before) % LANES;
                            let first = first.wrapping_add(before as i32);
                            let strip = Strip { src, rows: piece.rows, width, step: piece.row_step, lane, first };
                            (item.fold.absorb_rows)(lanes, strip);
                        }
                        before += piece.rows;
                    });
                }
            }
            done += rows;
        }
    }
}
