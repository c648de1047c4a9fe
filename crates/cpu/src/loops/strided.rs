//! Copies between strided memory and registers.

use super::space::Piece;
use super::transpose;
#[cfg(target_arch = "x86_64")]
use crate::isa::{Isa, isa};
use std::cmp::Ordering;
use std::mem::MaybeUninit;

/// Copies a piece of `size`-byte elements (1, 4, 8 or 16): from `src` with the piece's steps to `dst` with its own.
///
/// # Safety
/// Both ends are aligned to the element and in bounds; they are disjoint or the same elements in the same order.
pub unsafe fn copy(
    size: usize,
    dst: *mut u8,
    (dst_row, dst_col): (isize, isize),
    src: *const u8,
    (src_row, src_col): (isize, isize),
    (rows, cols): (usize, usize),
) {
    let steps = Steps { dst_row, dst_col, src_row, src_col };
    // SAFETY: the caller's.
    unsafe {
        match size {
            1 => copy_typed::<u8>(dst.cast(), src.cast(), steps, rows, cols),
            4 => copy_typed::<MaybeUninit<u32>>(dst.cast(), src.cast(), steps, rows, cols),
            8 => copy_typed::<MaybeUninit<u64>>(dst.cast(), src.cast(), steps, rows, cols),
            _ => copy_typed::<MaybeUninit<[u64; 2]>>(dst.cast(), src.cast(), steps, rows, cols),
        }
    }
}

/// Gathers a piece into a dense array.
///
/// # Safety
/// As [`copy`]; `base` is the buffer's start.
pub unsafe fn gather(size: usize, dst: *mut u8, base: *const u8, piece: Piece) {
    let Piece { start, rows, row_step, cols, col_step } = piece;
    // SAFETY: the caller's.
    unsafe {
        let src = base.offset(start * size as isize);
        copy(size, dst, (cols as isize, 1), src, (row_step, col_step), (rows, cols));
    }
}

/// Scatters a dense array over a piece.
///
/// # Safety
/// As [`copy`]; `base` is the buffer's start.
pub unsafe fn scatter(size: usize, base: *mut u8, src: *const u8, piece: Piece) {
    let Piece { start, rows, row_step, cols, col_step } = piece;
    // SAFETY: the caller's.
    unsafe {
        let dst = base.offset(start * size as isize);
        copy(size, dst, (row_step, col_step), src, (cols as isize, 1), (rows, cols));
    }
}

#[derive(Clone, Copy)]
struct Steps {
    dst_row: isize,
    dst_col: isize,
    src_row: isize,
    src_col: isize,
}

/// # Safety
/// As [`copy`].
unsafe fn copy_typed<T: Copy>(dst: *mut T, src: *const T, steps: Steps, rows: usize, cols: usize) {
    let Steps { dst_row, dst_col, src_row, src_col } = steps;
    // The inner loop goes where both ends are dense, else where one is (so that a cache line is done with at once),
    // unless that way is very short.
    let dense = |dst: isize, src: isize| (dst == 1) as u8 + (src == 1 || src == 0) as u8;
    let turn = match dense(dst_col, src_col).cmp(&dense(dst_row, src_row)) {
        Ordering::Equal => rows > cols || (src_row == 1 && rows * 4 > cols),
        Ordering::Less => rows * 4 > cols,
        Ordering::Greater => rows > 4 * cols,
    };
    // SAFETY: the caller's; turning swaps rows and columns.
    unsafe {
        let across = size_of::<T>() == 4 && (dst_col, src_row) == (1, 1) && src_col > 1;
        let turned = size_of::<T>() == 4 && (dst_row, src_col) == (1, 1) && src_row > 1;
        if across || turned {
            let (d, s) = (dst.cast::<u8>(), src.cast::<u8>());
            let (down, along) = if across {
                transpose::blocks(d, dst_row, s, src_col, rows, cols)
            } else {
                let (along, down) = transpose::blocks(d, dst_col, s, src_row, cols, rows);
                (down, along)
            };
            // What whole blocks left: to the right of them, and below.
            let right = (dst.offset(along as isize * dst_col), src.offset(along as isize * src_col));
            let below = (dst.offset(down as isize * dst_row), src.offset(down as isize * src_row));
            lines(right.0, right.1, steps, down, cols - along);
            return lines(below.0, below.1, steps, rows - down, cols);
        }
        if turn {
            lines(
                dst,
                src,
                Steps { dst_row: dst_col, dst_col: dst_row, src_row: src_col, src_col: src_row },
                cols,
                rows,
            );
        } else {
            lines(dst, src, steps, rows, cols);
        }
    }
}

/// Copies a few dense elements without a call.
///
/// # Safety
/// As [`copy`].
#[inline(always)]
unsafe fn short<T: Copy>(dst: *mut T, src: *const T, n: usize) {
    let mut at = 0;
    while at + 16 <= n {
        // SAFETY: at + 16 <= n.
        unsafe { *dst.add(at).cast::<[T; 16]>() = *src.add(at).cast::<[T; 16]>() };
        at += 16;
    }
    for at in at..n {
        // SAFETY: at < n.
        unsafe { *dst.add(at) = *src.add(at) };
    }
}

/// # Safety
/// As [`copy`].
unsafe fn lines<T: Copy>(dst: *mut T, src: *const T, steps: Steps, rows: usize, cols: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        /// With moves of 32 bytes.
        #[target_feature(enable = "avx2")]
        unsafe fn wide<T: Copy>(dst: *mut T, src: *const T, steps: Steps, rows: usize, cols: usize) {
            // SAFETY: the caller's.
            unsafe { each_line(dst, src, steps, rows, cols) }
        }
        if isa() >= Isa::Avx2 {
            // SAFETY: the processor has AVX2; the rest is the caller's.
            return unsafe { wide(dst, src, steps, rows, cols) };
        }
    }
    // SAFETY: the caller's.
    unsafe { each_line(dst, src, steps, rows, cols) }
}

/// # Safety
/// As [`copy`].
#[inline(always)]
unsafe fn each_line<T: Copy>(dst: *mut T, src: *const T, steps: Steps, rows: usize, cols: usize) {
    let Steps { dst_row, dst_col, src_row, src_col } = steps;
    for r in 0..rows as isize {
        // SAFETY: row r lies in bounds.
        let (d, s) = unsafe { (dst.offset(r * dst_row), src.offset(r * src_row)) };
        // SAFETY: so do its columns.
        unsafe {
            match (dst_col, src_col) {
                (1, 1) if cols > 256 => std::ptr::copy(s, d, cols),
                (1, 1) => short(d, s, cols),
                (1, 0) => {
                    let x = *s;
                    (0..cols).for_each(|c| *d.add(c) = x);
                }
                (1, _) => (0..cols as isize).for_each(|c| *d.offset(c) = *s.offset(c * src_col)),
                (_, 1) => (0..cols as isize).for_each(|c| *d.offset(c * dst_col) = *s.offset(c)),
                _ => (0..cols as isize).for_each(|c| *d.offset(c * dst_col) = *s.offset(c * src_col)),
            }
        }
    }
}
