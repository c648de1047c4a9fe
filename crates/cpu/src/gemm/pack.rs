//! Packing: blocks of a strided, padded operand copied into the panels that the micro-kernels read.

mod matrix;

pub(super) use matrix::{PackMatrix, finite, pack_matrix, transpose_panel};

use super::axes::{Coords, Place, Run};
use super::image::Image;
use super::kernel::{Engine, ROW_STEP};
use super::operand::Operand;
use super::vector::{Float, Vector, prefetch};
use std::ops::Range;

/// A panel packed from neighbours along its width: `panel[k * width + column]`.
pub(super) struct PackAcross<'a, T> {
    /// Start of the operand's buffer.
    pub base: *const T,
    /// Runs of the panel's columns; `start` counts columns.
    pub columns: &'a [Run],
    /// Where each k lies, the operand's start included.
    pub sum: &'a [Place],
    /// What a step along a run adds.
    pub step: isize,
    pub step_coords: Coords,
    pub limits: &'a [isize],
    /// Columns that hold elements; the others are set to zero.
    pub used: usize,
    pub width: usize,
    pub panel: *mut T,
}

/// The steps `i < length` for which every coordinate `at + i · step` is at least 0 and below its limit.
#[inline(always)]
fn valid_steps(at: &Coords, other: &Coords, step: &Coords, limits: &[isize], length: usize) -> (usize, usize) {
    let (mut from, mut to) = (0, length as isize);
    for (d, &limit) in limits.iter().enumerate() {
        let x = at[d] + other[d];
        match step[d] {
            0 => {
                if x < 0 || x >= limit {
                    return (0, 0);
                }
            }
            1 => {
                from = from.max(-x);
                to = to.min(limit - x);
            }
            c if c > 0 => {
                from = from.max((-x + c - 1).div_euclid(c));
                to = to.min((limit - 1 - x).div_euclid(c) + 1);
            }
            c => {
                from = from.max((x - limit).div_euclid(-c) + 1);
                to = to.min(x.div_euclid(-c) + 1);
            }
        }
    }
    if from < to { (from as usize, to as usize) } else { (0, 0) }
}

/// # Safety
/// Every element whose coordinates are within their limits lies in the buffer behind `base`; `panel` holds
/// `sum.len() * width` elements; the instruction set of `V`.
#[inline(always)]
pub(super) unsafe fn pack_across<V: Vector>(call: &PackAcross<'_, V::Elem>) {
    // Terms of the sum with the same coordinates, as neighbouring channels have, are valid for the same columns.
    let mut first = 0;
    while first < call.sum.len() {
        let coords = call.sum[first].coords;
        let same = |place: &Place| call.limits.is_empty() || place.coords == coords;
        let count = call.sum[first..].iter().take_while(|place| same(place)).count();
        for run in call.columns {
            let valid = match call.limits {
                [] => (0, run.length),
                limits => valid_steps(&run.place.coords, &coords, &call.step_coords, limits, run.length),
            };
            // SAFETY: `valid` steps exist for each of these terms.
            unsafe { pack_run::<V>(call, run, valid, first..first + count) };
        }
        first += count;
    }
    if call.used < call.width {
        for k in 0..call.sum.len() {
            for i in call.used..call.width {
                // SAFETY: the column lies in the panel.
                unsafe { *call.panel.add(k * call.width + i) = V::Elem::ZERO };
            }
        }
    }
}

/// Terms by which elements are asked for in advance.
const AHEAD: usize = 16;
/// Bytes of a cache line.
const LINE: usize = 64;

/// Packs one run of columns for some terms of the sum.
///
/// # Safety
/// As for [`pack_across`]; `from..to` are the run's valid steps for each of the terms.
#[inline(always)]
unsafe fn pack_run<V: Vector>(
    call: &PackAcross<'_, V::Elem>,
    run: &Run,
    (from, to): (usize, usize),
    terms: Range<usize>,
) {
    let (length, width) = (run.length, call.width);
    let at = |k: usize| call.base.wrapping_offset(run.place.offset + call.sum[k].offset);
    let target = |k: usize| call.panel.wrapping_add(k * width + run.start);
    // SAFETY: steps `from..to` are valid, so their elements exist; the targets' columns lie in the panel. Whole
    // vectors are stored over the columns to the right, or the next term's, only where those are written later.
    unsafe {
        if call.step != 1 {
            for k in terms {
                copy_strided(at(k), call.step, (from, to), target(k), length);
            }
            return;
        }
        for i in (0..length).step_by(V::LANES) {
            let lane = |x: usize| x.saturating_sub(i).min(V::LANES);
            let (from, to, length) = (lane(from), lane(to), lane(length));
            if from == 0 && to == V::LANES {
                for k in terms.clone() {
                    if let Some(later) = call.sum.get(k + AHEAD) {
                        prefetch(call.base.wrapping_offset(run.place.offset + later.offset + i as isize));
                    }
                    V::load(at(k).add(i)).store(target(k).add(i));
                }
            } else if run.start + i + V::LANES <= width {
                for k in terms.clone() {
                    V::load_part(at(k).wrapping_add(i), from, to).store(target(k).add(i));
                }
            } else if call.columns.len() == 1 && i == 0 && length == run.length {
                let last = call.sum.len() - 1;
                for k in terms.clone() {
                    let lanes = V::load_part(at(k), from, to);
                    if k < last && V::LANES <= 2 * width {
                        lanes.store(target(k));
                    } else {
                        lanes.store_part(target(k), length);
                    }
                }
            } else {
                for k in terms.clone() {
                    V::load_part(at(k).wrapping_add(i), from, to).store_part(target(k).add(i), length);
                }
            }
        }
    }
}

