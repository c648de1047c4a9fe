//! The error function in f32.

use super::{exp, horner, mul_add};

/// Where the two approximations meet.
const MEET: f32 = 0.921_875;

/// `2/√π ∫₀ˣ e^(−t²) dt`. Largest error 1.15 ULP over all f32.
///
/// Below 0.92 an odd polynomial, above it 1 − e^(−t − t · Q(t)); both minimise the largest relative error (1.6e-8 and
/// 9e-10).
#[inline(always)]
pub fn erf<const FMA: bool>(x: f32) -> f32 {
    let a = x.abs();
    let z = a * a;
    let p =
        horner::<FMA, 6>(z, [-5.994_505e-4, 0.004_994_038, -0.026_767_349, 0.112_818_435, -0.376_124_98, 0.128_379_15]);
    let near = mul_add::<FMA>(a, p, a);
    // From here on the result rounds to 1; a NaN passes.
    let t = if a > 3.95 { 3.95 } else { a };
    let q = horner::<FMA, 7>(
        t,
        [1.130_176e-5, -3.235_129_7e-4, 0.003_645_355_8, -0.023_768_21, 0.106_244_035, 0.635_147, 0.128_649_56],
    );
    let far = 1.0 - exp::<FMA>(-mul_add::<FMA>(t, q, t));
    (if a < MEET { near } else { far }).copysign(x)
}
