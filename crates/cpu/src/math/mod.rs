//! Scalar mathematics, written once: branch-free, always inlined, so that a loop over an array becomes vector code of
//! whatever instruction set the enclosing function is compiled for.
//!
//! `FMA` says whether the enclosing function may use fused multiply-add. Results may differ between the two, never
//! within one: a value is a function of its operands alone, in a vector or at the tail of a loop (S13). The ULP
//! figures in the doc comments are the largest errors of either, found by the sweeps in `tests`.

mod atan2;
mod erf;
mod erfc;
mod exp;
mod log;
mod number;
mod philox;
mod pow;
mod tanh;
#[cfg(test)]
mod tests;
mod trig;

pub use atan2::atan2;
pub use erfc::erfc;
pub use philox::{normal_f32, normal_f64, philox, philox_words, uniform_f32, uniform_f64};
pub use pow::{pow, powi};
pub use trig::{TRIG_BOUND, cos, cos_far, sin, sin_far};

/// The formulas that are written for any [`Number`].
pub(crate) mod formulas {
    pub use super::erf::erf;
    pub use super::exp::{exp, expm1};
    pub use super::log::{log, log1p};
    pub use super::number::{Integer, Number};
    pub use super::tanh::tanh;
}

macro_rules! of_singles {
    ($($name:ident)*) => {$(
        #[doc = concat!("See [`formulas::", stringify!($name), "`].")]
        #[inline(always)]
        pub fn $name<const FMA: bool>(x: f32) -> f32 {
            formulas::$name(number::Single::<FMA>(x)).0
        }
    )*};
}
of_singles! { exp expm1 log log1p tanh erf }

/// Whether code compiled for the target's baseline has a fused multiply-add instruction.
pub const BASELINE_FMA: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

/// `a · b + c`, rounded once with `FMA` and twice without.
#[inline(always)]
pub fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// As [`mul_add`] in f64.
#[inline(always)]
fn mul_add64<const FMA: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// The polynomial with these coefficients, highest power first, by Horner's rule.
#[inline(always)]
fn horner<const FMA: bool, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    number::horner(number::Single::<FMA>(x), coefficients).0
}

/// As [`horner`] in f64.
#[inline(always)]
fn horner64<const FMA: bool, const N: usize>(x: f64, coefficients: [f64; N]) -> f64 {
    let mut sum = coefficients[0];
    let mut i = 1;
    while i < N {
        sum = mul_add64::<FMA>(sum, x, coefficients[i]);
        i += 1;
    }
    sum
}
