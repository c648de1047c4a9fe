//! Depthwise convolutions whose operands lie channels-last: read where they lie, as many channels at a time as a vector
//! has lanes. Windows that reach over an image's edge read zeros there, which are terms of the sum like any other.
//!
//! Forwards and towards the input, a tile of neighbouring positions is held in registers while the taps pass. Towards
//! the weight, the taps are, while the positions pass.

mod kernels;

pub(super) use kernels::{PixelTile, Reach, SLIDING, Span, TAPS, TapTile, pixel_tile, tap_tile};

use super::image::{Rows, Sliding};
use super::kernel::{KC, Kernels};
use super::operand::{Product, TileSize};
use super::problem::{Access, Problem};
use super::team::{Call, Team, Worker};
use crate::loops::copy_strided;
use fovea_core::Result;
use fovea_core::device::Threads;
use std::ops::Range;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Depthwise {
    rows: Rows,
}

/// Fewer multiply-adds than this are not worth another thread.
const SHARE: usize = 1 << 16;
/// Tasks for each thread, so that one that was held up leaves work to the others.
const TASKS_PER_THREAD: usize = 8;
/// Positions whose tiles are listed at a time, at most, or one row's.
const STRIP: usize = 1024;
/// Zeros for neighbouring positions to step through, where the positions are summed.
const ZEROS: usize = 2048;

impl Depthwise {
    /// How a product of one column is computed in place: `left` is the access behind its broadcast operand, `outer` its
    /// loops. `None` where it has not the form of a depthwise convolution with channels last.
    pub fn of(
        product: &Product,
        problem: &Problem,
        left: &Access,
        outer: &[usize],
        tile: TileSize,
    ) -> Option<Depthwise> {
        let rows = Rows::of(problem, left, outer)?;
        let (images, others) = (product.left.batch.only()?, product.right.batch.only()?);
        let last = if rows.positions_are_rows { product.out_batch.only()? } else { others };
        let neighbours = images.stride == 1 && last.stride == 1 && rows.step() >= 0;
        let plain = product.n == 1 && product.right.limits.is_empty() && product.out_batch.only().is_some();
        let short = !rows.positions_are_rows || product.k <= KC;
        (plain && neighbours && short && product.batches >= tile.lanes).then_some(Depthwise { rows })
    }

    /// Cycles for one batch index, roughly.
    pub fn cost(&self, product: &Product, tile: TileSize) -> f64 {
        1.2 * (product.m * product.k) as f64 / tile.lanes as f64 + 0.5 * (self.rows.lines() * self.rows.row()) as f64
    }

    /// # Safety
    /// The operands lie in their buffers; the sums have room, and nobody else touches them.
    pub unsafe fn run<T: Kernels>(&self, call: &Call<'_, T>, threads: &dyn Threads) -> Result<()> {
        let (product, channels, lanes) = (call.product, call.product.batches, call.engine.lanes);
        let workers = (channels * product.m * product.k / SHARE).clamp(1, threads.count());
        let least = if workers == 1 { 1 } else { workers * TASKS_PER_THREAD };
        let step = channels.next_multiple_of(lanes);
        if self.rows.positions_are_rows {
            let tasks = least.min(self.rows.lines());
            let scratch = (product.k + 1) * step * size_of::<T>();
            let sliding = self.rows.sliding().filter(|windows| {
                let (columns, last) = (windows.columns(0..self.rows.row()), self.rows.row() + SLIDING - 2);
                windows.width == SLIDING && columns.start <= 1 && columns.end >= last
            });
            let recruit = |memory: *mut u8| {
                let weights = memory.cast::<T>();
                let zeros = weights.wrapping_add(product.k * step);
                // SAFETY: the memory has room for the weights, the operand holds them; zero bytes are zero.
                unsafe {
                    copy_weights(call, weights, step);
                    zeros.write_bytes(0, step);
                }
                Pixels { rows: &self.rows, sliding, call, tasks, step, weights, zeros, lines: Vec::new() }
            };
            let team = Team { workers: workers.min(tasks), tasks, batch: 1, scratch };
            // SAFETY: the same contract; tasks are different rows of the result.
            return unsafe { team.run(threads, recruit) };
        }
        let groups = least.div_ceil(call.sums.chunks).min(channels / lanes);
        let tasks = call.sums.chunks * groups;
        let zeros = ZEROS.max(self.rows.step().unsigned_abs()) + step;
        let scratch = (zeros + product.m * step) * size_of::<T>();
        let recruit = |memory: *mut u8| {
            // SAFETY: the worker's memory; zero bytes are zero.
            unsafe { memory.write_bytes(0, zeros * size_of::<T>()) };
            let (zeros, sums) = (memory.cast::<T>(), memory.cast::<T>().wrapping_add(zeros));
            Taps { rows: &self.rows, call, groups, step, zeros, sums, spans: Vec::new() }
        };
        let team = Team { workers: workers.min(tasks), tasks, batch: 1, scratch };
        // SAFETY: the same contract; tasks are different channels or chunks.
        unsafe { team.run(threads, recruit) }
    }
}

