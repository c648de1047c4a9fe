//! Reductions across kept elements: strips of neighbouring results, sixteen rows of partial results each.

use super::super::code::Source;
use super::super::frame::Frame;
use super::super::space::Rect;
use super::super::strided;
use super::fold::Strip;
use super::tree::LANES;
use super::{Item, Reducing};
use std::ops::Range;

/// Most columns of a strip.
const STRIP: usize = 1024;
/// Blocks further down that a block asks for.
const ROWS_AHEAD: usize = 2;

impl Reducing {
    /// Columns of a strip: as many as keep its partial results in the second-level cache, so that rows are read far
    /// enough at a time, but few enough to give every thread some.
    pub(super) fn strip_width(&self, threads: usize) -> usize {
        let cols = self.space.cols();
        let units = self.space.rows() / self.tree.size().max(1) * self.tree.chunks;
        // Single rows are dear to cut: each piece of each costs as much as a hundred elements.
        let (wanted, unit) = if self.single { (threads, 64) } else { (4 * threads, self.width) };
        let strips = cols.div_ceil(STRIP).max(if threads > 1 { wanted.div_ceil(units.max(1)) } else { 1 });
        cols.div_ceil(strips).next_multiple_of(unit)
    }

    /// Folds `units`: for each index of the kept dimensions outside, each chunk, the strips of `strip` columns.
    ///
    /// # Safety
    /// As [`Reducing::run`]; each of `lanes` has room for 16 rows of `strip` states.
    pub(super) unsafe fn outer(
        &self,
        mut frame: Frame<'_>,
        units: Range<usize>,
        strip: usize,
        targets: &[*mut u8],
        lanes: &[*mut u8],
    ) {
        let strips = self.space.cols().div_ceil(strip);
        for unit in units {
            let (index, rest) = (unit % strips, unit / strips);
            let (chunk, side) = (rest % self.tree.chunks, rest / self.tree.chunks);
            let col = index * strip;
            let cols = strip.min(self.space.cols() - col);
            let first = Rect { row: side * self.tree.size(), rows: 1, col, cols };
            // SAFETY: the caller's.
            unsafe { self.fold_strip(&mut frame, first, chunk, targets, lanes) };
        }
    }

    /// Folds one chunk of the groups that start in the row `first`.
    ///
    /// # Safety
    /// As [`Reducing::outer`].
    unsafe fn fold_strip(
        &self,
        frame: &mut Frame<'_>,
        first: Rect,
        chunk: usize,
        targets: &[*mut u8],
        lanes: &[*mut u8],
    ) {
        let tree = self.tree;
        let range = tree.chunk(chunk);
        for (item, &lanes) in self.items.iter().zip(lanes) {
            // SAFETY: room for 16 rows of states.
            unsafe { (item.fold.start)(LANES * first.cols, lanes) };
        }
        // Blocks of a few rows go along the strip; the lanes of each of its tiles lie together.
        let tiles = || {
            (0..first.cols).step_by(self.width).map(|before| {
                let cols = self.width.min(first.cols - before);
                (before, Rect { col: first.col + before, cols, ..first })
            })
        };
        let most = (self.block / self.width.min(first.cols)).max(1);
        let mut at = range.start;
        while at < range.end {
            let rows = match (self.single, self.folded) {
                (true, _) => 1,
                // Up to the last lane and the end of the run, so that the block's values have neighbouring lanes.
                (_, true) => most.min(range.end - at).min(tree.length - at % tree.length).min(LANES - self.lane(at)),
                _ => tree.stretch(at, range.end, most),
            };
            let soon = at + rows * ROWS_AHEAD;
            for (before, tile) in tiles() {
                let rect = Rect { row: first.row + at, rows, ..tile };
                let next = (soon < range.end).then(|| Rect { row: first.row + soon, rows: 1, ..tile });
                for (number, (item, &lanes)) in self.items.iter().zip(lanes).enumerate() {
                    // SAFETY: tiles lie behind one another, each with its lanes.
                    let tile = unsafe { lanes.add((before * LANES + self.lane(at) * tile.cols) * item.fold.state) };
                    frame.fold_into(number, tile);
                }
                // SAFETY: the caller's.
                unsafe { frame.eval(&[rect], rows * rect.cols, next) };
                let apart = |(item, _): &(&Item, _)| item.source != Source::Folded;
                for (item, &lanes) in self.items.iter().zip(lanes).filter(apart) {
                    // SAFETY: the block has been evaluated; tiles lie behind one another.
                    unsafe { self.absorb_block(frame, item, rect, at, lanes.add(before * LANES * item.fold.state)) };
                }
            }
            at += rows;
        }
        let used = tree.length.min(LANES);
        for ((item, &lanes), &target) in self.items.iter().zip(lanes).zip(targets) {
            let access = frame.access(item.access);
            let state = item.fold.state;
            for (before, tile) in tiles() {
                let (at, step) = (self.space.start(access, tile), access.inner());
                // SAFETY: the target has a state for each chunk and output.
                unsafe {
                    let lanes = lanes.add(before * LANES * state);
                    (item.fold.combine)(lanes, tile.cols, used);
                    let dst = target.add((chunk * self.outputs + at as usize) * state);
                    strided::copy(state, dst, (0, step), lanes, (0, 1), (1, tile.cols));
                }
            }
        }
    }

    /// The lane of an element of a group.
    fn lane(&self, at: usize) -> usize {
        at % self.tree.length % LANES
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
                Source::Folded => {}
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
