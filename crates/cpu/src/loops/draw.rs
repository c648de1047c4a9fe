//! Positional primitives: values that depend on where an element lies.

use super::kernel::pick;
use crate::isa::Isa;
use crate::math::{BASELINE_FMA, normal_f32, normal_f64, philox, philox_words, uniform_f32, uniform_f64};
use fovea_core::DType;
use fovea_core::scalar::Prim;

/// Seed and counter of a Philox generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct Key {
    pub seed: u64,
    pub offset: u64,
}

/// Values of the `n` positions `start + i · step`.
///
/// # Safety
/// `dst` is aligned and valid for `n` elements; the processor has the instruction set the loop was picked for.
pub type Draw = unsafe fn(n: usize, dst: *mut u8, start: i64, step: i64, key: Key);

/// The value at one position.
trait Positional {
    type Value: Copy;
    fn at<const FMA: bool>(index: u64, key: Key) -> Self::Value;
}

struct Index<T>(std::marker::PhantomData<T>);
macro_rules! indices {
    ($($t:ty)*) => {$(
        impl Positional for Index<$t> {
            type Value = $t;
            #[inline(always)]
            fn at<const FMA: bool>(index: u64, _: Key) -> $t {
                index as i64 as $t
            }
        }
    )*};
}
indices! { f32 f64 i32 i64 u8 }

struct Uniform<T>(std::marker::PhantomData<T>);
impl Positional for Uniform<f32> {
    type Value = f32;
    #[inline(always)]
    fn at<const FMA: bool>(index: u64, key: Key) -> f32 {
        let w = philox(key.seed, key.offset.wrapping_add(index / 4));
        uniform_f32(match index % 4 {
            0 => w[0],
            1 => w[1],
            2 => w[2],
            _ => w[3],
        })
    }
}
impl Positional for Uniform<f64> {
    type Value = f64;
    #[inline(always)]
    fn at<const FMA: bool>(index: u64, key: Key) -> f64 {
        let w = philox(key.seed, key.offset.wrapping_add(index / 2));
        if index.is_multiple_of(2) { uniform_f64(w[0], w[1]) } else { uniform_f64(w[2], w[3]) }
    }
}

struct Normal<T>(std::marker::PhantomData<T>);
impl Positional for Normal<f32> {
    type Value = f32;
    #[inline(always)]
    fn at<const FMA: bool>(index: u64, key: Key) -> f32 {
        normal_f32::<FMA>(philox(key.seed, key.offset.wrapping_add(index)))
    }
}
impl Positional for Normal<f64> {
    type Value = f64;
    #[inline(always)]
    fn at<const FMA: bool>(index: u64, key: Key) -> f64 {
        normal_f64(philox(key.seed, key.offset.wrapping_add(index)))
    }
}

/// # Safety
/// As [`Draw`].
#[inline(always)]
unsafe fn each_loop<P: Positional, const FMA: bool>(n: usize, dst: *mut u8, start: i64, step: i64, key: Key) {
    let dst = dst.cast::<P::Value>();
    for i in 0..n {
        // SAFETY: i < n.
        unsafe { *dst.add(i) = P::at::<FMA>(start.wrapping_add(step.wrapping_mul(i as i64)) as u64, key) };
    }
}

/// The counter `first + i` in two words.
#[inline(always)]
fn counter(first: u64, i: u32) -> [u32; 2] {
    let low = (first as u32).wrapping_add(i);
    [low, ((first >> 32) as u32).wrapping_add((low < first as u32) as u32)]
}

/// Normal f32 values of neighbouring positions.
///
/// # Safety
/// As [`Draw`].
#[inline(always)]
unsafe fn normal_loop<const FMA: bool>(n: usize, dst: *mut u8, start: i64, step: i64, key: Key) {
    if step != 1 {
        // SAFETY: the caller's.
        return unsafe { each_loop::<Normal<f32>, FMA>(n, dst, start, step, key) };
    }
    let first = key.offset.wrapping_add(start as u64);
    for i in 0..n as u32 {
        // SAFETY: i < n.
        unsafe { *dst.cast::<f32>().add(i as usize) = normal_f32::<FMA>(philox_words(key.seed, counter(first, i))) };
    }
}

