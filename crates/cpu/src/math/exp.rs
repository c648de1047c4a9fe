//! Exponentials in f32.

use super::{horner, mul_add};

/// 1.5 · 2^23: adding it rounds to an integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts; the first has 9 significant bits, so that its product with any exponent is exact.
const LN2_HI: f32 = 0.693_359_4;
const LN2_LO: f32 = -2.121_944_4e-4;

/// `(k, r)` with `x = k · ln 2 + r`, |r| ≤ ln 2 / 2, for |x| ≤ 105.
#[inline(always)]
fn reduce<const FMA: bool>(x: f32) -> (i32, f32) {
    let t = mul_add::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let k = t - ROUND;
    let r = mul_add::<FMA>(k, -LN2_HI, x);
    let r = mul_add::<FMA>(k, -LN2_LO, r);
    ((t.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32), r)
}

/// `e^r − 1` for |r| ≤ ln 2 / 2. The coefficients of `(e^r − 1 − r) / r²` minimise the largest error relative to the
/// result (2e-10).
#[inline(always)]
fn expm1_reduced<const FMA: bool>(r: f32) -> f32 {
    let p = horner::<FMA, 6>(r, [1.973_337_5e-4, 0.001_393_527_1, 0.008_333_587, 0.041_666_46, 0.166_666_66, 0.5]);
    mul_add::<FMA>(r * r, p, r)
}

/// `2^k` for −126 ≤ k ≤ 127.
#[inline(always)]
fn power_of_two(k: i32) -> f32 {
    f32::from_bits((k.wrapping_add(127) as u32) << 23)
}

/// `e^x`. Largest error 1.0 ULP over all f32, subnormal results included.
#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    // Past these the result is infinite or zero; a NaN passes both.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let (k, r) = reduce::<FMA>(x);
    let y = 1.0 + expm1_reduced::<FMA>(r);
    // In two steps, so that a subnormal result is rounded once.
    let half = k >> 1;
    y * power_of_two(half) * power_of_two(k.wrapping_sub(half))
}

/// `e^x − 1`. Largest error 1.45 ULP over all f32.
#[inline(always)]
pub fn expm1<const FMA: bool>(x: f32) -> f32 {
    let clamped = if x > 89.0 { 89.0 } else { x };
    let clamped = if clamped < -25.0 { -25.0 } else { clamped };
    let (k, r) = reduce::<FMA>(clamped);
    let p = expm1_reduced::<FMA>(r);
    // Half the result, since 2^128 is no f32.
    let scale = power_of_two(k.wrapping_sub(1));
    let y = 2.0 * mul_add::<FMA>(scale, p, scale - 0.5);
    if x.abs() < 1e-8 { x } else { y }
}
