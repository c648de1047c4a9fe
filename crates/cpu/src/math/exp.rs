//! Exponentials in f32.

use super::number::{Integer, Number, horner};

/// 1.5 · 2^23: adding it rounds to an integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts; the first has 9 significant bits, so that its product with any exponent is exact.
const LN2_HI: f32 = 0.693_359_4;
const LN2_LO: f32 = -2.121_944_4e-4;

/// `(t, k, r)` with `x = k · ln 2 + r`, |r| ≤ ln 2 / 2, for |x| ≤ 105; k also stands in the low bits of t.
#[inline(always)]
fn reduce<N: Number>(x: N) -> (N, N, N) {
    let round = x.of(ROUND);
    let t = x.mul_add(x.of(std::f32::consts::LOG2_E), round);
    let k = t - round;
    let r = k.mul_add(x.of(-LN2_HI), x);
    let r = k.mul_add(x.of(-LN2_LO), r);
    (t, k, r)
}

/// The k of [`reduce`] from its t.
#[inline(always)]
fn integer<N: Number>(t: N) -> N::Int {
    t.bits() - t.bits().of(ROUND.to_bits() as i32)
}

/// `e^r − 1` for |r| ≤ ln 2 / 2. The coefficients of `(e^r − 1 − r) / r²` minimise the largest error relative to the
/// result (2e-10).
#[inline(always)]
fn expm1_reduced<N: Number>(r: N) -> N {
    let p = horner(r, [1.973_337_5e-4, 0.001_393_527_1, 0.008_333_587, 0.041_666_46, 0.166_666_66, 0.5]);
    (r * r).mul_add(p, r)
}

/// `2^k` for −126 ≤ k ≤ 127.
#[inline(always)]
fn power_of_two<I: Integer>(k: I) -> I::Number {
    (k + k.of(127)).up(23).as_bits()
}

/// `e^x`. Largest error 1.0 ULP over all f32, subnormal results included.
#[inline(always)]
pub fn exp<N: Number>(x: N) -> N {
    // Past these the result is infinite or zero; a NaN passes both.
    let (t, k, r) = reduce(x.at_most(89.0).at_least(-104.0));
    let y = expm1_reduced(r) + x.of(1.0);
    if let Some(scaled) = y.scaled(k) {
        return scaled;
    }
    let k = integer(t);
    // In two steps, so that a subnormal result is rounded once.
    let half = k.down(1);
    y * power_of_two(half) * power_of_two(k - half)
}

/// `e^x − 1`. Largest error 1.45 ULP over all f32.
#[inline(always)]
pub fn expm1<N: Number>(x: N) -> N {
    let (t, _, r) = reduce(x.at_most(89.0).at_least(-25.0));
    let k = integer(t);
    let p = expm1_reduced(r);
    // Half the result, since 2^128 is no f32.
    let scale = power_of_two(k - k.of(1));
    let y = x.of(2.0) * scale.mul_add(p, scale - x.of(0.5));
    N::select(x.abs().less(x.of(1e-8)), x, y)
}
