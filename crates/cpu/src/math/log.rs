//! Logarithms in f32.

use super::number::{Integer, Number, horner};

/// ln 2 in two parts; the first has 16 significant bits, so that its product with any exponent is exact.
const LN2_HI: f32 = 0.693_138_1;
const LN2_LO: f32 = 9.058_001e-6;

/// `(k, m)` with `x = m · 2^k`, √½ ≤ m < √2, for normal positive x.
#[inline(always)]
fn split<N: Number>(x: N) -> (N::Int, N) {
    let bits = x.bits();
    let k = (bits - bits.of(std::f32::consts::FRAC_1_SQRT_2.to_bits() as i32)).down(23);
    (k, (bits - k.up(23)).as_bits())
}

/// `k · ln 2 + ln(1 + f) + c` for √½ ≤ 1 + f < √2.
///
/// With s = f / (2 + f), ln(1 + f) = 2s + s³ · P(s²); P minimises the largest error (5e-11 s³). It is summed as
/// f − (f²/2 − s · (f²/2 + s² · P)), whose large terms are exact.
#[inline(always)]
fn assemble<N: Number>(k: N, f: N, c: N) -> N {
    let s = f / (f + f.of(2.0));
    let z = s * s;
    let p = z * horner(z, [0.242_781_9, 0.284_988_08, 0.400_009_72, 0.666_666_6]);
    let half_square = f * f.of(0.5) * f;
    let small = s.mul_add(half_square + p, k.mul_add(k.of(LN2_LO), c));
    k.mul_add(k.of(LN2_HI), f - (half_square - small))
}

/// What a logarithm whose argument has this sign is: `y` for positive finite arguments.
#[inline(always)]
fn special<N: Number>(argument: N, y: N) -> N {
    let zero = y.of(0.0);
    let y = N::select(argument.less(y.of(f32::INFINITY)), y, argument);
    let y = N::select(argument.equal(zero), y.of(f32::NEG_INFINITY), y);
    N::select(argument.less(zero), y.of(f32::NAN), y)
}

/// Natural logarithm. Largest error 0.8 ULP over all f32.
#[inline(always)]
pub fn log<N: Number>(x: N) -> N {
    let subnormal = x.less(x.of(f32::MIN_POSITIVE));
    let (k, m) = split(N::select(subnormal, x * x.of(8_388_608.0), x));
    let k = k.to_float() - N::select(subnormal, x.of(23.0), x.of(0.0));
    special(x, assemble(k, m - x.of(1.0), x.of(0.0)))
}

/// `ln(1 + x)`. Largest error 0.9 ULP over all f32.
#[inline(always)]
pub fn log1p<N: Number>(x: N) -> N {
    let one = x.of(1.0);
    let u = x + one;
    let (k, m) = split(u);
    // What rounding 1 + x lost, relative to it.
    let lost = N::select(k.less(k.of(2)), x - (u - one), one - (u - x));
    let small = k.equal(k.of(0));
    let f = N::select(small, x, m - one);
    let c = N::select(small, x.of(0.0), lost / u);
    let y = special(u, assemble(k.to_float(), f, c));
    N::select(x.abs().less(x.of(1e-8)), x, y)
}
