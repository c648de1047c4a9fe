//! The table. A line: name and inputs, dtypes, value, gradient towards each input, domains of samples, what it is.
//!
//! Gradients follow PyTorch where the derivative doesn't exist: relu'(0) = abs'(0) = 0, ties of maximum and minimum
//! halve it, clamp passes it at the bounds. `[]` stands for a gradient of zero, of which nothing is recorded.

use super::activations::*;
use super::definition::{Definition, Part, Rule, plain, table};
use super::functions::*;
use fovea_core::op::InputSchema;

use std::f64::consts::{LN_2, LN_10, LOG2_E, LOG10_E};

use Rule::{Arithmetic, Bits, Compare, Float, FloatTest, Logic, Numeric, Rounding, Select, Shift};

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
    fmod(a, b) NO_BOOL, fmod(a, b), [g, -(g * trunc(a / b))],
        [-6.0..6.0, 0.7..2.5], "Remainder with the sign of the dividend";
    floor_divide(a, b) NO_BOOL, floor_divide(a, b), [], [-6.0..6.0, 0.7..2.5], "Quotient rounded down";
    maximum(a, b) Arithmetic, maximum(a, b), [share(g, a, b, lt(a, b)), share(g, b, a, lt(b, a))],
        [-2.0..2.0, -2.0..2.0], "Larger of two; NaN if either is";
    minimum(a, b) Arithmetic, minimum(a, b), [share(g, a, b, lt(b, a)), share(g, b, a, lt(a, b))],
        [-2.0..2.0, -2.0..2.0], "Smaller of two; NaN if either is";

    atan2(a, b) Float, atan2(a, b), [g * (b / (a * a + b * b)), -(g * (a / (a * a + b * b)))],
        [-2.0..2.0, 0.5..3.0], "Angle of the point (b, a), from -π to π";
    hypot(a, b) Float, hypot(a, b), [g * (a / y), g * (b / y)],
        [-2.0..2.0, 0.5..3.0], "√(a² + b²) without overflow on the way";
    copysign(a, b) Float, copysign(a, b), [g * (sign(a) * copysign(a.constant(1.0), b)), 0],
        [0.3..2.0, 0.5..3.0], "Magnitude of a with the sign of b";
    logaddexp(a, b) Float, logaddexp(a, b), [g * logistic(a - b), g * logistic(b - a)],
        [-4.0..4.0, -4.0..4.0], "log(exp(a) + exp(b)) without overflow on the way";
    xlogy(a, b) Float, xlogy(a, b), [g * xlogy_slope(a, b), g * (a / b)],
        [-2.0..2.0, 0.3..4.0], "a log b, 0 where a is 0";

    eq(a, b) Compare, eq(a, b), [], [-2.0..2.0, -2.0..2.0], "Whether equal; bool";
    ne(a, b) Compare, ne(a, b), [], [-2.0..2.0, -2.0..2.0], "Whether not equal; bool";
    lt(a, b) Compare, lt(a, b), [], [-2.0..2.0, -2.0..2.0], "Whether less; bool";
    le(a, b) Compare, le(a, b), [], [-2.0..2.0, -2.0..2.0], "Whether less or equal; bool";
    gt(a, b) Compare, gt(a, b), [], [-2.0..2.0, -2.0..2.0], "Whether greater; bool";
    ge(a, b) Compare, ge(a, b), [], [-2.0..2.0, -2.0..2.0], "Whether greater or equal; bool";
    logical_and(a, b) Logic, and(a, b), [], [-2.0..2.0, -2.0..2.0], "Whether both are not 0; bool";
    logical_or(a, b) Logic, or(a, b), [], [-2.0..2.0, -2.0..2.0], "Whether either is not 0; bool";
    logical_xor(a, b) Logic, ne(a, b), [], [-2.0..2.0, -2.0..2.0], "Whether exactly one is not 0; bool";
    logical_not(x) Logic, not(x), [], [-2.0..2.0], "Whether it is 0; bool";

    bitwise_and(a, b) Bits, and(a, b), [], [-200.0..200.0, -200.0..200.0], "Bits that are set in both; bool: whether both are";
    bitwise_or(a, b) Bits, or(a, b), [], [-200.0..200.0, -200.0..200.0], "Bits that are set in either; bool: whether either is";
    bitwise_xor(a, b) Bits, xor(a, b), [], [-200.0..200.0, -200.0..200.0],
        "Bits that are set in exactly one; bool: whether exactly one is";
    bitwise_not(x) Bits, complement(x), [], [-200.0..200.0], "Every bit turned; bool: the contrary";
    bitwise_left_shift(a, b) Shift, shift_left(a, b), [], [-200.0..200.0, -2.0..20.0],
        "a · 2ᵇ without the bits that leave; 0 for b outside the bits of the dtype";
    bitwise_right_shift(a, b) Shift, shift_right(a, b), [], [-200.0..200.0, -2.0..20.0],
        "a / 2ᵇ rounded down; the sign, 0 or -1, for b outside the bits of the dtype";

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
    exp2(x) Float, exp2(x), [g * (y * LN_2)], [-6.0..4.0], "Power of 2";
    log2(x) Float, log(x) * LOG2_E, [g / (x * LN_2)], [0.1..20.0], "Logarithm to base 2";
    log10(x) Float, log(x) * LOG10_E, [g / (x * LN_10)], [0.1..20.0], "Logarithm to base 10";
    log1p(x) Float, log1p(x), [g / (x + 1.0)], [-0.9..9.0], "Natural logarithm of 1 + x, exact near 0";
    sin(x) Float, sin(x), [g * cos(x)], [-7.0..7.0], "Sine";
    cos(x) Float, cos(x), [-(g * sin(x))], [-7.0..7.0], "Cosine";
    tan(x) Float, sin(x) / cos(x), [g * (1.0 + y * y)], [-1.3..1.3], "Tangent";
    asin(x) Float, atan2(x, cosine_of_sine(x)), [g / cosine_of_sine(x)], [-0.95..0.95], "Arc sine; NaN beyond ±1";
    acos(x) Float, atan2(cosine_of_sine(x), x), [-(g / cosine_of_sine(x))], [-0.95..0.95], "Arc cosine; NaN beyond ±1";
    atan(x) Float, atan2(x, 1.0), [g / (1.0 + x * x)], [-6.0..6.0], "Arc tangent";
    sinh(x) Float, sinh(x), [g * cosh(x)], [-4.0..4.0], "Hyperbolic sine";
    cosh(x) Float, cosh(x), [g * sinh(x)], [-4.0..4.0], "Hyperbolic cosine";
    asinh(x) Float, asinh(x), [g / sqrt(1.0 + x * x)], [-6.0..6.0], "Inverse hyperbolic sine";
    acosh(x) Float, acosh(x), [g / (sqrt(x - 1.0) * sqrt(x + 1.0))], [1.2..6.0], "Inverse hyperbolic cosine";
    atanh(x) Float, 0.5 * (log1p(x) - log1p(-x)), [g / ((1.0 - x) * (1.0 + x))],
        [-0.9..0.9], "Inverse hyperbolic tangent; NaN beyond ±1";
    tanh(x) Float, tanh(x), [g * (1.0 - y * y)], [-4.0..4.0], "Hyperbolic tangent";
    erf(x) Float, erf(x), [g * (TWO_OVER_SQRT_PI * exp(-(x * x)))], [-3.0..3.0], "Error function";
    erfc(x) Float, erfc(x), [-(g * (TWO_OVER_SQRT_PI * exp(-(x * x))))],
        [-3.0..3.0], "Complementary error function 1 - erf(x), exact where it is tiny";
    logit(x) Float, log(x) - log1p(-x), [g / (x * (1.0 - x))], [0.05..0.95], "Inverse of sigmoid; NaN beyond 0 and 1";

    sigmoid(x) Float, sigmoid(x), [g * (y * (1.0 - y))], [-8.0..8.0], "Logistic function 1 / (1 + exp(-x))";
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
    relu6(x) NO_BOOL, minimum(maximum(x, 0.0), 6.0), [select(and(gt(x, 0.0), lt(x, 6.0)), g, 0.0)],
        [-3.0..9.0], "Rectified linear unit up to 6 (Howard et al., 2017)";
    leaky_relu(x, slope) Float, select(gt(x, 0.0), x, x * slope),
        [select(gt(x, 0.0), g, g * slope), select(gt(x, 0.0), 0.0, g * x)],
        [-2.0..2.0, 0.01..0.5], "Rectifier with a slope below 0 (Maas et al., 2013)";
    elu(x, alpha) Float, select(gt(x, 0.0), x, alpha * expm1(below(x))),
        [select(gt(x, 0.0), g, g * (alpha * exp(below(x)))), select(gt(x, 0.0), 0.0, g * expm1(below(x)))],
        [-4.0..3.0, 0.5..2.0], "Exponential linear unit (Clevert et al., 2016)";
    selu(x) Float, SELU_SCALE * select(gt(x, 0.0), x, SELU_ALPHA * expm1(below(x))),
        [g * (SELU_SCALE * select(gt(x, 0.0), 1.0, SELU_ALPHA * exp(below(x))))],
        [-4.0..3.0], "Scaled exponential linear unit (Klambauer et al., 2017)";
    celu(x, alpha) Float, select(gt(x, 0.0), x, alpha * expm1(below(x) / alpha)),
        [select(gt(x, 0.0), g, g * exp(below(x) / alpha)), select(gt(x, 0.0), 0.0, g * celu_alpha_slope(x, alpha))],
        [-4.0..3.0, 0.5..2.0], "Continuously differentiable elu (Barron, 2017)";
    mish(x) Float, x * tanh(softplus(x)), [g * mish_slope(x)], [-6.0..6.0], "x tanh(softplus(x)) (Misra, 2019)";
    softsign(x) Float, x / (1.0 + abs(x)), [g / square(1.0 + abs(x))], [-6.0..6.0], "x / (1 + |x|)";
    logsigmoid(x) Float, minimum(x, 0.0) - log1p(exp(-abs(x))), [g * logistic(-x)],
        [-15.0..15.0], "Logarithm of sigmoid";
    hardsigmoid(x) Float, minimum(maximum(x + 3.0, 0.0), 6.0) / 6.0, [select(lt(abs(x), 3.0), g / 6.0, 0.0)],
        [-2.5..2.5], "Piecewise linear sigmoid (Howard et al., 2019)";
    hardtanh(x, min, max) NO_BOOL, minimum(maximum(x, min), max), [
            select(and(gt(x, min), lt(x, max)), g, 0.0), select(le(x, min), g, 0.0), select(ge(x, max), g, 0.0)
        ], [-3.0..3.0, -2.0..-1.0, 1.0..2.0], "Piecewise linear tanh, limited to [min, max]";
    threshold(x, threshold, value) NO_BOOL, select(gt(x, threshold), x, value),
        [select(gt(x, threshold), g, 0.0), 0, select(gt(x, threshold), 0.0, g)],
        [-2.0..2.0, -0.5..0.5, -9.0..9.0], "x above the threshold, else value";
    lerp(a, b, weight) Float, lerp(a, b, weight), [g * (1.0 - weight), g * weight, g * (b - a)],
        [-2.0..2.0, -2.0..2.0, 0.0..1.0], "Linear interpolation from a (weight 0) to b (weight 1)";

    frac(x) Float, x - trunc(x), [g], [0.1..0.9], "Part behind the point, with the sign of x";
    floor(x) Rounding, floor(x), [], [-4.0..4.0], "Rounded down";
    ceil(x) Rounding, ceil(x), [], [-4.0..4.0], "Rounded up";
    round(x) Rounding, round(x), [], [-4.0..4.0], "Rounded to the nearest, halves to even";
    trunc(x) Rounding, trunc(x), [], [-4.0..4.0], "Rounded towards 0";
    is_nan(x) FloatTest, ne(x, x), [], [-2.0..2.0], "Whether it is NaN; bool";
    is_inf(x) FloatTest, eq(abs(x), f64::INFINITY), [], [-2.0..2.0], "Whether it is infinite; bool";
    is_finite(x) FloatTest, lt(abs(x), f64::INFINITY), [], [-2.0..2.0], "Whether it is neither infinite nor NaN; bool";

    r#where(condition, a, b) Select, select(condition, a, b), [0, select(condition, g, 0.0), select(condition, 0.0, g)],
        [0.0..1.0, -2.0..2.0, -2.0..2.0], "`a` where the condition (bool) holds, else `b`";
    clamp_min(x, min) NO_BOOL, maximum(x, min), [select(ge(x, min), g, 0.0), select(lt(x, min), g, 0.0)],
        [-2.0..2.0, -1.0..0.0], "Limited to at least min";
    clamp_max(x, max) NO_BOOL, minimum(x, max), [select(le(x, max), g, 0.0), select(gt(x, max), g, 0.0)],
        [-2.0..2.0, 0.0..1.0], "Limited to at most max";
}
