//! The table. A line: name and inputs, dtypes, value, gradient towards each input, domains of samples, what it is.
//!
//! Gradients follow PyTorch where the derivative doesn't exist: relu'(0) = abs'(0) = 0, ties of maximum and minimum
//! halve it, clamp passes it at the bounds. `[]` stands for a gradient of zero, of which nothing is recorded.

use super::definition::{Definition, Part, Rule, plain, table};
use super::functions::*;
use fovea_core::op::InputSchema;

use Rule::{Arithmetic, Compare, Float, FloatTest, Logic, Numeric, Rounding, Select};

const NO_SUB: Rule = Numeric("use ne for exclusive or, logicalNot to invert, or cast to i32 first");
const NO_NEG: Rule = Numeric("use logicalNot to invert it, or cast to i32 first");
const TWO_OVER_SQRT_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI;
const NO_BOOL: Rule = Numeric("cast it to i32 first");

table! {
    (gradient g, result y)

    add(a, b) Arithmetic, a + b, [g, g], [-2.0..2.0, -2.0..2.0], "Sum";
    sub(a, b) NO_SUB, a - b, [g, -g], [-2.0..2.0, -2.0..2.0], "Difference";
    mul(a, b) Arithmetic, a * b, [g * b, g * a], [-2.0..2.0, -2.0..2.0], "Product";
    div(a, b) Float, a / b, [g / b, -(g * (a / b)) / b], [-2.0..2.0, 0.5..3.0], "True quotient; integers give f32";
    pow(a, b) NO_BOOL, pow(a, b), [g * pow_base_slope(a, b), g * pow_exponent_slope(a, b, y)],
        [0.2..3.0, -2.0..3.0], "Power";
    remainder(a, b) NO_BOOL, a % b, [g, -(g * floor(a / b))],
        [-6.0..6.0, 0.7..2.5], "Remainder with the sign of the divisor";
    maximum(a, b) Arithmetic, maximum(a, b), [share(g, a, b, lt(a, b)), share(g, b, a, lt(b, a))],
        [-2.0..2.0, -2.0..2.0], "Larger of two; NaN if either is";
    minimum(a, b) Arithmetic, minimum(a, b), [share(g, a, b, lt(b, a)), share(g, b, a, lt(a, b))],
        [-2.0..2.0, -2.0..2.0], "Smaller of two; NaN if either is";

    eq(a, b) Compare, eq(a, b), [], [-2.0..2.0, -2.0..2.0], "Whether equal; bool";
    ne(a, b) Compare, ne(a, b), [], [-2.0..2.0, -2.0..2.0], "Whether not equal; bool";
    lt(a, b) Compare, lt(a, b), [], [-2.0..2.0, -2.0..2.0], "Whether less; bool";
    le(a, b) Compare, le(a, b), [], [-2.0..2.0, -2.0..2.0], "Whether less or equal; bool";
    gt(a, b) Compare, gt(a, b), [], [-2.0..2.0, -2.0..2.0], "Whether greater; bool";
    ge(a, b) Compare, ge(a, b), [], [-2.0..2.0, -2.0..2.0], "Whether greater or equal; bool";
    logical_and(a, b) Logic, and(a, b), [], [-2.0..2.0, -2.0..2.0], "Whether both are not 0; bool";
    logical_or(a, b) Logic, or(a, b), [], [-2.0..2.0, -2.0..2.0], "Whether either is not 0; bool";
    logical_not(x) Logic, not(x), [], [-2.0..2.0], "Whether it is 0; bool";

    neg(x) NO_NEG, -x, [-g], [-2.0..2.0], "Negative";
    abs(x) NO_BOOL, abs(x), [g * sign(x)], [-2.0..2.0], "Absolute value";
    sign(x) Arithmetic, sign(x), [], [-2.0..2.0], "Sign: -1, 0 or 1; NaN stays NaN";
    square(x) Arithmetic, x * x, [g * (x * 2.0)], [-3.0..3.0], "Square";
    sqrt(x) Float, sqrt(x), [g * 0.5 / y], [0.05..9.0], "Square root; NaN below 0";
    rsqrt(x) Float, 1.0 / sqrt(x), [g * -0.5 * (y * y * y)], [0.1..9.0], "Reciprocal of the square root";
    reciprocal(x) Float, 1.0 / x, [-(g * (y * y))], [0.3..4.0], "Reciprocal";
    exp(x) Float, exp(x), [g * y], [-5.0..3.0], "Exponential";
    expm1(x) Float, expm1(x), [g * (y + 1.0)], [-3.0..3.0], "Exponential minus 1, exact near 0";
    log(x) Float, log(x), [g / x], [0.1..20.0], "Natural logarithm";
    log1p(x) Float, log1p(x), [g / (x + 1.0)], [-0.9..9.0], "Natural logarithm of 1 + x, exact near 0";
    sin(x) Float, sin(x), [g * cos(x)], [-7.0..7.0], "Sine";
    cos(x) Float, cos(x), [-(g * sin(x))], [-7.0..7.0], "Cosine";
    tanh(x) Float, tanh(x), [g * (1.0 - y * y)], [-4.0..4.0], "Hyperbolic tangent";
    erf(x) Float, erf(x), [g * (TWO_OVER_SQRT_PI * exp(-(x * x)))], [-3.0..3.0], "Error function";

    sigmoid(x) Float, 1.0 / (1.0 + exp(-x)), [g * (y * (1.0 - y))], [-8.0..8.0], "Logistic function";
    relu(x) NO_BOOL, maximum(x, 0.0), [select(le(y, 0.0), 0.0, g)], [-2.0..2.0], "Rectified linear unit";
    gelu(x) Float, x * normal_cdf(x), [g * (normal_cdf(x) + x * normal_pdf(x))],
        [-4.0..4.0], "Gaussian error linear unit (Hendrycks and Gimpel, 2016), exact";
    gelu_tanh(x) Float, 0.5 * x * (1.0 + tanh(gelu_inner(x))), [g * gelu_tanh_slope(x)],
        [-4.0..4.0], "Gaussian error linear unit, approximated through tanh";
    silu(x) Float, x / (1.0 + exp(-x)), [g * (logistic(x) * (1.0 + x * (1.0 - logistic(x))))],
        [-8.0..8.0], "Sigmoid linear unit (swish)";
    softplus(x) Float, maximum(x, 0.0) + log1p(exp(-abs(x))), [g * logistic(x)],
        [-15.0..15.0], "Smooth rectifier log(1 + exp(x))";
    hardswish(x) Float, x * (minimum(maximum(x + 3.0, 0.0), 6.0) / 6.0), [g * hardswish_slope(x)],
        [-2.5..2.5], "Cheap approximation of silu (Howard et al., 2019)";

    floor(x) Rounding, floor(x), [], [-4.0..4.0], "Rounded down";
    ceil(x) Rounding, ceil(x), [], [-4.0..4.0], "Rounded up";
    round(x) Rounding, round(x), [], [-4.0..4.0], "Rounded to the nearest, halves to even";
    trunc(x) Rounding, trunc(x), [], [-4.0..4.0], "Rounded towards 0";
    is_nan(x) FloatTest, ne(x, x), [], [-2.0..2.0], "Whether it is NaN; bool";
    is_finite(x) FloatTest, lt(abs(x), f64::INFINITY), [], [-2.0..2.0], "Whether it is neither infinite nor NaN; bool";

    r#where(condition, a, b) Select, select(condition, a, b), [0, select(condition, g, 0.0), select(condition, 0.0, g)],
        [0.0..1.0, -2.0..2.0, -2.0..2.0], "`a` where the condition (bool) holds, else `b`";
    clamp_min(x, min) NO_BOOL, maximum(x, min), [select(ge(x, min), g, 0.0), select(lt(x, min), g, 0.0)],
        [-2.0..2.0, -1.0..0.0], "Limited to at least min";
    clamp_max(x, max) NO_BOOL, minimum(x, max), [select(le(x, max), g, 0.0), select(gt(x, max), g, 0.0)],
        [-2.0..2.0, 0.0..1.0], "Limited to at most max";
}
