//! From a tile to the result.

use super::axes::Run;
use super::vector::{Float, Vector};

/// Writes a tile's rows to a strided result.
pub(super) struct StoreTile<'a, T> {
    /// Rows of `step` elements.
    pub tile: *const T,
    pub step: usize,
    /// Where each row starts in the result.
    pub rows: &'a [isize],
    /// Runs of the tile's columns; `start` counts columns of the tile.
    pub cols: &'a [Run],
    /// Elements between neighbours along a run.
    pub col_step: isize,
    pub out: *mut T,
    /// Add to what is there, or overwrite it.
    pub add: bool,
}

/// Fewer neighbouring rows than this are not worth turning the tile.
const FEW_ROWS: usize = 4;
/// Rows and columns of the largest tile, rounded up to whole blocks.
const ROWS: usize = 16;
const COLUMNS: usize = 32;

#[repr(align(64))]
struct Turned<T>([[T; ROWS]; COLUMNS]);

/// Where not columns but rows are neighbours in the result.
///
/// # Safety
/// As [`store_tile`].
#[inline(always)]
unsafe fn store_turned<V: Vector>(call: &StoreTile<'_, V::Elem>) {
    let mut turned = Turned([[V::Elem::ZERO; ROWS]; COLUMNS]);
    let rows = call.rows.len();
    let columns = call.cols.last().map_or(0, |run| run.start + run.length);
    let out = call.out.wrapping_offset(call.rows[0]);
    // SAFETY: the tile has `step` columns in each of its rows, which are a multiple of a block's; what is stored lies in
    // the result.
    unsafe {
        for row in (0..rows).step_by(V::BLOCK) {
            for column in (0..columns).step_by(V::BLOCK) {
                let at = |i: usize| call.tile.add((row + i.min(V::BLOCK - 1)).min(rows - 1) * call.step + column);
                let block: [*const V::Elem; 8] = std::array::from_fn(at);
                V::transpose_block(&block, turned.0.as_mut_ptr().cast::<V::Elem>().add(column * ROWS + row), ROWS);
            }
        }
        for run in call.cols {
            for j in 0..run.length {
                let source = turned.0[run.start + j].as_ptr();
                let target = out.wrapping_offset(run.place.offset + j as isize * call.col_step);
                for row in (0..rows).step_by(V::LANES) {
                    let count = (rows - row).min(V::LANES);
                    let sum = V::load_part(source.add(row), 0, count);
                    let old = if call.add { V::load_part(target.add(row), 0, count) } else { V::zero() };
                    let sum = if call.add { old.add(sum) } else { sum };
                    sum.store_part(target.add(row), count);
                }
            }
        }
    }
}

/// # Safety
/// Every element named lies in the result and the tile; the instruction set of `V`.
#[inline(always)]
pub(super) unsafe fn store_tile<V: Vector>(call: &StoreTile<'_, V::Elem>) {
    if call.col_step != 1 && call.rows.len() >= FEW_ROWS && call.rows.windows(2).all(|pair| pair[1] == pair[0] + 1) {
        // SAFETY: the same contract.
        return unsafe { store_turned::<V>(call) };
    }
    for (i, &row) in call.rows.iter().enumerate() {
        let tile = call.tile.wrapping_add(i * call.step);
        for run in call.cols {
            let source = tile.wrapping_add(run.start);
            let target = call.out.wrapping_offset(row + run.place.offset);
            // SAFETY: by contract; vectors stay within the run.
            unsafe {
                if call.col_step != 1 {
                    for j in 0..run.length {
                        let at = target.wrapping_offset(j as isize * call.col_step);
                        *at = if call.add { *at + *source.add(j) } else { *source.add(j) };
                    }
                    continue;
                }
                let whole = run.length / V::LANES * V::LANES;
                for j in (0..whole).step_by(V::LANES) {
                    let sum = V::load(source.add(j));
                    let sum = if call.add { V::load(target.add(j)).add(sum) } else { sum };
                    sum.store(target.add(j));
                }
                if whole < run.length {
                    let rest = run.length - whole;
                    let sum = V::load_part(source.add(whole), 0, rest);
                    let old = if call.add { V::load_part(target.add(whole), 0, rest) } else { V::zero() };
                    let sum = if call.add { old.add(sum) } else { sum };
                    sum.store_part(target.add(whole), rest);
                }
            }
        }
    }
}

/// `sums[i] += values[i]`.
///
/// # Safety
/// Both arrays hold `count` elements; the instruction set of `V`.
#[inline(always)]
pub(super) unsafe fn accumulate<V: Vector>(values: *const V::Elem, sums: *mut V::Elem, count: usize) {
    let whole = count / V::LANES * V::LANES;
    // SAFETY: all indices are below `count`.
    unsafe {
        for i in (0..whole).step_by(V::LANES) {
            V::load(sums.add(i)).add(V::load(values.add(i))).store(sums.add(i));
        }
        for i in whole..count {
            *sums.add(i) = *sums.add(i) + *values.add(i);
        }
    }
}
