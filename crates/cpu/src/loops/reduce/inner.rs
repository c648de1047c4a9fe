//! Reductions along the reduced elements.

use super::super::code::Source;
use super::super::frame::Frame;
use super::super::space::Rect;
use super::super::strided;
use super::fold::Rows;
use super::tree::{CHUNK, LANES};
use super::{Item, Reducing};
use std::ops::Range;

impl Reducing {
    /// Bytes for the states of a block's rows.
    pub(super) fn temporary(&self) -> usize {
        16 * (self.block / self.tree.length.clamp(1, CHUNK)).max(1)
    }

    /// Folds the chunks `units`, counted output by output.
    ///
    /// # Safety
    /// As [`Reducing::run`]; each of `lanes` has room for 16 states, `temporary` for [`Reducing::temporary`] bytes.
    pub(super) unsafe fn inner(
        &self,
        mut frame: Frame<'_>,
        units: Range<usize>,
        targets: &[*mut u8],
        lanes: &[*mut u8],
        temporary: *mut u8,
    ) {
        let tree = self.tree;
        lanes.iter().enumerate().for_each(|(number, &lanes)| frame.fold_into(number, lanes));
        if self.code.whole {
            for (number, (item, &target)) in self.items.iter().zip(targets).enumerate() {
                frame.fold_into(number, target.wrapping_add(units.start * item.fold.state));
            }
            // SAFETY: the caller's; rows are groups, with a result each.
            return unsafe { frame.eval_rows(units) };
        }
        let mut unit = units.start;
        while unit < units.end {
            let (output, chunk) = (unit / tree.chunks, unit % tree.chunks);
            // SAFETY: the caller's.
            unsafe {
                if !self.folded && tree.runs_per_chunk == 1 && tree.length.min(CHUNK) <= self.block {
                    unit += self.rows_of_chunks(&mut frame, output, chunk, units.end - unit, targets, temporary);
                } else {
                    self.one_chunk(&mut frame, output, chunk, targets, lanes);
                    unit += 1;
                }
            }
        }
    }

    /// The row from element `start` of the order on.
    fn rect_at(&self, start: usize) -> Option<Rect> {
        let cols = self.space.cols();
        let (row, col) = (start / cols, start % cols);
        (row < self.space.rows()).then(|| Rect { row, rows: 1, col, cols: cols - col })
    }

    fn source(&self, frame: &Frame<'_>, item: &Item) -> *const u8 {
        match item.source {
            Source::Entry(entry) => frame.pointer(entry),
            Source::Strided(_) | Source::Folded => unreachable!("only blocks of values are folded along"),
        }
    }

    /// Folds up to `most` neighbouring chunks of one run each, as many as fit a block. Returns how many.
    ///
    /// # Safety
    /// As [`Reducing::inner`].
    unsafe fn rows_of_chunks(
        &self,
        frame: &mut Frame<'_>,
        output: usize,
        chunk: usize,
        most: usize,
        targets: &[*mut u8],
        temporary: *mut u8,
    ) -> usize {
        let tree = self.tree;
        let range = tree.chunk(chunk);
        let length = range.len();
        let piece = chunk % tree.pieces;
        let alike = match (tree.pieces, tree.chunks) {
            (1, 1) => most,
            (1, chunks) => chunks - chunk,
            // The last piece of a run may be shorter.
            (pieces, _) => (pieces - 1 - piece).max(1),
        };
        let rows = alike.min(most).min((self.block / length).max(1));
        let start = output * tree.size() + range.start;
        // SAFETY: the caller's.
        unsafe {
            frame.eval(&self.space.range(start, rows * length), rows * length, self.rect_at(start + rows * length))
        };
        let index_step = if tree.chunks == 1 { 0 } else { length as i32 };
        for (item, &target) in self.items.iter().zip(targets) {
            let src = self.source(frame, item);
            let of = Rows { src, rows, length, first: range.start as i32, index_step };
            let state = item.fold.state;
            // SAFETY: the block's values; the states of an output's chunks lie `outputs` apart.
            unsafe {
                let first = target.add((chunk * self.outputs + output) * state);
                if tree.chunks == 1 {
                    (item.fold.rows)(of, first);
                } else {
                    (item.fold.rows)(of, temporary);
                    strided::copy(state, first, (self.outputs as isize, 0), temporary, (1, 0), (rows, 1));
                }
            }
        }
        rows
    }

    /// Folds one chunk, block by block.
    ///
    /// # Safety
    /// As [`Reducing::inner`].
    unsafe fn one_chunk(
        &self,
        frame: &mut Frame<'_>,
        output: usize,
        chunk: usize,
        targets: &[*mut u8],
        lanes: &[*mut u8],
    ) {
        let tree = self.tree;
        let range = tree.chunk(chunk);
        for (item, &lanes) in self.items.iter().zip(lanes) {
            // SAFETY: room for 16 states.
            unsafe { (item.fold.start)(LANES, lanes) };
        }
        let mut at = range.start;
        if self.goes_by_rows() {
            let runs = range.start / tree.length..range.end / tree.length;
            let first = output * tree.runs;
            // SAFETY: the caller's; a run is a row.
            unsafe { frame.eval_rows(first + runs.start..first + runs.end) };
            at = range.end;
        }
        while at < range.end {
            let n = match tree.stretch(at, range.end, self.block) {
                n if self.folded => n.min(tree.length - at % tree.length),
                n => n,
            };
            // SAFETY: the caller's.
            unsafe {
                let start = output * tree.size() + at;
                frame.eval(&self.space.range(start, n), n, self.rect_at(start + n));
            }
            for (item, &lanes) in self.items.iter().zip(lanes).filter(|(item, _)| item.source != Source::Folded) {
                let src = self.source(frame, item);
                let mut done = 0;
                while done < n {
                    let length = (tree.length - (at + done) % tree.length).min(n - done);
                    // SAFETY: the block has n values.
                    unsafe {
                        (item.fold.absorb)(lanes, src.add(done * item.fold.element), length, (at + done) as i32);
                    }
                    done += length;
                }
            }
            at += n;
        }
        for ((item, &lanes), &target) in self.items.iter().zip(lanes).zip(targets) {
            let state = item.fold.state;
            // SAFETY: lanes hold 16 states; the target has one for each chunk and output.
            unsafe {
                (item.fold.combine)(lanes, 1, LANES);
                std::ptr::copy_nonoverlapping(lanes, target.add((chunk * self.outputs + output) * state), state);
            }
        }
    }
}