/// Puts the weights of each tap side by side, `step` elements from those of the next.
///
/// # Safety
/// The operand lies in its buffer; the target has room.
unsafe fn copy_weights<T: Kernels>(call: &Call<'_, T>, target: *mut T, step: usize) {
    let Product { right, batches, k, .. } = call.product;
    let channel = right.batch.innermost().stride;
    right.sum.runs(0, *k, |run| {
        let source = call.right.wrapping_offset(right.start.offset + run.place.offset);
        let target = target.wrapping_add(run.start * step).cast();
        let (to, from) = ((step as isize, 1), (right.sum.innermost().stride, channel));
        // SAFETY: by contract.
        unsafe { copy_strided(size_of::<T>(), target, to, source.cast(), from, (run.length, *batches)) };
    });
}

/// Where the operand's element of image 0, coordinates zero and channel 0 lies.
fn images<T>(call: &Call<'_, T>, rows: &Rows) -> *const T {
    call.left.wrapping_offset(call.product.left.start.offset + rows.origin)
}

/// What one thread works with, forwards and towards the input.
struct Pixels<'a, T: 'static> {
    rows: &'a Rows,
    /// Whether windows share pixels, and kernels can make use of it.
    sliding: Option<Sliding>,
    call: &'a Call<'a, T>,
    tasks: usize,
    /// Elements between the weights of neighbouring taps.
    step: usize,
    weights: *const T,
    zeros: *const T,
    lines: Vec<Line<T>>,
}

/// A row of the result for all channels: the rows of its windows that lie in the image; for its first position where the
/// window is, what is asked for in advance, and where the result is.
struct Line<T> {
    rows: Range<usize>,
    window: *const T,
    ahead: *const T,
    out: *mut T,
}

impl<T: Kernels> Worker for Pixels<'_, T> {
    unsafe fn run(&mut self, task: usize) {
        let rows = self.rows;
        let (start, end) = (rows.lines() * task / self.tasks, rows.lines() * (task + 1) / self.tasks);
        let strip = (STRIP / rows.row()).max(1);
        for first in (start..end).step_by(strip) {
            self.list_lines(first..end.min(first + strip));
            // SAFETY: the same contract.
            unsafe { self.compute() };
        }
    }
}

