//! The words in which the table is written: scalar functions of expressions, of which all but the first may be numbers.

use fovea_core::DType;
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
    abs Abs, ceil Ceil, cos Cos, erf Erf, erfc Erfc, exp Exp, expm1 Expm1, floor Floor, log Log, log1p Log1p, not Not,
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
binary!(
    and And, atan2 Atan2, eq Eq, le Le, lt Lt, maximum Max, minimum Min, ne Ne, or Or, pow Pow, shift_left Shl,
    shift_right Shr, xor Xor,
);

pub fn ge(a: impl Borrow<Expr>, b: impl Operand) -> Expr {
    let a = a.borrow();
    a.ge(&b.beside(a))
}

pub fn gt(a: impl Borrow<Expr>, b: impl Operand) -> Expr {
    let a = a.borrow();
    a.gt(&b.beside(a))
}

/// Every bit turned: −x − 1 in two's complement.
pub fn complement(x: &Expr) -> Expr {
    if x.dtype() == DType::Bool { not(x) } else { -x - 1.0 }
}

/// `yes` where the condition holds, else `no`; one of them must be an expression.
pub fn select(condition: impl Borrow<Expr>, yes: impl Operand, no: impl Operand) -> Expr {
    let like = yes.expr().or(no.expr()).expect("a line of the table selects between two numbers");
    condition.borrow().select(&yes.beside(like), &no.beside(like))
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

pub fn square(x: impl Borrow<Expr>) -> Expr {
    let x = x.borrow();
    x * x
}

/// 2ˣ.
pub fn exp2(x: &Expr) -> Expr {
    pow(x.constant(2.0), x)
}

/// The remainder of a division rounded towards 0: exact, since the remainder of two magnitudes is.
pub fn fmod(a: &Expr, b: &Expr) -> Expr {
    let rest = abs(a) % abs(b);
    select(lt(a, 0.0), -&rest, &rest)
}

/// The quotient rounded down: of what [`fmod`] leaves, which the divisor divides. Float by 0 is ±∞ or NaN.
pub fn floor_divide(a: &Expr, b: &Expr) -> Expr {
    let rest = fmod(a, b);
    let whole = (a - &rest) / b;
    let below = and(ne(&rest, 0.0), ne(lt(&rest, 0.0), lt(b, 0.0)));
    let quotient = select(below, &whole - 1.0, &whole);
    if a.dtype().is_float() { select(eq(b, 0.0), a / b, round(quotient)) } else { quotient }
}

/// √(a² + b²) = m √(1 + (n / m)²) with m the larger magnitude; ∞ where either is infinite.
pub fn hypot(a: &Expr, b: &Expr) -> Expr {
    let (a, b) = (abs(a), abs(b));
    let (low, high) = (minimum(&a, &b), maximum(&a, &b));
    let length = &high * sqrt(1.0 + square(low / &high));
    let infinite = or(eq(&a, f64::INFINITY), eq(&b, f64::INFINITY));
    select(infinite, f64::INFINITY, select(eq(&high, 0.0), &high, &length))
}

/// |a| with the sign of b, which −0 has too.
pub fn copysign(a: impl Borrow<Expr>, b: &Expr) -> Expr {
    let a = abs(a);
    select(or(lt(b, 0.0), lt(1.0 / b, 0.0)), -&a, &a)
}

/// log(eᵃ + eᵇ) = max(a, b) + log(1 + e^−|a − b|); equal infinities leave themselves.
pub fn logaddexp(a: &Expr, b: &Expr) -> Expr {
    select(eq(a, b), a + std::f64::consts::LN_2, maximum(a, b) + log1p(exp(-abs(a - b))))
}

/// a ln b, 0 where a = 0 and b isn't NaN.
pub fn xlogy(a: &Expr, b: &Expr) -> Expr {
    select(and(eq(a, 0.0), eq(b, b)), 0.0, a * log(b))
}

/// ∂(a ln b)/∂a = ln b, 0 where a = 0 and b ≤ 0.
pub fn xlogy_slope(a: &Expr, b: &Expr) -> Expr {
    select(and(eq(a, 0.0), le(b, 0.0)), 0.0, log(b))
}

/// The linear interpolation from the nearer end, so that both ends are exact.
pub fn lerp(a: &Expr, b: &Expr, weight: &Expr) -> Expr {
    select(lt(weight, 0.5), a + weight * (b - a), b - (b - a) * (1.0 - weight))
}

/// √(1 − x²), the cosine of the angle whose sine is x.
pub fn cosine_of_sine(x: &Expr) -> Expr {
    sqrt((1.0 - x) * (1.0 + x))
}

/// ½ (eˣ − e⁻ˣ) through expm1, which is exact near 0; far out ½ (e^½|x|)², which overflows no sooner than the result.
pub fn sinh(x: &Expr) -> Expr {
    let root = exp(abs(x) * 0.5);
    let far = sign(x) * (0.5 * &root * &root);
    select(lt(abs(x), 60.0), 0.5 * (expm1(x) - expm1(-x)), far)
}

/// ½ (eˣ + e⁻ˣ) from r = e^½|x| as ½ r² + ½ / r².
pub fn cosh(x: &Expr) -> Expr {
    let root = exp(abs(x) * 0.5);
    0.5 * &root * &root + 0.5 / &root / &root
}

/// Where a² would leave f32 behind, and 1 is nothing beside it.
const LARGE: f64 = 1e9;

/// ± log(1 + a + a² / (1 + √(1 + a²))) with a = |x|, for large ones log 2a.
pub fn asinh(x: &Expr) -> Expr {
    let a = abs(x);
    let square = &a * &a;
    let near = log1p(&a + &square / (1.0 + sqrt(1.0 + &square)));
    let y = select(gt(&a, LARGE), log(&a) + std::f64::consts::LN_2, near);
    select(lt(x, 0.0), -&y, &y)
}

/// log(1 + t + √t √(t + 2)) with t = x − 1, for large x log 2x.
pub fn acosh(x: &Expr) -> Expr {
    let t = x - 1.0;
    let near = log1p(&t + sqrt(&t) * sqrt(&t + 2.0));
    select(gt(x, LARGE), log(x) + std::f64::consts::LN_2, near)
}
