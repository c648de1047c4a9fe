//! Logarithms in f32.

use super::{horner, mul_add};

/// ln 2 in two parts; the first has 16 significant bits, so that its product with any exponent is exact.
const LN2_HI: f32 = 0.693_138_1;
const LN2_LO: f32 = 9.058_001e-6;

/// `(k, m)` with `x = m · 2^k`, √½ ≤ m < √2, for normal positive x.
#[inline(always)]
fn split(x: f32) -> (i32, f32) {
    let bits = x.to_bits() as i32;
    let k = bits.wrapping_sub(std::f32::consts::FRAC_1_SQRT_2.to_bits() as i32) >> 23;
    (k, f32::from_bits(bits.wrapping_sub(k << 23) as u32))
}

/// `k · ln 2 + ln(1 + f) + c` for √½ ≤ 1 + f < √2.
///
/// With s = f / (2 + f), ln(1 + f) = 2s + s³ · P(s²); P minimises the largest error (5e-11 s³). It is summed as
/// f − (f²/2 − s · (f²/2 + s² · P)), whose large terms are exact.
#[inline(always)]
fn assemble<const FMA: bool>(k: f32, f: f32, c: f32) -> f32 {
    let s = f / (2.0 + f);
    let z = s * s;
    let p = z * horner::<FMA, 4>(z, [0.242_781_9, 0.284_988_08, 0.400_009_72, 0.666_666_6]);
    let half_square = 0.5 * f * f;
    let small = mul_add::<FMA>(s, half_square + p, mul_add::<FMA>(k, LN2_LO, c));
    mul_add::<FMA>(k, LN2_HI, f - (half_square - small))
}

/// What a logarithm whose argument has this sign is: `y` for positive finite arguments.
#[inline(always)]
fn special(argument: f32, y: f32) -> f32 {
    let y = if argument < f32::INFINITY { y } else { argument };
    let y = if argument == 0.0 { f32::NEG_INFINITY } else { y };
    if argument < 0.0 { f32::NAN } else { y }
}

/// Natural logarithm. Largest error 0.8 ULP over all f32.
#[inline(always)]
pub fn log<const FMA: bool>(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let (k, m) = split(if subnormal { x * 8_388_608.0 } else { x });
    let k = k as f32 - if subnormal { 23.0 } else { 0.0 };
    special(x, assemble::<FMA>(k, m - 1.0, 0.0))
}

/// `ln(1 + x)`. Largest error 0.9 ULP over all f32.
#[inline(always)]
pub fn log1p<const FMA: bool>(x: f32) -> f32 {
    let u = 1.0 + x;
    let (k, m) = split(u);
    // What rounding 1 + x lost, relative to it.
    let lost = if k >= 2 { 1.0 - (u - x) } else { x - (u - 1.0) };
    let f = if k == 0 { x } else { m - 1.0 };
    let c = if k == 0 { 0.0 } else { lost / u };
    let y = special(u, assemble::<FMA>(k as f32, f, c));
    if x.abs() < 1e-8 { x } else { y }
}
