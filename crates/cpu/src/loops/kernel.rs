//! Loops over arrays, compiled for each instruction set: what one instruction of a scalar program becomes.

use crate::isa::Isa;
use crate::math::BASELINE_FMA;

/// A loop over `n` elements of the operands into the result. Result and operands don't overlap, except that all may be
/// the same single elements of another run.
///
/// # Safety
/// Every pointer is aligned to its element type and valid for `n` elements (operands that the kernel takes as scalars:
/// for one); operands past the primitive's arity are ignored. The processor has the instruction set that the kernel
/// was picked for.
pub type Kernel = unsafe fn(n: usize, dst: *mut u8, args: [*const u8; 3]);

/// A function of one element. `apply` must be inlined, free of branches, and right wherever `rare` is false.
pub trait Unary<T: Copy> {
    type Result: Copy;
    /// Whether some operands need `slow`.
    const RARE: bool = false;
    fn apply<const FMA: bool>(a: T) -> Self::Result;
    #[inline(always)]
    fn rare(_: T) -> bool {
        false
    }
    fn slow(a: T) -> Self::Result {
        Self::apply::<false>(a)
    }
}

/// A function of two elements, as [`Unary`].
pub trait Binary<T: Copy> {
    type Result: Copy;
    const RARE: bool = false;
    fn apply<const FMA: bool>(a: T, b: T) -> Self::Result;
    #[inline(always)]
    fn rare(_: T, _: T) -> bool {
        false
    }
    fn slow(a: T, b: T) -> Self::Result {
        Self::apply::<false>(a, b)
    }
}

/// # Safety
/// As [`Kernel`].
#[inline(always)]
unsafe fn unary_loop<T: Copy, O: Unary<T>, const FMA: bool>(n: usize, dst: *mut u8, args: [*const u8; 3]) {
    let (a, r) = (args[0].cast::<T>(), dst.cast::<O::Result>());
    let mut rare = false;
    for i in 0..n {
        // SAFETY: i < n.
        unsafe {
            let x = *a.add(i);
            *r.add(i) = O::apply::<FMA>(x);
            rare |= O::rare(x);
        }
    }
    if O::RARE && rare {
        for i in 0..n {
            // SAFETY: i < n.
            unsafe {
                let x = *a.add(i);
                if O::rare(x) {
                    *r.add(i) = O::slow(x);
                }
            }
        }
    }
}

/// `A` and `B`: the operand is one element for all.
///
/// # Safety
/// As [`Kernel`].
#[inline(always)]
unsafe fn binary_loop<T: Copy, O: Binary<T>, const A: bool, const B: bool, const FMA: bool>(
    n: usize,
    dst: *mut u8,
    args: [*const u8; 3],
) {
    let (a, b, r) = (args[0].cast::<T>(), args[1].cast::<T>(), dst.cast::<O::Result>());
    if n == 0 {
        return;
    }
    // SAFETY: n > 0.
    let (a0, b0) = unsafe { (*a, *b) };
    let mut rare = false;
    for i in 0..n {
        // SAFETY: i < n.
        unsafe {
            let x = if A { a0 } else { *a.add(i) };
            let y = if B { b0 } else { *b.add(i) };
            *r.add(i) = O::apply::<FMA>(x, y);
            rare |= O::rare(x, y);
        }
    }
    if O::RARE && rare {
        for i in 0..n {
            // SAFETY: i < n.
            unsafe {
                let x = if A { a0 } else { *a.add(i) };
                let y = if B { b0 } else { *b.add(i) };
                if O::rare(x, y) {
                    *r.add(i) = O::slow(x, y);
                }
            }
        }
    }
}

/// `A` and `B`: the value for true, for false, is one element for all.
///
/// # Safety
/// As [`Kernel`]; operand 0 holds `u8`, nonzero where true.
#[inline(always)]
unsafe fn select_loop<T: Copy, const A: bool, const B: bool>(n: usize, dst: *mut u8, args: [*const u8; 3]) {
    let (mask, a, b, r) = (args[0], args[1].cast::<T>(), args[2].cast::<T>(), dst.cast::<T>());
    if n == 0 {
        return;
    }
    // SAFETY: n > 0.
    let (a0, b0) = unsafe { (*a, *b) };
    for i in 0..n {
        // SAFETY: i < n.
        unsafe {
            let x = if A { a0 } else { *a.add(i) };
            let y = if B { b0 } else { *b.add(i) };
            *r.add(i) = if *mask.add(i) != 0 { x } else { y };
        }
    }
}

