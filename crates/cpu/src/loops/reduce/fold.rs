//! Loops that combine elements, compiled for each instruction set.

use super::super::kernel::pick;
use super::monoid::Monoid;
use super::tree::LANES;
use crate::isa::Isa;
use std::mem::MaybeUninit;

/// Rows that are summed at the same time, so that additions needn't wait for one another.
const ABREAST: usize = 4;

/// The loops of one monoid over one dtype. States of partial results are opaque bytes.
///
/// All of them are unsafe in the same way: pointers are aligned and valid for what is named, and the processor has the
/// instruction set that the loops were picked for.
#[derive(Clone, Copy, Debug)]
pub struct Fold {
    /// Bytes of a state and of an element.
    pub state: usize,
    pub element: usize,
    /// Whether a state is the result.
    pub plain: bool,
    /// Makes `n` states those of no elements: `(n, states)`.
    pub start: unsafe fn(usize, *mut u8),
    /// Folds rows of dense elements, one state each.
    pub rows: unsafe fn(Rows, *mut u8),
    /// Folds `n` dense elements into 16 lanes: `(lanes, src, n, index of the first)`.
    pub absorb: unsafe fn(*mut u8, *const u8, usize, i32),
    /// Folds rows, each into the lane after the one before.
    pub absorb_rows: unsafe fn(*mut u8, Strip),
    /// Combines lanes of `width` states into the first; from `lanes` on they are those of no elements:
    /// `(lanes, width, lanes)`.
    pub combine: unsafe fn(*mut u8, usize, usize),
    /// `dst[i] = a[i] · b[i]`: `(n, dst, a, b)`; `dst` may be `a`.
    pub merge: unsafe fn(usize, *mut u8, *const u8, *const u8),
    /// Results of `n` states: `(n, dst, states)`; not in place.
    pub finish: unsafe fn(usize, *mut u8, *const u8),
}

/// Rows for [`Fold::rows`]: `rows` of `length` elements, the next one following at once. Row r starts with the element
/// of index `first + r · index_step`.
#[derive(Clone, Copy)]
pub struct Rows {
    pub src: *const u8,
    pub rows: usize,
    pub length: usize,
    pub first: i32,
    pub index_step: i32,
}

/// Rows for [`Fold::absorb_rows`]: `rows` of `width` elements, `step` elements apart. The first one belongs to `lane`
/// and has the index `first`.
#[derive(Clone, Copy)]
pub struct Strip {
    pub src: *const u8,
    pub rows: usize,
    pub width: usize,
    pub step: isize,
    pub lane: usize,
    pub first: i32,
}

#[inline(always)]
unsafe fn start<T: Copy, M: Monoid<T>>(n: usize, states: *mut u8) {
    for i in 0..n {
        // SAFETY: the caller's.
        unsafe { *states.cast::<M::State>().add(i) = M::START };
    }
}

/// Combines the lanes of each row. Never inlined: seen together with the loops over the elements, it leads the
/// compiler to keep lanes in other orders than memory's, with shuffles for every element.
#[inline(never)]
fn combine_lanes<T: Copy, M: Monoid<T>>(rows: &mut [[M::State; LANES]], dst: &mut [MaybeUninit<M::State>]) {
    for (lanes, dst) in rows.iter_mut().zip(dst) {
        let mut half = LANES / 2;
        while half > 0 {
            for i in 0..half {
                lanes[i] = M::merge(lanes[i], lanes[i + half]);
            }
            half /= 2;
        }
        dst.write(lanes[0]);
    }
}

