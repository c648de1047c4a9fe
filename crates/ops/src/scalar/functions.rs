//! The words in which the table is written: scalar functions of expressions, of which all but the first may be numbers.

use fovea_core::scalar::{Expr, Prim};
use std::borrow::Borrow;

/// An expression or a number.
pub trait Operand {
    fn expr(&self) -> Option<&Expr>;

    /// The operand with the dtype of `like`, should it be a number.
    fn beside(&self, like: &Expr) -> Expr;
}

impl Operand for f64 {
    fn expr(&self) -> Option<&Expr> {
        None
    }
    fn beside(&self, like: &Expr) -> Expr {
        like.constant(*self)
    }
}

impl Operand for Expr {
    fn expr(&self) -> Option<&Expr> {
        Some(self)
    }
    fn beside(&self, _: &Expr) -> Expr {
        self.clone()
    }
}

impl Operand for &Expr {
    fn expr(&self) -> Option<&Expr> {
        Some(self)
    }
    fn beside(&self, _: &Expr) -> Expr {
        (*self).clone()
    }
}

macro_rules! unary {
    ($($name:ident $prim:ident),* $(,)?) => {$(
        pub fn $name(x: impl Borrow<Expr>) -> Expr {
            x.borrow().unary(Prim::$prim)
        }
    )*};
}
unary!(
    abs Abs, ceil Ceil, cos Cos, erf Erf, exp Exp, expm1 Expm1, floor Floor, log Log, log1p Log1p, not Not,
    round Round, sign Sign, sin Sin, sqrt Sqrt, tanh Tanh, trunc Trunc,
);

macro_rules! binary {
    ($($name:ident $prim:ident),* $(,)?) => {$(
        pub fn $name(a: impl Borrow<Expr>, b: impl Operand) -> Expr {
            let a = a.borrow();
            a.binary(Prim::$prim, &b.beside(a))
        }
    )*};
}
binary!(and And, eq Eq, le Le, lt Lt, maximum Max, minimum Min, ne Ne, or Or, pow Pow);

pub fn ge(a: impl Borrow<Expr>, b: impl Operand) -> Expr {
    let a = a.borrow();
    a.ge(&b.beside(a))
}

pub fn gt(a: impl Borrow<Expr>, b: impl Operand) -> Expr {
    let a = a.borrow();
    a.gt(&b.beside(a))
}

/// `yes` where the condition holds, else `no`; one of them must be an expression.
pub fn select(condition: impl Borrow<Expr>, yes: impl Operand, no: impl Operand) -> Expr {
    let like = yes.expr().or(no.expr()).expect("a line of the table selects between two numbers");
    condition.borrow().select(&yes.beside(like), &no.beside(like))
}

/// The logistic function 1 / (1 + e^−x).
pub fn logistic(x: impl Borrow<Expr>) -> Expr {
    1.0 / (1.0 + exp(-x.borrow()))
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

/// The part of `g` that goes to `a`, one of two: all of it, half at a tie, none where it `loses`. NaN passes all.
pub fn share(g: &Expr, a: &Expr, b: &Expr, loses: impl Borrow<Expr>) -> Expr {
    select(eq(a, b), g * 0.5, select(loses, 0.0, g))
}

/// ∂aᵇ/∂a = b aᵇ⁻¹, 0 where b = 0.
pub fn pow_base_slope(a: &Expr, b: &Expr) -> Expr {
    select(eq(b, 0.0), 0.0, b * pow(a, b - 1.0))
}

/// ∂aᵇ/∂b = y ln a, 0 where a = 0 and b ≥ 0.
pub fn pow_exponent_slope(a: &Expr, b: &Expr, y: &Expr) -> Expr {
    select(and(eq(a, 0.0), ge(b, 0.0)), 0.0, y * log(a))
}

/// The derivative of [`hardswish`](super::record::hardswish): (2x + 3) / 6 between −3 and 3, 0 below, 1 above.
pub fn hardswish_slope(x: &Expr) -> Expr {
    let inside = (2.0 * x + 3.0) / 6.0;
    select(le(x, -3.0), 0.0, select(ge(x, 3.0), 1.0, inside))
}
