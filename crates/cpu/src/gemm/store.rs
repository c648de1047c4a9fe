//! From a tile to the result.

use super::axes::Run;
use super::vector::Vector;

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

/// # Safety
/// Every element named lies in the result and the tile; the instruction set of `V`.
#[inline(always)]
pub(super) unsafe fn store_tile<V: Vector>(call: &StoreTile<'_, V::Elem>) {
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
