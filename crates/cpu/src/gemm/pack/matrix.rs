//! Panels of plain matrices, whose rows are terms of the sum or columns of the panel.

use super::LINE;
use crate::gemm::vector::{Vector, prefetch};

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

/// Goes along the terms once, so that all of a row's neighbours are taken when its lines come.
///
/// # Safety
/// Every row has its columns, the panels have room for whole ones; the instruction set of `V`.
#[inline(always)]
pub unsafe fn pack_matrix<V: Vector>(call: &PackMatrix<V::Elem>) {
    let &PackMatrix { step, terms, columns, width, panel_step, .. } = call;
    // Panels whose vectors, if they are wider, end in another panel of the matrix.
    let vectors = width.next_multiple_of(V::LANES);
    let safe = (columns + width).saturating_sub(vectors) / width;
    for k in 0..terms {
        let row = call.matrix.wrapping_offset(k as isize * step);
        let later = row.wrapping_offset(ROWS_AHEAD as isize * step);
        (0..columns).step_by(LINE / size_of::<V::Elem>()).for_each(|i| prefetch(later.wrapping_add(i)));
        // SAFETY: by contract; whole vectors are stored over the next term's columns only, before those are.
        unsafe {
            let whole = if k + 1 < terms { safe } else { 0 };
            for i in 0..columns.div_ceil(width) {
                let (source, target) = (row.add(i * width), call.panels.add(i * panel_step + k * width));
                if i < whole {
                    (0..width).step_by(V::LANES).for_each(|j| V::load(source.add(j)).store(target.add(j)));
                    continue;
                }
                let used = width.min(columns - i * width);
                for j in (0..width).step_by(V::LANES) {
                    let part = V::load_part(source.wrapping_add(j), 0, used.saturating_sub(j).min(V::LANES));
                    part.store_part(target.add(j), (width - j).min(V::LANES));
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