/// Uniform f32 values; neighbours share a Philox block.
///
/// # Safety
/// As [`Draw`].
#[inline(always)]
unsafe fn uniform_loop<const FMA: bool>(n: usize, dst: *mut u8, start: i64, step: i64, key: Key) {
    let head = if step == 1 { n.min(start.wrapping_neg() as usize % 4) } else { n };
    let blocks = (n - head) / 4;
    let tail = head + blocks * 4;
    // SAFETY: head, blocks and tail cover the n elements.
    unsafe {
        each_loop::<Uniform<f32>, FMA>(head, dst, start, step, key);
        let first = key.offset.wrapping_add((start as u64).wrapping_add(head as u64) / 4);
        let body = dst.cast::<f32>().add(head);
        for b in 0..blocks as u32 {
            let words = philox_words(key.seed, counter(first, b));
            let b = b as usize;
            *body.add(4 * b) = uniform_f32(words[0]);
            *body.add(4 * b + 1) = uniform_f32(words[1]);
            *body.add(4 * b + 2) = uniform_f32(words[2]);
            *body.add(4 * b + 3) = uniform_f32(words[3]);
        }
        let rest = start.wrapping_add(step.wrapping_mul(tail as i64));
        each_loop::<Uniform<f32>, FMA>(n - tail, dst.add(4 * tail), rest, step, key);
    }
}

macro_rules! level {
    ($module:ident, $fma:expr $(, #[$features:meta])?) => {
        mod $module {
            use super::{Key, Positional};

            $(#[$features])?
            pub unsafe fn each<P: Positional>(n: usize, dst: *mut u8, start: i64, step: i64, key: Key) {
                // SAFETY: the caller's.
                unsafe { super::each_loop::<P, { $fma }>(n, dst, start, step, key) }
            }
            $(#[$features])?
            pub unsafe fn uniform(n: usize, dst: *mut u8, start: i64, step: i64, key: Key) {
                // SAFETY: the caller's.
                unsafe { super::uniform_loop::<{ $fma }>(n, dst, start, step, key) }
            }
            $(#[$features])?
            pub unsafe fn normal(n: usize, dst: *mut u8, start: i64, step: i64, key: Key) {
                // SAFETY: the caller's.
                unsafe { super::normal_loop::<{ $fma }>(n, dst, start, step, key) }
            }
        }
    };
}
level!(baseline, super::BASELINE_FMA);
#[cfg(target_arch = "x86_64")]
level!(avx2, true, #[target_feature(enable = "avx2,fma")]);
#[cfg(target_arch = "x86_64")]
level!(avx512, true, #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]);

/// The loop of a positional primitive; `None` where it has no meaning.
pub fn draw(prim: Prim, dtype: DType, isa: Isa) -> Option<Draw> {
    Some(match (prim, dtype) {
        (Prim::Index, DType::F32) => pick!(isa, each::<Index<f32>>),
        (Prim::Index, DType::F64) => pick!(isa, each::<Index<f64>>),
        (Prim::Index, DType::I32) => pick!(isa, each::<Index<i32>>),
        (Prim::Index, DType::I64) => pick!(isa, each::<Index<i64>>),
        (Prim::Index, DType::U8) => pick!(isa, each::<Index<u8>>),
        (Prim::Uniform, DType::F32) => pick!(isa, uniform),
        (Prim::Uniform, DType::F64) => pick!(isa, each::<Uniform<f64>>),
        (Prim::Normal, DType::F32) => pick!(isa, normal),
        (Prim::Normal, DType::F64) => pick!(isa, each::<Normal<f64>>),
        _ => return None,
    })
}