/// Folds `K` neighbouring rows of `length` elements into lanes. Written with indices: through iterators the compiler
/// makes scalar code of it, ten times slower.
#[expect(clippy::needless_range_loop, reason = "see above")]
#[inline(always)]
unsafe fn fold_rows<T: Copy, M: Monoid<T>, const K: usize>(
    lanes: &mut [[M::State; LANES]; K],
    src: *const T,
    length: usize,
    first: [i32; K],
) {
    let whole = length / LANES * LANES;
    let mut at = 0;
    while at < whole {
        for k in 0..K {
            for l in 0..LANES {
                // SAFETY: at + l < length.
                let x = unsafe { *src.add(k * length + at + l) };
                lanes[k][l] = M::absorb(lanes[k][l], x, first[k].wrapping_add((at + l) as i32));
            }
        }
        at += LANES;
    }
    for k in 0..K {
        for l in 0..length - whole {
            // SAFETY: whole + l < length.
            let x = unsafe { *src.add(k * length + whole + l) };
            lanes[k][l] = M::absorb(lanes[k][l], x, first[k].wrapping_add((whole + l) as i32));
        }
    }
}

#[inline(always)]
unsafe fn rows<T: Copy, M: Monoid<T>>(of: Rows, dst: *mut u8) {
    let (src, dst) = (of.src.cast::<T>(), dst.cast::<MaybeUninit<M::State>>());
    let first = |r: usize| of.first.wrapping_add(of.index_step.wrapping_mul(r as i32));
    let mut r = 0;
    while r + ABREAST <= of.rows {
        let mut lanes = [[M::START; LANES]; ABREAST];
        // SAFETY: the caller's.
        unsafe {
            let first = [first(r), first(r + 1), first(r + 2), first(r + 3)];
            fold_rows::<T, M, ABREAST>(&mut lanes, src.add(r * of.length), of.length, first);
            combine_lanes::<T, M>(&mut lanes, std::slice::from_raw_parts_mut(dst.add(r), ABREAST));
        }
        r += ABREAST;
    }
    while r < of.rows {
        let mut lanes = [[M::START; LANES]];
        // SAFETY: the caller's.
        unsafe {
            fold_rows::<T, M, 1>(&mut lanes, src.add(r * of.length), of.length, [first(r)]);
            combine_lanes::<T, M>(&mut lanes, std::slice::from_raw_parts_mut(dst.add(r), 1));
        }
        r += 1;
    }
}

#[inline(always)]
unsafe fn absorb<T: Copy, M: Monoid<T>>(lanes: *mut u8, src: *const u8, n: usize, first: i32) {
    let lanes = lanes.cast::<[[M::State; LANES]; 1]>();
    // SAFETY: the caller's.
    unsafe {
        let mut local = *lanes;
        fold_rows::<T, M, 1>(&mut local, src.cast(), n, [first]);
        *lanes = local;
    }
}

#[inline(always)]
fn absorb_row<T: Copy, M: Monoid<T>>(lane: &mut [M::State], row: &[T], index: i32) {
    for (state, &x) in lane.iter_mut().zip(row) {
        *state = M::absorb(*state, x, index);
    }
}

#[inline(always)]
unsafe fn absorb_rows<T: Copy, M: Monoid<T>>(lanes: *mut u8, of: Strip) {
    let (lanes, src) = (lanes.cast::<M::State>(), of.src.cast::<T>());
    let mut r = 0;
    if of.step == of.width as isize && of.lane == 0 && !M::INDEXED {
        // Sixteen rows without gaps are one long row over all lanes.
        while r + LANES <= of.rows {
            // SAFETY: the rows are valid, lanes and elements apart.
            unsafe {
                let lanes = std::slice::from_raw_parts_mut(lanes, LANES * of.width);
                let row = std::slice::from_raw_parts(src.add(r * of.width), LANES * of.width);
                absorb_row::<T, M>(lanes, row, 0);
            }
            r += LANES;
        }
    }
    while r < of.rows {
        // SAFETY: as above.
        unsafe {
            let lane = std::slice::from_raw_parts_mut(lanes.add((of.lane + r) % LANES * of.width), of.width);
            let row = std::slice::from_raw_parts(src.offset(r as isize * of.step), of.width);
            absorb_row::<T, M>(lane, row, of.first.wrapping_add(r as i32));
        }
        r += 1;
    }
}