/// Copies steps `from..to`, and zeros for the others of `0..length`.
///
/// # Safety
/// `source` has the elements of those steps, `target` holds `length`.
#[inline(always)]
unsafe fn copy_strided<T: Float>(
    source: *const T,
    step: isize,
    (from, to): (usize, usize),
    target: *mut T,
    length: usize,
) {
    // SAFETY: by contract.
    unsafe {
        for i in 0..from {
            *target.add(i) = T::ZERO;
        }
        for i in from..to {
            *target.add(i) = *source.wrapping_offset(i as isize * step);
        }
        for i in to.max(from)..length {
            *target.add(i) = T::ZERO;
        }
    }
}

/// Tables of the block in hand, kept from block to block.
#[derive(Default)]
pub(super) struct Tables {
    outer: Vec<Place>,
    sum: Vec<Place>,
    runs: Vec<Run>,
}

/// A block of one operand: `outer` indices by `sum` indices.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub first: usize,
    pub count: usize,
    pub k_first: usize,
    pub k: usize,
}

/// An operand's buffer, at one batch index.
pub(super) struct Source<'a, T> {
    pub operand: &'a Operand,
    pub base: *const T,
    /// Where index (0, 0) lies.
    pub origin: Place,
}

impl<T: Float> Source<'_, T> {
    /// The operand's first element.
    pub fn start(&self) -> *const T {
        self.base.wrapping_offset(self.origin.offset)
    }

    /// The first element of its images.
    pub fn images(&self, image: &Image) -> *const T {
        self.start().wrapping_offset(image.origin)
    }

    /// Packs a block into one panel of `width` for each `width` outer indices, `panel_step` elements apart.
    ///
    /// # Safety
    /// The operand's elements lie in the buffer; the panels have room for `width` by `block.k`.
    pub unsafe fn pack_across(
        &self,
        block: Block,
        engine: &Engine<T>,
        tables: &mut Tables,
        (width, last_width): (usize, usize),
        (panels, panel_step): (*mut T, usize),
    ) {
        if self.operand.is_plain() && width == last_width {
            let step = self.operand.sum.innermost().stride;
            let first = block.first as isize + block.k_first as isize * step;
            let matrix = self.start().wrapping_offset(first);
            let (terms, columns) = (block.k, block.count);
            // SAFETY: the operand has these rows and columns, the panels have room by contract.
            unsafe { (engine.pack_matrix)(&PackMatrix { matrix, step, terms, columns, width, panels, panel_step }) };
            return;
        }
        let Tables { sum, runs, .. } = tables;
        sum.clear();
        self.operand.sum.places(block.k_first, block.k, sum);
        sum.iter_mut().for_each(|place| *place = place.plus(&self.origin));
        let inner = self.operand.outer.innermost();
        for (i, first) in (0..block.count).step_by(width).enumerate() {
            let used = width.min(block.count - first);
            runs.clear();
            self.operand.outer.runs(block.first + first, used, |run| runs.push(run));
            let call = PackAcross {
                base: self.base,
                columns: runs,
                sum,
                step: inner.stride,
                step_coords: inner.coords,
                limits: &self.operand.limits,
                used,
                width: if first + width >= block.count { last_width } else { width },
                panel: panels.wrapping_add(i * panel_step),
            };
            // SAFETY: the operand's checks keep valid elements in the buffer; the panel has room by contract.
            unsafe { (engine.pack_across)(&call) };
        }
    }

    /// Copies a block row by row, `ROW_STEP` elements apart; rows from `block.count` to `rows` are set to zero.
    ///
    /// # Safety
    /// The operand's elements lie in the buffer; `target` has room for `rows` rows.
    pub unsafe fn copy_rows(&self, block: Block, rows: usize, tables: &mut Tables, target: *mut T) {
        let Tables { outer, runs, .. } = tables;
        runs.clear();
        self.operand.sum.runs(block.k_first, block.k, |run| runs.push(run));
        outer.clear();
        self.operand.outer.places(block.first, block.count, outer);
        let axis = self.operand.sum.innermost();
        for (i, place) in outer.iter().enumerate() {
            let place = place.plus(&self.origin);
            let row = target.wrapping_add(i * ROW_STEP);
            let later = outer.get(i + 1).filter(|_| self.operand.limits.is_empty());
            for run in runs.iter() {
                let valid = if self.operand.limits.is_empty() {
                    (0, run.length)
                } else {
                    valid_steps(&place.coords, &run.place.coords, &axis.coords, &self.operand.limits, run.length)
                };
                let source = self.base.wrapping_offset(place.offset + run.place.offset);
                if let Some(later) = later.filter(|_| axis.stride == 1 && run.length > SHORT_RUN) {
                    let next = self.base.wrapping_offset(later.offset + self.origin.offset + run.place.offset);
                    (0..run.length).step_by(LINE / size_of::<T>()).for_each(|i| prefetch(next.wrapping_add(i)));
                }
                // SAFETY: the valid elements exist, and the row has room for `block.k`.
                unsafe {
                    let target = row.add(run.start);
                    if axis.stride == 1 && run.length >= 8 {
                        copy_run(source, valid, target, run.length);
                    } else {
                        copy_strided(source, axis.stride, valid, target, run.length);
                    }
                }
            }
        }
        for i in block.count..rows {
            // SAFETY: the row lies in the target.
            unsafe { target.add(i * ROW_STEP).write_bytes(0, block.k) };
        }
    }

    /// Packs a block of neighbours along the sum into panels, as [`Source::pack_across`] does. `stage` holds one row
    /// of zeros and room for `width` rows.
    ///
    /// # Safety
    /// As for both functions above.
    pub unsafe fn pack_along(
        &self,
        block: Block,
        engine: &Engine<T>,
        tables: &mut Tables,
        (width, last_width): (usize, usize),
        (panels, panel_step): (*mut T, usize),
        stage: *mut T,
    ) {
        let zeros = stage.cast_const();
        let staged = stage.wrapping_add(ROW_STEP);
        let mut rows: Vec<*const T> = Vec::with_capacity(width);
        // Where the whole block is one run that needs no checks, rows are read where they lie.
        let mut direct = None;
        if self.operand.limits.is_empty() && self.operand.sum.innermost().stride == 1 {
            self.operand.sum.runs(block.k_first, block.k, |run| {
                direct = (run.length == block.k).then_some(run.place.offset);
            });
        }
        for (i, first) in (0..block.count).step_by(width).enumerate() {
            let used = width.min(block.count - first);
            let width = if first + width >= block.count { last_width } else { width };
            let part = Block { first: block.first + first, count: used, ..block };
            rows.clear();
            if let Some(offset) = direct {
                tables.outer.clear();
                self.operand.outer.places(part.first, used, &mut tables.outer);
                let start = self.base.wrapping_offset(self.origin.offset + offset);
                rows.extend(tables.outer.iter().map(|place| start.wrapping_offset(place.offset)));
            } else {
                // SAFETY: the stage has room for `width` rows.
                unsafe { self.copy_rows(part, used, tables, staged) };
                rows.extend((0..used).map(|r| staged.wrapping_add(r * ROW_STEP).cast_const()));
            }
            rows.resize(width, zeros);
            // SAFETY: every row has `block.k` elements: of the operand, of the stage, or zeros.
            unsafe { (engine.transpose)(&rows, block.k, panels.wrapping_add(i * panel_step)) };
        }
    }
}

/// Copies steps `from..to` of unit stride, and zeros for the others of `0..length`.
///
/// # Safety
/// As for [`copy_strided`].
#[inline(always)]
unsafe fn copy_run<T: Float>(source: *const T, (from, to): (usize, usize), target: *mut T, length: usize) {
    // SAFETY: by contract; zero bytes are zero.
    unsafe {
        if from == 0 && to == length && length <= SHORT_RUN {
            let whole = length / 8 * 8;
            for i in (0..whole).step_by(8) {
                target.add(i).cast::<[T; 8]>().write_unaligned(source.add(i).cast::<[T; 8]>().read_unaligned());
            }
            for i in whole..length {
                *target.add(i) = *source.add(i);
            }
        } else {
            target.write_bytes(0, from);
            std::ptr::copy_nonoverlapping(source.wrapping_add(from), target.add(from), to - from);
            target.add(to).write_bytes(0, length - to);
        }
    }
}

/// Runs of up to so many elements are copied in place rather than by a call.
const SHORT_RUN: usize = 64;
