//! Sine and cosine in f32.

use super::{horner, mul_add};

/// Up to here [`sin`] and [`cos`] hold; beyond, [`sin_far`] and [`cos_far`] do.
pub const TRIG_BOUND: f32 = 16_777_216.0;
/// 1.5 · 2^52: adding it rounds to an integer, which then stands in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// π/2 in two parts; the first has 25 significant bits, so that its product with any quadrant is exact.
const HALF_PI_HI: f64 = 1.570_796_310_901_641_8;
const HALF_PI_LO: f64 = 1.589_325_477_352_819_6e-8;

/// `(q, r)` with `x = q · π/2 + r`, |r| ≤ π/4; only the lowest bits of q count.
#[inline(always)]
fn reduce(x: f32) -> (u32, f32) {
    let x = f64::from(x);
    let t = x * std::f64::consts::FRAC_2_PI + ROUND;
    let q = t - ROUND;
    (t.to_bits() as u32, ((x - q * HALF_PI_HI) - q * HALF_PI_LO) as f32)
}

/// The sine of `q · π/2 + r`. Both polynomials minimise the largest error (1.6e-10 relative).
#[inline(always)]
fn sin_reduced<const FMA: bool>(q: u32, r: f32) -> f32 {
    let z = r * r;
    let s = horner::<FMA, 4>(z, [2.837_247e-6, -1.985_349_8e-4, 0.008_333_38, -0.166_666_67]);
    let s = mul_add::<FMA>(r * z, s, r);
    let c = horner::<FMA, 4>(z, [-2.897_415_6e-7, 2.482_296_8e-5, -0.001_388_898_2, 0.041_666_668]);
    let c = mul_add::<FMA>(z * z, c, mul_add::<FMA>(z, -0.5, 1.0));
    let y = if q & 1 == 0 { s } else { c };
    f32::from_bits(y.to_bits() ^ ((q & 2) << 30))
}

/// Sine for |x| ≤ [`TRIG_BOUND`]. Largest error 1.6 ULP.
#[inline(always)]
pub fn sin<const FMA: bool>(x: f32) -> f32 {
    let (q, r) = reduce(x);
    let y = sin_reduced::<FMA>(q, r);
    if x.abs() < 2e-4 { x } else { y }
}

/// Cosine for |x| ≤ [`TRIG_BOUND`]. Largest error 1.6 ULP.
#[inline(always)]
pub fn cos<const FMA: bool>(x: f32) -> f32 {
    let (q, r) = reduce(x);
    sin_reduced::<FMA>(q.wrapping_add(1), r)
}

/// Sine of any x, by a reduction in as many digits as it needs; NaN for infinities. Largest error 0.5 ULP.
pub fn sin_far(x: f32) -> f32 {
    libm::sin(f64::from(x)) as f32
}

/// Cosine of any x, as [`sin_far`].
pub fn cos_far(x: f32) -> f32 {
    libm::cos(f64::from(x)) as f32
}
