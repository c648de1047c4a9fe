//! Powers.

use super::{horner64, mul_add64};

/// `x^y` with C's special cases. Largest error 0.6 ULP.
///
/// 2^(y · log2 |x|) in f64: log2 by the series in s = (m − 1) / (m + 1) (error 2.7e-14), 2^f by a polynomial
/// (4e-11), both minimising the largest error.
#[inline(always)]
pub fn pow<const FMA: bool>(x: f32, y: f32) -> f32 {
    let a = x.abs();
    // Every f32 is a normal f64.
    let bits = f64::from(a).to_bits() as i64;
    let k = bits.wrapping_sub(std::f64::consts::FRAC_1_SQRT_2.to_bits() as i64) >> 52;
    let m = f64::from_bits(bits.wrapping_sub(k << 52) as u64);
    let s = (m - 1.0) / (m + 1.0);
    let p = horner64::<FMA, 6>(
        s * s,
        [
            0.282_934_442_852_393_94,
            0.319_903_359_076_464_83,
            0.412_209_307_822_021_7,
            0.577_077_941_832_131_5,
            0.961_796_694_115_118_3,
            2.885_390_081_777_849,
        ],
    );
    let log = mul_add64::<FMA>(s, p, k as i32 as f64);
    let log = if a == 0.0 { f64::NEG_INFINITY } else { log };
    let log = if a < f32::INFINITY { log } else { f64::from(a) };
    let t = f64::from(y) * log;
    // |x| = 1 or y = 0 with anything gives 1: both make 0 · ∞ at worst.
    let t = if (a == 1.0 && !y.is_nan()) | (y == 0.0) | (x == 1.0) { 0.0 } else { t };
    let magnitude = exp2::<FMA>(t) as f32;
    let whole = is_whole(y);
    let negative = x.is_sign_negative() & whole & is_odd(y);
    let power = if negative { -magnitude } else { magnitude };
    // A negative finite base needs a whole exponent (an infinite one counts as even).
    let undefined = (x < 0.0) & (a < f32::INFINITY) & !whole & (y.abs() < f32::INFINITY);
    if undefined { f32::NAN } else { power }
}

/// `2^t` in f64 for results in f32's range; beyond it, something that rounds to the same f32.
#[inline(always)]
pub(super) fn exp2<const FMA: bool>(t: f64) -> f64 {
    /// 1.5 · 2^52: adding it rounds to an integer, which then stands in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let t = if t > 200.0 { 200.0 } else { t };
    let t = if t < -200.0 { -200.0 } else { t };
    let shifted = t + ROUND;
    let f = t - (shifted - ROUND);
    let p = horner64::<FMA, 8>(
        f,
        [
            1.520_188_297_010_287e-5,
            0.000_154_693_487_042_650_05,
            0.001_333_392_313_543_326_6,
            0.009_618_027_090_741_662,
            0.055_504_103_522_277_44,
            0.240_226_511_992_706_23,
            0.693_147_180_728_976_5,
            1.0,
        ],
    );
    let scale = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    p * scale
}

#[inline(always)]
fn is_whole(y: f32) -> bool {
    // From 2^23 on every finite f32 is whole; smaller ones convert exactly.
    let small = y.abs() < 8_388_608.0;
    // SAFETY: below 2^23.
    let truncated = unsafe { (if small { y } else { 0.0 }).to_int_unchecked::<i32>() } as f32;
    (small & (truncated == y)) | ((y.abs() >= 8_388_608.0) & (y.abs() < f32::INFINITY))
}

/// Whether a whole y is odd; from 2^24 on all are even.
#[inline(always)]
fn is_odd(y: f32) -> bool {
    let small = y.abs() < 16_777_216.0;
    // SAFETY: below 2^24.
    unsafe { (if small { y } else { 0.0 }).to_int_unchecked::<i32>() & 1 == 1 }
}

/// `x^n` for integers, wrapping. A negative power is 0 unless x is 1 or −1.
#[inline(always)]
pub fn powi(x: i64, n: i64) -> i64 {
    if n < 0 {
        return match x {
            1 => 1,
            -1 if n & 1 == 0 => 1,
            -1 => -1,
            _ => 0,
        };
    }
    let (mut base, mut n, mut result) = (x, n, 1i64);
    while n > 0 {
        if n & 1 == 1 {
            result = result.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        n >>= 1;
    }
    result
}
