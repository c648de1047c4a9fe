//! The complementary error function in f32.

use super::horner64;
use super::pow::exp2;

/// `1 − erf x`. Largest error 0.6 ULP over all f32, also where the result is tiny.
///
/// With t = 2 / (2 + |x|) it is t · e^(−x² + P(t)) for x ≥ 0, what that leaves of 2 for the others: in f64, where x²
/// is exact. P minimises the largest error (3e-9).
#[inline(always)]
pub fn erfc<const FMA: bool>(x: f32) -> f32 {
    let a = f64::from(x.abs());
    // From here on the result rounds to 0; a NaN passes.
    let a = if a > 11.0 { 11.0 } else { a };
    let t = 2.0 / (2.0 + a);
    let p = horner64::<FMA, 12>(
        t,
        [
            -0.086_429_909_353_750_07,
            0.411_700_027_251_150_7,
            -0.598_264_194_348_109_6,
            -0.190_385_511_259_503_8,
            1.461_181_154_983_452_8,
            -1.543_654_006_991_827,
            0.667_513_445_790_633_5,
            -0.370_129_361_434_747_56,
            0.147_256_363_085_065_4,
            0.366_036_485_026_688_73,
            1.000_712_035_651_771,
            -1.265_536_531_375_142,
        ],
    );
    let tail = t * exp2::<FMA>((p - a * a) * std::f64::consts::LOG2_E);
    (if x < 0.0 { 2.0 - tail } else { tail }) as f32
}