impl<T: Kernels> Pixels<'_, T> {
    fn list_lines(&mut self, lines: Range<usize>) {
        let (Call { product, sums, .. }, rows) = (self.call, self.rows);
        let images = images(self.call, rows);
        self.lines.clear();
        self.lines.extend(lines.map(|index| {
            let line = rows.line(index);
            let place = product.out_rows.place(index * rows.row());
            Line {
                rows: line.rows,
                window: images.wrapping_offset(line.window),
                ahead: images.wrapping_offset(line.below),
                out: sums.out.wrapping_offset(product.out + place.offset),
            }
        }));
    }

    /// Computes all lines, some channels of all before the next: so few that what neighbouring rows share stays in the
    /// first-level cache.
    ///
    /// # Safety
    /// As for [`Worker::run`]; the lines are the task's.
    unsafe fn compute(&self) {
        let (channels, lanes) = (self.call.product.batches, self.call.engine.lanes);
        let mut first = 0;
        while first < channels {
            let vectors = if self.sliding.is_none() && first + 2 * lanes <= channels { 2 } else { 1 };
            // The last vector may compute some channels again.
            let channels = (first.min(channels - lanes), vectors);
            for line in &self.lines {
                // SAFETY: the same contract; so many channels there are.
                unsafe {
                    match &self.sliding {
                        Some(windows) => self.slide(line, windows, channels.0),
                        None => self.step(line, channels),
                    }
                }
            }
            first += vectors * lanes;
        }
    }

    /// Computes a vector of channels of a line whose windows share pixels.
    ///
    /// # Safety
    /// As for [`Worker::run`]; the line is the task's, the channels are the product's.
    unsafe fn slide(&self, line: &Line<T>, windows: &Sliding, channel: usize) {
        for positions in parts(0..self.rows.row(), self.call.engine.mr) {
            let columns = windows.columns(positions.clone());
            let reach = Reach::Sliding([0, positions.len() + SLIDING - 2].map(|pixel| columns.contains(&pixel)));
            let mut tile = self.tile(line, positions, (channel, 1), reach);
            if windows.backwards {
                // Its positions from the last to the first.
                let last = tile.pixels as isize - 1;
                tile.image = tile.image.wrapping_offset(last * tile.step);
                tile.ahead = tile.ahead.wrapping_offset(last * tile.step);
                tile.out = tile.out.wrapping_offset(last * tile.out_step);
                tile.next = tile.next.wrapping_offset(last * tile.out_step);
                (tile.step, tile.out_step) = (-tile.step, -tile.out_step);
            }
            // SAFETY: windows lie in the image, but for pixels that read zeros, and have every channel; so do positions in
            // the result.
            unsafe { (self.call.engine.pixel_tile)(&tile) };
        }
    }

    /// Computes some vectors of channels of a line, the first channel and how many.
    ///
    /// # Safety
    /// As for [`Worker::run`]; the line is the task's, the channels are the product's.
    unsafe fn step(&self, line: &Line<T>, channels: (usize, usize)) {
        for run in self.rows.runs() {
            let [first, inner, last] = &run.columns;
            for positions in parts(run.positions.clone(), self.call.engine.mr) {
                let first = if positions.start == run.positions.start { first } else { inner };
                let last = if positions.end == run.positions.end { last } else { inner };
                let tile = self.tile(line, positions, channels, Reach::Windows([first, inner, last]));
                // SAFETY: as for sliding windows; the run's windows have these columns in the image.
                unsafe { (self.call.engine.pixel_tile)(&tile) };
            }
        }
    }

    /// Some of a line's positions, as many as a tile has room for.
    #[inline(always)]
    fn tile<'b>(
        &'b self,
        line: &'b Line<T>,
        positions: Range<usize>,
        (channel, vectors): (usize, usize),
        reach: Reach<'b>,
    ) -> PixelTile<'b, T> {
        let (x, pixels) = (positions.start as isize, positions.len());
        let (step, out_step) = (self.rows.step(), self.call.product.out_rows.innermost().stride);
        let out = line.out.wrapping_offset(x * out_step);
        PixelTile {
            pixels,
            vectors,
            channel,
            taps: &self.rows.window,
            rows: &line.rows,
            reach,
            image: line.window.wrapping_offset(x * step),
            step,
            zeros: self.zeros,
            weights: self.weights,
            weight_step: self.step,
            out,
            out_step,
            ahead: line.ahead.wrapping_offset(x * step),
            next: out.wrapping_offset(pixels as isize * out_step),
        }
    }
}

/// Positions cut into parts of one size, but for rounding, and of `most` at most.
fn parts(positions: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let (start, length) = (positions.start, positions.len());
    let parts = length.div_ceil(most);
    (0..parts).map(move |part| start + length * part / parts..start + length * (part + 1) / parts)
}

/// What one thread works with, towards the weight.
struct Taps<'a, T: 'static> {
    rows: &'a Rows,
    call: &'a Call<'a, T>,
    /// Parts that the channels are cut into.
    groups: usize,
    /// Elements between the sums of neighbouring taps.
    step: usize,
    zeros: *const T,
    sums: *mut T,
    spans: Vec<Span<T>>,
}

