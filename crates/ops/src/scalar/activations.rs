//! The words in which the table's activations are written.

use super::functions::*;
use fovea_core::scalar::Expr;
use std::borrow::Borrow;

/// The fixed point of mean 0 and variance 1 (Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017).
pub const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
pub const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

/// 1 / (1 + e⁻ˣ) from e = e^−|x|; below 0 it is e − e² / (1 + e), where only the last step rounds much.
pub fn sigmoid(x: &Expr) -> Expr {
    let (e, below) = (exp(-abs(x)), lt(x, 0.0));
    let share = select(&below, &e, 1.0) / (1.0 + &e);
    select(&below, &e - &e * &share, &share)
}

/// The logistic function 1 / (1 + e^−x), as e^min(x, 0) / (1 + e^−|x|): no power of it or of its derivatives overflows.
pub fn logistic(x: impl Borrow<Expr>) -> Expr {
    let x = x.borrow();
    exp(minimum(x, 0.0)) / (1.0 + exp(-abs(x)))
}

/// The distribution function of the standard normal, ½ (1 + erf(x / √2)).
pub fn normal_cdf(x: impl Borrow<Expr>) -> Expr {
    0.5 * (1.0 + erf(x.borrow() * std::f64::consts::FRAC_1_SQRT_2))
}

/// The density of the standard normal, e^(−x²/2) / √(2π).
pub fn normal_pdf(x: impl Borrow<Expr>) -> Expr {
    let x = x.borrow();
    exp(x * x * -0.5) * (std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2 * 0.5)
}

/// `√(2/π) (x + 0.044715 x³)`, the argument of the tanh in the approximate GELU (Hendrycks and Gimpel, 2016).
pub fn gelu_inner(x: impl Borrow<Expr>) -> Expr {
    let x = x.borrow();
    SQRT_2_OVER_PI * (x + GELU_CUBIC * (x * x * x))
}

/// The derivative of [`gelu_inner`].
pub fn gelu_inner_slope(x: impl Borrow<Expr>) -> Expr {
    let x = x.borrow();
    SQRT_2_OVER_PI * (1.0 + 3.0 * GELU_CUBIC * (x * x))
}

const SQRT_2_OVER_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
const GELU_CUBIC: f64 = 0.044_715;

/// The derivative of [`gelu_tanh`](super::record::gelu_tanh).
pub fn gelu_tanh_slope(x: impl Borrow<Expr>) -> Expr {
    let x = x.borrow();
    let t = tanh(gelu_inner(x));
    0.5 * (1.0 + &t) + 0.5 * x * (1.0 - &t * &t) * gelu_inner_slope(x)
}

/// The derivative of [`hardswish`](super::record::hardswish): (2x + 3) / 6 between −3 and 3, 0 below, 1 above.
pub fn hardswish_slope(x: &Expr) -> Expr {
    let inside = (2.0 * x + 3.0) / 6.0;
    select(le(x, -3.0), 0.0, select(ge(x, 3.0), 1.0, inside))
}

/// The part of x below 0, with which the branch of an elu that isn't taken stays finite.
pub fn below(x: &Expr) -> Expr {
    minimum(x, 0.0)
}

/// ∂celu/∂α = e^(x/α) − 1 − x/α e^(x/α) for x below 0.
pub fn celu_alpha_slope(x: &Expr, alpha: &Expr) -> Expr {
    let ratio = below(x) / alpha;
    expm1(&ratio) - &ratio * exp(&ratio)
}

/// log(1 + eˣ) without overflow on the way.
pub fn softplus(x: &Expr) -> Expr {
    maximum(x, 0.0) + log1p(exp(-abs(x)))
}

/// The derivative of [`mish`](super::record::mish): t + x σ(x) (1 − t²) with t = tanh(softplus(x)).
pub fn mish_slope(x: &Expr) -> Expr {
    let t = tanh(softplus(x));
    &t + x * logistic(x) * (1.0 - &t * &t)
}
