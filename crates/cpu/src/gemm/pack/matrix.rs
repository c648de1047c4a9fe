//! Panels of plain matrices, whose rows are terms of the sum or columns of the panel.

use super::LINE;
use crate::gemm::kernel::TILE_VECTORS;
use crate::gemm::vector::{Float, Vector, prefetch};

/// Panels packed from a matrix whose rows are the terms of the sum: `panels[i][k * width + column]`.
pub struct PackMatrix<T> {
    /// The first term's first column, and elements between terms.
    pub matrix: *const T,
    pub step: isize,
    pub terms: usize,
    pub columns: usize,
    /// Of a panel; columns that the last one lacks are set to zero.
    pub width: usize,
    pub panels: *mut T,
    pub panel_step: usize,
}

/// Terms by which rows of a matrix are asked for in advance: fewer than share a set of the first-level cache where rows
/// are a multiple of a page apart.
const ROWS_AHEAD: usize = 4;

/// Goes along the terms once, so that all of a row's neighbours are taken when its lines come; then along the last
/// columns, which fill no panel.
///
/// # Safety
/// Every row has its columns, the panels have room for whole ones; the instruction set of `V`.
#[inline(always)]
pub unsafe fn pack_matrix<V: Vector>(call: &PackMatrix<V::Elem>) {
    let &PackMatrix { step, terms, columns, width, panel_step, .. } = call;
    // Panels whose vectors, if they are wider, end in another panel of the matrix.
    let vectors = width.next_multiple_of(V::LANES);
    let whole = (columns + width).saturating_sub(vectors) / width;
    // Whole vectors are stored over the next term's columns, before those are; the last term's over what is free.
    let room = terms * width + (vectors - width) <= panel_step;
    let along = if room { terms } else { terms.saturating_sub(1) };
    let row = |k: usize| call.matrix.wrapping_offset(k as isize * step);
    let panel = |i: usize, k: usize| call.panels.wrapping_add(i * panel_step + k * width);
    for k in 0..if whole > 0 { along } else { 0 } {
        let later = row(k + ROWS_AHEAD);
        (0..columns).step_by(LINE / size_of::<V::Elem>()).for_each(|i| prefetch(later.wrapping_add(i)));
        let (mut source, mut target) = (row(k), panel(0, k));
        for _ in 0..whole {
            // SAFETY: the columns exist, and what lies behind the panel's is free or written later.
            unsafe {
                V::load(source).store(target);
                for j in (V::LANES..width).step_by(V::LANES) {
                    V::load(source.add(j)).store(target.add(j));
                }
            }
            source = source.wrapping_add(width);
            target = target.wrapping_add(panel_step);
        }
    }
    for i in 0..columns.div_ceil(width) {
        let used = width.min(columns - i * width);
        for j in (0..width).step_by(V::LANES) {
            let (read, written) = (used.saturating_sub(j).min(V::LANES), (width - j).min(V::LANES));
            for k in if i < whole { along } else { 0 }..terms {
                // SAFETY: those columns exist, the panel has room for its width.
                unsafe {
                    let part = V::load_part(row(k).wrapping_add(i * width + j), 0, read);
                    part.store_part(panel(i, k).wrapping_add(j), written);
                }
            }
        }
    }
}

/// Writes `panel[k * rows.len() + i] = rows[i][k]`.
///
/// # Safety
/// Each row has `k` readable elements, their number is a multiple of `V::BLOCK`, `panel` holds all of them; the
/// instruction set of `V`.
#[inline(always)]
pub unsafe fn transpose_panel<V: Vector>(rows: &[*const V::Elem], k: usize, panel: *mut V::Elem) {
    /// Steps of k at a time: so that the part of the panel that is written stays in the L1 cache.
    const PART: usize = 64;
    let width = rows.len();
    let whole = k / V::BLOCK * V::BLOCK;
    // SAFETY: all indices are below `k` and `width`.
    unsafe {
        for part in (0..whole).step_by(PART) {
            for first in (0..width).step_by(V::BLOCK) {
                for at in (part..(part + PART).min(whole)).step_by(V::BLOCK) {
                    let block: [*const V::Elem; 8] = std::array::from_fn(|i| rows[first + i.min(V::BLOCK - 1)].add(at));
                    if (at * size_of::<V::Elem>()).is_multiple_of(LINE) {
                        block.iter().for_each(|row| prefetch(row.wrapping_add(PART)));
                    }
                    V::transpose_block(&block, panel.add(at * width + first), width);
                }
            }
        }
        for at in whole..k {
            for (i, row) in rows.iter().enumerate() {
                *panel.add(at * width + i) = *row.add(at);
            }
        }
    }
}

/// Whether all elements of some panels are finite.
///
/// # Safety
/// `values` holds `count` elements, a multiple of a panel's width; the instruction set of `V`.
#[inline(always)]
pub unsafe fn finite<V: Vector>(values: *const V::Elem, count: usize) -> bool {
    let mut lanes = [V::Elem::ZERO; 32];
    // SAFETY: all indices are below `count`; there are lanes for some vectors.
    unsafe {
        // Zeros, or NaN where something is infinite or NaN.
        let mut sums = [V::zero(); TILE_VECTORS];
        for at in (0..count).step_by(TILE_VECTORS * V::LANES) {
            for (j, sum) in sums.iter_mut().enumerate() {
                *sum = V::load(values.add(at + j * V::LANES)).multiply_add(V::zero(), *sum);
            }
        }
        for (j, sum) in sums.iter().enumerate() {
            sum.store(lanes.as_mut_ptr().add(j * V::LANES));
        }
    }
    lanes[..TILE_VECTORS * V::LANES].iter().all(|lane| *lane == V::Elem::ZERO)
}