impl<T: Kernels> Worker for Taps<'_, T> {
    unsafe fn run(&mut self, task: usize) {
        let Call { product, engine, sums, .. } = self.call;
        let (chunk, group) = (task / self.groups, task % self.groups);
        let lanes = engine.lanes;
        let bound = |group: usize| match group == self.groups {
            true => product.batches,
            false => product.batches / lanes * group / self.groups * lanes,
        };
        let channels = bound(group)..bound(group + 1);
        let positions = chunk * sums.chunk..((chunk + 1) * sums.chunk).min(product.k);
        for start in positions.clone().step_by(KC) {
            let block = start..positions.end.min(start + KC);
            for first in (0..product.m).step_by(TAPS) {
                let taps = TAPS.min(product.m - first);
                self.list_spans(&channels, block.clone(), first..first + taps);
                // SAFETY: by this function's contract: spans lie in both operands, or read zeros.
                unsafe {
                    (engine.tap_tile)(&TapTile {
                        taps,
                        channels: channels.len(),
                        spans: &self.spans,
                        step: self.rows.step(),
                        factor_step: product.right.sum.innermost().stride,
                        sums: self.sums.wrapping_add(first * self.step),
                        sum_step: self.step,
                        add: start != positions.start,
                    });
                }
            }
        }
        // SAFETY: by this function's contract; the sums are computed.
        unsafe { self.store(channels, sums.of(chunk)) };
    }
}

impl<T: Kernels> Taps<'_, T> {
    /// Lists what some of the taps read for a block of positions, in channels from the first of some.
    fn list_spans(&mut self, channels: &Range<usize>, block: Range<usize>, taps: Range<usize>) {
        let (Call { product, right, .. }, rows) = (self.call, self.rows);
        let images = images(self.call, rows).wrapping_add(channels.start);
        let factors = right.wrapping_offset(product.right.start.offset).wrapping_add(channels.start);
        // The zeros have room for so many positions.
        let most = ZEROS / rows.step().unsigned_abs().max(1);
        self.spans.clear();
        rows.pieces(block, |piece| {
            let mut length = piece.length;
            let of = |offset: Option<isize>| offset.map_or(self.zeros, |offset| images.wrapping_offset(offset));
            let mut found = [self.zeros; TAPS];
            for (found, offset) in found.iter_mut().zip(rows.taps(piece).skip(taps.start).take(taps.len())) {
                *found = of(offset);
                length = if offset.is_none() { length.min(most.max(1)) } else { length };
            }
            let mut first = 0;
            while first < piece.length {
                let place = product.right.sum.place(piece.first + first);
                let factors = factors.wrapping_offset(place.offset);
                let length = length.min(piece.length - first);
                self.spans.push(Span { length, factors, taps: found });
                let moved = length as isize * rows.step();
                found.iter_mut().filter(|at| **at != self.zeros).for_each(|at| *at = at.wrapping_offset(moved));
                first += length;
            }
        });
    }

    /// Puts the sums of some channels in their places.
    ///
    /// # Safety
    /// `out` has room for the result.
    unsafe fn store(&self, channels: Range<usize>, out: *mut T) {
        let Call { product, engine, .. } = self.call;
        let (lanes, channel) = (engine.lanes, product.out_batch.innermost().stride);
        let whole = channels.len() / lanes * lanes;
        // The last vector ends at the last channel.
        let rest = channels.len() - whole;
        let parts = [(0, 0, whole), (whole, channels.len().next_multiple_of(lanes) - rest, rest)];
        for (first, from, count) in parts {
            product.out_rows.runs(0, product.m, |run| {
                let place = product.out + run.place.offset + (channels.start + first) as isize * channel;
                let target = out.wrapping_offset(place).cast();
                let source = self.sums.wrapping_add(run.start * self.step + from).cast_const().cast();
                let to = (product.out_rows.innermost().stride, channel);
                // SAFETY: by contract; these elements are the task's.
                unsafe {
                    copy_strided(size_of::<T>(), target, to, source, (self.step as isize, 1), (run.length, count));
                }
            });
        }
    }
}
