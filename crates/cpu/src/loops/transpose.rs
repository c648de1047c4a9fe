//! Transposing copies of 4-byte elements in registers.

#[cfg(target_arch = "x86_64")]
use crate::isa::{Isa, isa};

/// Side of a block that is transposed in registers.
#[cfg(target_arch = "x86_64")]
const SIDE: usize = 8;

/// Copies the part of `dst[r · dst_row + c] = src[c · src_col + r]` that whole blocks cover, where the processor can.
/// Returns how many rows and columns are done; the rest is the caller's.
///
/// # Safety
/// Both ends are valid for all rows and columns.
pub unsafe fn blocks(
    dst: *mut u8,
    dst_row: isize,
    src: *const u8,
    src_col: isize,
    rows: usize,
    cols: usize,
) -> (usize, usize) {
    #[cfg(target_arch = "x86_64")]
    if isa() >= Isa::Avx2 && rows >= SIDE && cols >= SIDE {
        let (rows, cols) = (rows / SIDE * SIDE, cols / SIDE * SIDE);
        // SAFETY: the processor has AVX2; the blocks lie within rows and columns.
        unsafe { avx2::blocks(dst.cast(), dst_row, src.cast(), src_col, rows, cols) };
        return (rows, cols);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (dst, dst_row, src, src_col, rows, cols);
    (0, 0)
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::SIDE;
    use std::arch::x86_64::*;

    /// # Safety
    /// As [`super::blocks`], for multiples of the side.
    #[target_feature(enable = "avx2")]
    pub unsafe fn blocks(dst: *mut f32, dst_row: isize, src: *const f32, src_col: isize, rows: usize, cols: usize) {
        for r in (0..rows as isize).step_by(SIDE) {
            for c in (0..cols as isize).step_by(SIDE) {
                // SAFETY: r + 7 < rows and c + 7 < cols.
                unsafe { block(dst.offset(r * dst_row + c), dst_row, src.offset(c * src_col + r), src_col) };
            }
        }
    }

    /// # Safety
    /// Eight rows of eight elements are valid at both ends.
    #[target_feature(enable = "avx2")]
    unsafe fn block(dst: *mut f32, dst_row: isize, src: *const f32, src_col: isize) {
        let mut a = [_mm256_setzero_ps(); SIDE];
        for (i, a) in a.iter_mut().enumerate() {
            // SAFETY: row i is valid.
            *a = unsafe { _mm256_loadu_ps(src.offset(i as isize * src_col)) };
        }
        // Pairs, then quadruples within each half, then the halves.
        let mut b = a;
        for i in (0..SIDE).step_by(2) {
            b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
            b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
        }
        let mut c = b;
        for i in [0, 4] {
            c[i] = _mm256_shuffle_ps::<0x44>(b[i], b[i + 2]);
            c[i + 1] = _mm256_shuffle_ps::<0xEE>(b[i], b[i + 2]);
            c[i + 2] = _mm256_shuffle_ps::<0x44>(b[i + 1], b[i + 3]);
            c[i + 3] = _mm256_shuffle_ps::<0xEE>(b[i + 1], b[i + 3]);
        }
        for i in 0..4 {
            let (low, high) =
                (_mm256_permute2f128_ps::<0x20>(c[i], c[i + 4]), _mm256_permute2f128_ps::<0x31>(c[i], c[i + 4]));
            // SAFETY: rows i and i + 4 are valid.
            unsafe {
                _mm256_storeu_ps(dst.offset(i as isize * dst_row), low);
                _mm256_storeu_ps(dst.offset((i + 4) as isize * dst_row), high);
            }
        }
    }
}