#[inline(always)]
fn merge_into<T: Copy, M: Monoid<T>>(a: &mut [M::State], b: &[M::State]) {
    for (a, &b) in a.iter_mut().zip(b) {
        *a = M::merge(*a, b);
    }
}

#[inline(always)]
unsafe fn combine<T: Copy, M: Monoid<T>>(lanes: *mut u8, width: usize, used: usize) {
    // SAFETY: the caller's.
    let lanes = unsafe { std::slice::from_raw_parts_mut(lanes.cast::<M::State>(), LANES * width) };
    let mut half = LANES / 2;
    while half > 0 {
        // A lane without elements changes nothing.
        for i in 0..half.min(used.saturating_sub(half)) {
            let (a, b) = lanes.split_at_mut((i + half) * width);
            merge_into::<T, M>(&mut a[i * width..(i + 1) * width], &b[..width]);
        }
        half /= 2;
    }
}

#[inline(always)]
unsafe fn merge<T: Copy, M: Monoid<T>>(n: usize, dst: *mut u8, a: *const u8, b: *const u8) {
    for i in 0..n {
        // SAFETY: the caller's.
        unsafe {
            let (a, b) = (*a.cast::<M::State>().add(i), *b.cast::<M::State>().add(i));
            *dst.cast::<M::State>().add(i) = M::merge(a, b);
        }
    }
}

#[inline(always)]
unsafe fn finish<T: Copy, M: Monoid<T>>(n: usize, dst: *mut u8, states: *const u8) {
    for i in 0..n {
        // SAFETY: the caller's.
        unsafe { *dst.cast::<M::Result>().add(i) = M::finish(*states.cast::<M::State>().add(i)) };
    }
}

macro_rules! level {
    ($module:ident $(, #[$features:meta])?) => {
        mod $module {
            use super::{Monoid, Rows, Strip};
            level!(@each $(#[$features])? start(n: usize, states: *mut u8));
            level!(@each $(#[$features])? rows(of: Rows, dst: *mut u8));
            level!(@each $(#[$features])? absorb(lanes: *mut u8, src: *const u8, n: usize, first: i32));
            level!(@each $(#[$features])? absorb_rows(lanes: *mut u8, of: Strip));
            level!(@each $(#[$features])? combine(lanes: *mut u8, width: usize, used: usize));
            level!(@each $(#[$features])? merge(n: usize, dst: *mut u8, a: *const u8, b: *const u8));
            level!(@each $(#[$features])? finish(n: usize, dst: *mut u8, states: *const u8));
        }
    };
    (@each $(#[$features:meta])? $name:ident($($arg:ident: $ty:ty),*)) => {
        $(#[$features])?
        pub unsafe fn $name<T: Copy, M: Monoid<T>>($($arg: $ty),*) {
            // SAFETY: the caller's.
            unsafe { super::$name::<T, M>($($arg),*) }
        }
    };
}
level!(baseline);
#[cfg(target_arch = "x86_64")]
level!(avx2, #[target_feature(enable = "avx2,fma")]);
#[cfg(target_arch = "x86_64")]
level!(avx512, #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]);

impl Fold {
    pub fn of<T: Copy, M: Monoid<T>>(isa: Isa) -> Fold {
        Fold {
            state: size_of::<M::State>(),
            element: size_of::<T>(),
            plain: !M::INDEXED,
            start: pick!(isa, start::<T, M>),
            rows: pick!(isa, rows::<T, M>),
            absorb: pick!(isa, absorb::<T, M>),
            absorb_rows: pick!(isa, absorb_rows::<T, M>),
            combine: pick!(isa, combine::<T, M>),
            merge: pick!(isa, merge::<T, M>),
            finish: pick!(isa, finish::<T, M>),
        }
    }
}
