//! Angles in f32.

use super::{horner, mul_add};

/// π/2 and π less the f32 nearest to them.
const HALF_PI_LO: f32 = -4.371_139e-8;
const PI_LO: f32 = -8.742_278e-8;

/// The angle of the point (x, y) in (−π, π], with C's signs of zeros. Largest error 1.5 ULP.
///
/// With t the smaller magnitude by the larger, atan t = t + t³ · P(t²); P minimises the largest relative error (3e-9).
/// The angle is t's, or what it leaves of a right or straight angle, which are taken in two parts.
#[inline(always)]
pub fn atan2<const FMA: bool>(y: f32, x: f32) -> f32 {
    let (a, b) = (y.abs(), x.abs());
    let steep = a > b;
    let (low, high) = if steep { (b, a) } else { (a, b) };
    let t = low / high;
    // 0 by 0 and ∞ by ∞; a NaN passes.
    let t = if (low == 0.0) & (high == 0.0) { 0.0 } else { t };
    let t = if (low == f32::INFINITY) & (high == f32::INFINITY) { 1.0 } else { t };
    let z = t * t;
    let p = horner::<FMA, 9>(
        z,
        [
            -0.001_793_621_3,
            0.010_914_604,
            -0.031_177_843,
            0.057_957_593,
            -0.084_034_5,
            0.109_521_86,
            -0.142_642_42,
            0.199_985_49,
            -0.333_333,
        ],
    );
    let angle = mul_add::<FMA>(t * z, p, t);
    let left = x.is_sign_negative();
    let (whole, rest) = if left { (std::f32::consts::PI, PI_LO) } else { (0.0, 0.0) };
    let (whole, rest) = if steep { (std::f32::consts::FRAC_PI_2, HALF_PI_LO) } else { (whole, rest) };
    let turned = if steep != left { -angle } else { angle };
    (whole + (turned + rest)).copysign(y)
}