/// The same element everywhere.
///
/// # Safety
/// As [`Kernel`]; operand 0 is one element.
#[inline(always)]
unsafe fn splat_loop<T: Copy>(n: usize, dst: *mut u8, args: [*const u8; 3]) {
    // SAFETY: the caller's.
    let (x, r) = unsafe { (*args[0].cast::<T>(), dst.cast::<T>()) };
    for i in 0..n {
        // SAFETY: i < n.
        unsafe { *r.add(i) = x };
    }
}

macro_rules! level {
    ($module:ident, $fma:expr $(, #[$features:meta])?) => {
        mod $module {
            use super::{Binary, Unary};

            $(#[$features])?
            pub unsafe fn unary<T: Copy, O: Unary<T>>(n: usize, dst: *mut u8, args: [*const u8; 3]) {
                // SAFETY: the caller's.
                unsafe { super::unary_loop::<T, O, { $fma }>(n, dst, args) }
            }
            $(#[$features])?
            pub unsafe fn binary<T: Copy, O: Binary<T>, const A: bool, const B: bool>(
                n: usize,
                dst: *mut u8,
                args: [*const u8; 3],
            ) {
                // SAFETY: the caller's.
                unsafe { super::binary_loop::<T, O, A, B, { $fma }>(n, dst, args) }
            }
            $(#[$features])?
            pub unsafe fn select<T: Copy, const A: bool, const B: bool>(
                n: usize,
                dst: *mut u8,
                args: [*const u8; 3],
            ) {
                // SAFETY: the caller's.
                unsafe { super::select_loop::<T, A, B>(n, dst, args) }
            }
            $(#[$features])?
            pub unsafe fn splat<T: Copy>(n: usize, dst: *mut u8, args: [*const u8; 3]) {
                // SAFETY: the caller's.
                unsafe { super::splat_loop::<T>(n, dst, args) }
            }
        }
    };
}
level!(baseline, super::BASELINE_FMA);
#[cfg(target_arch = "x86_64")]
level!(avx2, true, #[target_feature(enable = "avx2,fma")]);
#[cfg(target_arch = "x86_64")]
level!(avx512, true, #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]);

/// `module::path` of the instruction set.
macro_rules! pick {
    ($isa:expr, $($path:tt)+) => {
        match $isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::$($path)+,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::$($path)+,
            _ => baseline::$($path)+,
        }
    };
}
pub(super) use pick;

pub fn unary<T: Copy, O: Unary<T>>(isa: Isa) -> Kernel {
    pick!(isa, unary::<T, O>)
}

/// `scalars`: which operands are one element for all; not both.
pub fn binary<T: Copy, O: Binary<T>>(isa: Isa, scalars: [bool; 2]) -> Kernel {
    match scalars {
        [false, false] => pick!(isa, binary::<T, O, false, false>),
        [true, false] => pick!(isa, binary::<T, O, true, false>),
        [_, true] => pick!(isa, binary::<T, O, false, true>),
    }
}

/// For elements of `size` bytes.
pub fn select(size: usize, isa: Isa, scalars: [bool; 2]) -> Kernel {
    fn of<T: Copy>(isa: Isa, scalars: [bool; 2]) -> Kernel {
        match scalars {
            [false, false] => pick!(isa, select::<T, false, false>),
            [true, false] => pick!(isa, select::<T, true, false>),
            [false, true] => pick!(isa, select::<T, false, true>),
            [true, true] => pick!(isa, select::<T, true, true>),
        }
    }
    match size {
        1 => of::<u8>(isa, scalars),
        4 => of::<u32>(isa, scalars),
        _ => of::<u64>(isa, scalars),
    }
}

pub fn splat(size: usize, isa: Isa) -> Kernel {
    match size {
        1 => pick!(isa, splat::<u8>),
        4 => pick!(isa, splat::<u32>),
        _ => pick!(isa, splat::<u64>),
    }
}
