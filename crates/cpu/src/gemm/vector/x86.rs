//! AVX2 and AVX-512.

use super::Vector;
use std::arch::x86_64::*;

/// The methods that differ by intrinsic only.
macro_rules! arithmetic {
    ($t:ty, $lanes:literal, $zero:ident, $splat:expr, $load:ident, $store:ident, $add:ident, $fma:ident) => {
        type Elem = $t;
        const LANES: usize = $lanes;

        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller has the instruction set, here and in every method below.
            unsafe { $zero() }
        }
        #[inline(always)]
        unsafe fn splat(at: *const $t) -> Self {
            // SAFETY: one readable element by contract.
            unsafe { $splat(*at) }
        }
        #[inline(always)]
        unsafe fn load(at: *const $t) -> Self {
            // SAFETY: `LANES` readable elements by contract.
            unsafe { $load(at) }
        }
        #[inline(always)]
        unsafe fn store(self, at: *mut $t) {
            // SAFETY: `LANES` writable elements by contract.
            unsafe { $store(at, self) }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            // SAFETY: as in `zero`.
            unsafe { $add(self, other) }
        }
        #[inline(always)]
        unsafe fn multiply_add(self, other: Self, sum: Self) -> Self {
            // SAFETY: as in `zero`.
            unsafe { $fma(self, other, sum) }
        }
    };
}

/// AVX2 has masked stores, but some processors take dozens of cycles for one.
macro_rules! store_part_by_lane {
    ($t:ty, $lanes:literal) => {
        #[inline(always)]
        unsafe fn store_part(self, at: *mut $t, count: usize) {
            let mut lanes = [0.0; $lanes];
            // SAFETY: `lanes` holds a whole vector; the caller gives `count` writable elements, at most `LANES`.
            unsafe {
                self.store(lanes.as_mut_ptr());
                for (i, lane) in lanes.iter().enumerate().take(count) {
                    *at.add(i) = *lane;
                }
            }
        }
    };
}

/// `to[k * step + i] = rows[i][k]` for an 8 × 8 block of f32.
#[inline(always)]
unsafe fn transpose_8x8(rows: &[*const f32], to: *mut f32, step: usize) {
    // SAFETY: eight rows of eight readable elements and their targets, by contract; AVX is there.
    unsafe {
        // Half rows of rows i and i + 4 side by side: so lanes never have to cross halves later.
        let load = |i: usize, k: usize| {
            let low = _mm256_castps128_ps256(_mm_loadu_ps(rows[i].add(k)));
            _mm256_insertf128_ps::<1>(low, _mm_loadu_ps(rows[i + 4].add(k)))
        };
        for k in [0, 4] {
            let r: [__m256; 4] = [load(0, k), load(1, k), load(2, k), load(3, k)];
            let (a, b) = (_mm256_unpacklo_ps(r[0], r[1]), _mm256_unpacklo_ps(r[2], r[3]));
            let (c, d) = (_mm256_unpackhi_ps(r[0], r[1]), _mm256_unpackhi_ps(r[2], r[3]));
            _mm256_storeu_ps(to.add(k * step), _mm256_shuffle_ps::<0x44>(a, b));
            _mm256_storeu_ps(to.add((k + 1) * step), _mm256_shuffle_ps::<0xEE>(a, b));
            _mm256_storeu_ps(to.add((k + 2) * step), _mm256_shuffle_ps::<0x44>(c, d));
            _mm256_storeu_ps(to.add((k + 3) * step), _mm256_shuffle_ps::<0xEE>(c, d));
        }
    }
}

/// `to[k * step + i] = rows[i][k]` for a 4 × 4 block of f64.
#[inline(always)]
unsafe fn transpose_4x4(rows: &[*const f64], to: *mut f64, step: usize) {
    // SAFETY: four rows of four readable elements and their targets, by contract; AVX is there.
    unsafe {
        let load = |i: usize, k: usize| {
            let low = _mm256_castpd128_pd256(_mm_loadu_pd(rows[i].add(k)));
            _mm256_insertf128_pd::<1>(low, _mm_loadu_pd(rows[i + 2].add(k)))
        };
        for k in [0, 2] {
            let (a, b) = (load(0, k), load(1, k));
            _mm256_storeu_pd(to.add(k * step), _mm256_unpacklo_pd(a, b));
            _mm256_storeu_pd(to.add((k + 1) * step), _mm256_unpackhi_pd(a, b));
        }
    }
}

