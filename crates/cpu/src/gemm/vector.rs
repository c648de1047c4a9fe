//! Vectors of each instruction set, as the micro-kernels and the packing see them.

/// Element types that the engine multiplies.
pub(super) trait Float: Copy + Send + Sync + 'static + PartialEq + std::ops::Add<Output = Self> {
    const ZERO: Self;
}

impl Float for f32 {
    const ZERO: f32 = 0.0;
}

impl Float for f64 {
    const ZERO: f64 = 0.0;
}

/// A vector of `LANES` elements. Every method is inlined into functions compiled for the instruction set.
///
/// # Safety
/// All methods need the implementor's instruction set. `load`, `store` and `splat` access the lanes they name;
/// `load_part` touches lanes `from..to` only, `store_part` the first `count`.
pub(super) trait Vector: Copy {
    type Elem: Float;
    const LANES: usize;

    unsafe fn zero() -> Self;
    unsafe fn splat(at: *const Self::Elem) -> Self;
    unsafe fn load(at: *const Self::Elem) -> Self;
    unsafe fn store(self, at: *mut Self::Elem);
    unsafe fn add(self, other: Self) -> Self;
    /// `self * other + sum`, rounded once where the instruction set can.
    unsafe fn multiply_add(self, other: Self, sum: Self) -> Self;
    /// Lanes `from..to` loaded, the others zero; `to` may be `LANES` at most.
    unsafe fn load_part(at: *const Self::Elem, from: usize, to: usize) -> Self;
    unsafe fn store_part(self, at: *mut Self::Elem, count: usize);
    /// Transposes a block of `BLOCK` rows: `to[k * step + i] = rows[i][k]` for `k < BLOCK`.
    unsafe fn transpose_block(rows: &[*const Self::Elem], to: *mut Self::Elem, step: usize);
    /// Rows and columns of [`Vector::transpose_block`].
    const BLOCK: usize;
}

/// Asks for the cache line at an address, which may be any.
#[inline(always)]
pub(super) fn prefetch<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch touches nothing, and every x86-64 has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Asks for the cache line at an address, which may be any, in order to write there.
#[inline(always)]
pub(super) fn prefetch_write<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        // The intrinsic becomes a request for reading, where the compiler isn't told that the processor has this one.
        // SAFETY: a prefetch touches nothing; a 64-bit processor without this one takes it for one that does nothing.
        unsafe { std::arch::asm!("prefetchw [{}]", in(reg) at, options(nostack, preserves_flags, readonly)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// What every target has.
#[derive(Clone, Copy)]
pub(super) struct Portable<T>([T; 4]);

macro_rules! portable {
    ($t:ty) => {
        impl Vector for Portable<$t> {
            type Elem = $t;
            const LANES: usize = 4;
            const BLOCK: usize = 1;

            #[inline(always)]
            unsafe fn zero() -> Self {
                Portable([0.0; 4])
            }
            #[inline(always)]
            unsafe fn splat(at: *const $t) -> Self {
                // SAFETY: the caller gives a readable element.
                Portable([unsafe { *at }; 4])
            }
            #[inline(always)]
            unsafe fn load(at: *const $t) -> Self {
                // SAFETY: the caller gives four readable elements.
                Portable(unsafe { at.cast::<[$t; 4]>().read_unaligned() })
            }
            #[inline(always)]
            unsafe fn store(self, at: *mut $t) {
                // SAFETY: the caller gives four writable elements.
                unsafe { at.cast::<[$t; 4]>().write_unaligned(self.0) }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                Portable(std::array::from_fn(|i| self.0[i] + other.0[i]))
            }
            #[inline(always)]
            unsafe fn multiply_add(self, other: Self, sum: Self) -> Self {
                // A software fused multiply-add would cost a hundred times as much; the choice is one per target.
                Portable(std::array::from_fn(|i| {
                    if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
                        self.0[i].mul_add(other.0[i], sum.0[i])
                    } else {
                        self.0[i] * other.0[i] + sum.0[i]
                    }
                }))
            }
            #[inline(always)]
            unsafe fn load_part(at: *const $t, from: usize, to: usize) -> Self {
                let mut lanes = [0.0; 4];
                for (i, lane) in lanes.iter_mut().enumerate().take(to).skip(from) {
                    // SAFETY: the caller gives these lanes as readable.
                    *lane = unsafe { *at.wrapping_add(i) };
                }
                Portable(lanes)
            }
            #[inline(always)]
            unsafe fn store_part(self, at: *mut $t, count: usize) {
                for i in 0..count {
                    // SAFETY: the caller gives `count` writable elements.
                    unsafe { *at.add(i) = self.0[i] };
                }
            }
            #[inline(always)]
            unsafe fn transpose_block(rows: &[*const $t], to: *mut $t, step: usize) {
                let _ = step;
                // SAFETY: the caller gives one row with one readable element, and its target.
                unsafe { *to = *rows[0] };
            }
        }
    };
}
portable!(f32);
portable!(f64);

#[cfg(target_arch = "x86_64")]
mod x86;