impl Vector for __m256 {
    arithmetic!(
        f32,
        8,
        _mm256_setzero_ps,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_fmadd_ps
    );
    store_part_by_lane!(f32, 8);
    const BLOCK: usize = 8;

    #[inline(always)]
    unsafe fn load_part(at: *const f32, from: usize, to: usize) -> Self {
        // SAFETY: lanes that the mask leaves out are not touched.
        unsafe {
            let lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let start = _mm256_cmpgt_epi32(lane, _mm256_set1_epi32(from as i32 - 1));
            let end = _mm256_cmpgt_epi32(_mm256_set1_epi32(to as i32), lane);
            _mm256_maskload_ps(at, _mm256_and_si256(start, end))
        }
    }
    #[inline(always)]
    unsafe fn transpose_block(rows: &[*const f32], to: *mut f32, step: usize) {
        // SAFETY: the same contract.
        unsafe { transpose_8x8(rows, to, step) }
    }
}

impl Vector for __m256d {
    arithmetic!(
        f64,
        4,
        _mm256_setzero_pd,
        _mm256_set1_pd,
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        _mm256_add_pd,
        _mm256_fmadd_pd
    );
    store_part_by_lane!(f64, 4);
    const BLOCK: usize = 4;

    #[inline(always)]
    unsafe fn load_part(at: *const f64, from: usize, to: usize) -> Self {
        // SAFETY: lanes that the mask leaves out are not touched.
        unsafe {
            let lane = _mm256_setr_epi64x(0, 1, 2, 3);
            let start = _mm256_cmpgt_epi64(lane, _mm256_set1_epi64x(from as i64 - 1));
            let end = _mm256_cmpgt_epi64(_mm256_set1_epi64x(to as i64), lane);
            _mm256_maskload_pd(at, _mm256_and_si256(start, end))
        }
    }
    #[inline(always)]
    unsafe fn transpose_block(rows: &[*const f64], to: *mut f64, step: usize) {
        // SAFETY: the same contract.
        unsafe { transpose_4x4(rows, to, step) }
    }
}

impl Vector for __m512 {
    arithmetic!(
        f32,
        16,
        _mm512_setzero_ps,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_add_ps,
        _mm512_fmadd_ps
    );
    const BLOCK: usize = 8;

    #[inline(always)]
    unsafe fn load_part(at: *const f32, from: usize, to: usize) -> Self {
        let mask = ((1u32 << to) - 1) & !((1u32 << from) - 1);
        // SAFETY: lanes that the mask leaves out are not touched.
        unsafe { _mm512_maskz_loadu_ps(mask as __mmask16, at) }
    }
    #[inline(always)]
    unsafe fn store_part(self, at: *mut f32, count: usize) {
        // SAFETY: only `count` lanes are written.
        unsafe { _mm512_mask_storeu_ps(at, ((1u32 << count) - 1) as __mmask16, self) }
    }
    #[inline(always)]
    unsafe fn transpose_block(rows: &[*const f32], to: *mut f32, step: usize) {
        // SAFETY: the same contract.
        unsafe { transpose_8x8(rows, to, step) }
    }
}

impl Vector for __m512d {
    arithmetic!(
        f64,
        8,
        _mm512_setzero_pd,
        _mm512_set1_pd,
        _mm512_loadu_pd,
        _mm512_storeu_pd,
        _mm512_add_pd,
        _mm512_fmadd_pd
    );
    const BLOCK: usize = 4;

    #[inline(always)]
    unsafe fn load_part(at: *const f64, from: usize, to: usize) -> Self {
        let mask = ((1u32 << to) - 1) & !((1u32 << from) - 1);
        // SAFETY: lanes that the mask leaves out are not touched.
        unsafe { _mm512_maskz_loadu_pd(mask as __mmask8, at) }
    }
    #[inline(always)]
    unsafe fn store_part(self, at: *mut f64, count: usize) {
        // SAFETY: only `count` lanes are written.
        unsafe { _mm512_mask_storeu_pd(at, ((1u32 << count) - 1) as __mmask8, self) }
    }
    #[inline(always)]
    unsafe fn transpose_block(rows: &[*const f64], to: *mut f64, step: usize) {
        // SAFETY: the same contract.
        unsafe { transpose_4x4(rows, to, step) }
    }
}
