// Written by `npm run generate` from the op list; edits are overwritten.
import { scratch } from '../native/addon.ts'
import { record, recordAll } from '../native/record.ts'
import type { DType } from '../native/types.ts'
import { NONE, type TensorLike, checkOptions, putBool, putDType, putFloat, putInput, putInputs, putInt, putInts, putKey, putOptionalInput, putOptionalInt, putOptionalInts, putPair } from '../native/write.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** Sum: `a + b`. */
export function add(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'add', 'a')
  putInput(3, b, 'add', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(0)
}

/** Difference: `a - b`. */
export function sub(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'sub', 'a')
  putInput(3, b, 'sub', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(1)
}

/** Product: `a * b`. */
export function mul(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'mul', 'a')
  putInput(3, b, 'mul', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(2)
}

/** True quotient; integers give f32: `a / b`. */
export function div(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'div', 'a')
  putInput(3, b, 'div', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(3)
}

/** Power: `pow(a, b)`. */
export function pow(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'pow', 'a')
  putInput(3, b, 'pow', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(4)
}

/** Remainder with the sign of the divisor: `a % b`. */
export function remainder(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'remainder', 'a')
  putInput(3, b, 'remainder', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(5)
}

/** Remainder with the sign of the dividend: `fmod(a, b)`. */
export function fmod(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'fmod', 'a')
  putInput(3, b, 'fmod', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(6)
}

/** Quotient rounded down: `floor_divide(a, b)`. */
export function floorDivide(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'floorDivide', 'a')
  putInput(3, b, 'floorDivide', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(7)
}

/** Larger of two; NaN if either is: `maximum(a, b)`. */
export function maximum(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'maximum', 'a')
  putInput(3, b, 'maximum', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(8)
}

/** Smaller of two; NaN if either is: `minimum(a, b)`. */
export function minimum(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'minimum', 'a')
  putInput(3, b, 'minimum', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(9)
}

/** Angle of the point (b, a), from -π to π: `atan2(a, b)`. */
export function atan2(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'atan2', 'a')
  putInput(3, b, 'atan2', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(10)
}

/** √(a² + b²) without overflow on the way: `hypot(a, b)`. */
export function hypot(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'hypot', 'a')
  putInput(3, b, 'hypot', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(11)
}

/** Magnitude of a with the sign of b: `copysign(a, b)`. */
export function copysign(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'copysign', 'a')
  putInput(3, b, 'copysign', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(12)
}

/** log(exp(a) + exp(b)) without overflow on the way: `logaddexp(a, b)`. */
export function logaddexp(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'logaddexp', 'a')
  putInput(3, b, 'logaddexp', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(13)
}

/** a log b, 0 where a is 0: `xlogy(a, b)`. */
export function xlogy(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'xlogy', 'a')
  putInput(3, b, 'xlogy', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(14)
}

/** Whether equal; bool: `eq(a, b)`. */
export function eq(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'eq', 'a')
  putInput(3, b, 'eq', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(15)
}

/** Whether not equal; bool: `ne(a, b)`. */
export function ne(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'ne', 'a')
  putInput(3, b, 'ne', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(16)
}

/** Whether less; bool: `lt(a, b)`. */
export function lt(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'lt', 'a')
  putInput(3, b, 'lt', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(17)
}

/** Whether less or equal; bool: `le(a, b)`. */
export function le(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'le', 'a')
  putInput(3, b, 'le', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(18)
}

/** Whether greater; bool: `gt(a, b)`. */
export function gt(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'gt', 'a')
  putInput(3, b, 'gt', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(19)
}

/** Whether greater or equal; bool: `ge(a, b)`. */
export function ge(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'ge', 'a')
  putInput(3, b, 'ge', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(20)
}

/** Whether both are not 0; bool: `and(a, b)`. */
export function logicalAnd(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'logicalAnd', 'a')
  putInput(3, b, 'logicalAnd', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(21)
}

/** Whether either is not 0; bool: `or(a, b)`. */
export function logicalOr(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'logicalOr', 'a')
  putInput(3, b, 'logicalOr', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(22)
}

/** Whether exactly one is not 0; bool: `ne(a, b)`. */
export function logicalXor(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'logicalXor', 'a')
  putInput(3, b, 'logicalXor', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(23)
}

/** Whether it is 0; bool: `not(x)`. */
export function logicalNot(x: TensorLike): Tensor {
  putInput(1, x, 'logicalNot', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(24)
}

/** Bits that are set in both; bool: whether both are: `and(a, b)`. */
export function bitwiseAnd(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'bitwiseAnd', 'a')
  putInput(3, b, 'bitwiseAnd', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(25)
}

/** Bits that are set in either; bool: whether either is: `or(a, b)`. */
export function bitwiseOr(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'bitwiseOr', 'a')
  putInput(3, b, 'bitwiseOr', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(26)
}

/** Bits that are set in exactly one; bool: whether exactly one is: `xor(a, b)`. */
export function bitwiseXor(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'bitwiseXor', 'a')
  putInput(3, b, 'bitwiseXor', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(27)
}

/** Every bit turned; bool: the contrary: `complement(x)`. */
export function bitwiseNot(x: TensorLike): Tensor {
  putInput(1, x, 'bitwiseNot', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(28)
}

/** a · 2ᵇ without the bits that leave; 0 for b outside the bits of the dtype: `shift_left(a, b)`. */
export function bitwiseLeftShift(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'bitwiseLeftShift', 'a')
  putInput(3, b, 'bitwiseLeftShift', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(29)
}

/** a / 2ᵇ rounded down; the sign, 0 or -1, for b outside the bits of the dtype: `shift_right(a, b)`. */
export function bitwiseRightShift(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'bitwiseRightShift', 'a')
  putInput(3, b, 'bitwiseRightShift', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(30)
}

/** Negative: `-x`. */
export function neg(x: TensorLike): Tensor {
  putInput(1, x, 'neg', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(31)
}

/** Absolute value: `abs(x)`. */
export function abs(x: TensorLike): Tensor {
  putInput(1, x, 'abs', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(32)
}

/** Sign: -1, 0 or 1; NaN stays NaN: `sign(x)`. */
export function sign(x: TensorLike): Tensor {
  putInput(1, x, 'sign', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(33)
}

/** Square: `x * x`. */
export function square(x: TensorLike): Tensor {
  putInput(1, x, 'square', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(34)
}

/** Square root; NaN below 0: `sqrt(x)`. */
export function sqrt(x: TensorLike): Tensor {
  putInput(1, x, 'sqrt', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(35)
}

/** Reciprocal of the square root: `1.0 / sqrt(x)`. */
export function rsqrt(x: TensorLike): Tensor {
  putInput(1, x, 'rsqrt', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(36)
}

/** Reciprocal: `1.0 / x`. */
export function reciprocal(x: TensorLike): Tensor {
  putInput(1, x, 'reciprocal', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(37)
}

/** Exponential: `exp(x)`. */
export function exp(x: TensorLike): Tensor {
  putInput(1, x, 'exp', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(38)
}

/** Exponential minus 1, exact near 0: `expm1(x)`. */
export function expm1(x: TensorLike): Tensor {
  putInput(1, x, 'expm1', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(39)
}

/** Natural logarithm: `log(x)`. */
export function log(x: TensorLike): Tensor {
  putInput(1, x, 'log', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(40)
}

/** Power of 2: `exp2(x)`. */
export function exp2(x: TensorLike): Tensor {
  putInput(1, x, 'exp2', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(41)
}

/** Logarithm to base 2: `log(x) * LOG2_E`. */
export function log2(x: TensorLike): Tensor {
  putInput(1, x, 'log2', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(42)
}

/** Logarithm to base 10: `log(x) * LOG10_E`. */
export function log10(x: TensorLike): Tensor {
  putInput(1, x, 'log10', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(43)
}

/** Natural logarithm of 1 + x, exact near 0: `log1p(x)`. */
export function log1p(x: TensorLike): Tensor {
  putInput(1, x, 'log1p', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(44)
}

/** Sine: `sin(x)`. */
export function sin(x: TensorLike): Tensor {
  putInput(1, x, 'sin', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(45)
}

/** Cosine: `cos(x)`. */
export function cos(x: TensorLike): Tensor {
  putInput(1, x, 'cos', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(46)
}

/** Tangent: `sin(x) / cos(x)`. */
export function tan(x: TensorLike): Tensor {
  putInput(1, x, 'tan', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(47)
}

/** Arc sine; NaN beyond ±1: `atan2(x, cosine_of_sine(x))`. */
export function asin(x: TensorLike): Tensor {
  putInput(1, x, 'asin', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(48)
}

/** Arc cosine; NaN beyond ±1: `atan2(cosine_of_sine(x), x)`. */
export function acos(x: TensorLike): Tensor {
  putInput(1, x, 'acos', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(49)
}

/** Arc tangent: `atan2(x, 1.0)`. */
export function atan(x: TensorLike): Tensor {
  putInput(1, x, 'atan', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(50)
}

/** Hyperbolic sine: `sinh(x)`. */
export function sinh(x: TensorLike): Tensor {
  putInput(1, x, 'sinh', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(51)
}

/** Hyperbolic cosine: `cosh(x)`. */
export function cosh(x: TensorLike): Tensor {
  putInput(1, x, 'cosh', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(52)
}

/** Inverse hyperbolic sine: `asinh(x)`. */
export function asinh(x: TensorLike): Tensor {
  putInput(1, x, 'asinh', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(53)
}

/** Inverse hyperbolic cosine: `acosh(x)`. */
export function acosh(x: TensorLike): Tensor {
  putInput(1, x, 'acosh', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(54)
}

/** Inverse hyperbolic tangent; NaN beyond ±1: `0.5 * (log1p(x) - log1p(-x))`. */
export function atanh(x: TensorLike): Tensor {
  putInput(1, x, 'atanh', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(55)
}

/** Hyperbolic tangent: `tanh(x)`. */
export function tanh(x: TensorLike): Tensor {
  putInput(1, x, 'tanh', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(56)
}

/** Error function: `erf(x)`. */
export function erf(x: TensorLike): Tensor {
  putInput(1, x, 'erf', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(57)
}

/** Complementary error function 1 - erf(x), exact where it is tiny: `erfc(x)`. */
export function erfc(x: TensorLike): Tensor {
  putInput(1, x, 'erfc', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(58)
}

/** Inverse of sigmoid; NaN beyond 0 and 1: `log(x) - log1p(-x)`. */
export function logit(x: TensorLike): Tensor {
  putInput(1, x, 'logit', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(59)
}

/** Logistic function 1 / (1 + exp(-x)): `sigmoid(x)`. */
export function sigmoid(x: TensorLike): Tensor {
  putInput(1, x, 'sigmoid', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(60)
}

/** Rectified linear unit: `maximum(x, 0.0)`. */
export function relu(x: TensorLike): Tensor {
  putInput(1, x, 'relu', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(61)
}

/** Gaussian error linear unit (Hendrycks and Gimpel, 2016), exact: `x * normal_cdf(x)`. */
export function gelu(x: TensorLike): Tensor {
  putInput(1, x, 'gelu', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(62)
}

/** Gaussian error linear unit, approximated through tanh: `0.5 * x * (1.0 + tanh(gelu_inner(x)))`. */
export function geluTanh(x: TensorLike): Tensor {
  putInput(1, x, 'geluTanh', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(63)
}

/** Sigmoid linear unit (swish): `x / (1.0 + exp(-x))`. */
export function silu(x: TensorLike): Tensor {
  putInput(1, x, 'silu', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(64)
}

/** Smooth rectifier log(1 + exp(x)): `maximum(x, 0.0) + log1p(exp(-abs(x)))`. */
export function softplus(x: TensorLike): Tensor {
  putInput(1, x, 'softplus', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(65)
}

/** Cheap approximation of silu (Howard et al., 2019): `x * (minimum(maximum(x + 3.0, 0.0), 6.0) / 6.0)`. */
export function hardswish(x: TensorLike): Tensor {
  putInput(1, x, 'hardswish', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(66)
}

/** Rectified linear unit up to 6 (Howard et al., 2017): `minimum(maximum(x, 0.0), 6.0)`. */
export function relu6(x: TensorLike): Tensor {
  putInput(1, x, 'relu6', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(67)
}

/** Rectifier with a slope below 0 (Maas et al., 2013): `select(gt(x, 0.0), x, x * slope)`. */
export function leakyRelu(x: TensorLike, slope: TensorLike): Tensor {
  putInput(1, x, 'leakyRelu', 'x')
  putInput(3, slope, 'leakyRelu', 'slope')
  scratch[0] = 2
  scratch[5] = 0
  return record(68)
}

/** Exponential linear unit (Clevert et al., 2016): `select(gt(x, 0.0), x, alpha * expm1(below(x)))`. */
export function elu(x: TensorLike, alpha: TensorLike): Tensor {
  putInput(1, x, 'elu', 'x')
  putInput(3, alpha, 'elu', 'alpha')
  scratch[0] = 2
  scratch[5] = 0
  return record(69)
}

/**
 * Scaled exponential linear unit (Klambauer et al., 2017): `SELU_SCALE * select(gt(x, 0.0), x, SELU_ALPHA *
 * expm1(below(x)))`.
 */
export function selu(x: TensorLike): Tensor {
  putInput(1, x, 'selu', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(70)
}

/** Continuously differentiable elu (Barron, 2017): `select(gt(x, 0.0), x, alpha * expm1(below(x) / alpha))`. */
export function celu(x: TensorLike, alpha: TensorLike): Tensor {
  putInput(1, x, 'celu', 'x')
  putInput(3, alpha, 'celu', 'alpha')
  scratch[0] = 2
  scratch[5] = 0
  return record(71)
}

/** x tanh(softplus(x)) (Misra, 2019): `x * tanh(softplus(x))`. */
export function mish(x: TensorLike): Tensor {
  putInput(1, x, 'mish', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(72)
}

/** x / (1 + |x|): `x / (1.0 + abs(x))`. */
export function softsign(x: TensorLike): Tensor {
  putInput(1, x, 'softsign', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(73)
}

/** Logarithm of sigmoid: `minimum(x, 0.0) - log1p(exp(-abs(x)))`. */
export function logsigmoid(x: TensorLike): Tensor {
  putInput(1, x, 'logsigmoid', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(74)
}

/** Piecewise linear sigmoid (Howard et al., 2019): `minimum(maximum(x + 3.0, 0.0), 6.0) / 6.0`. */
export function hardsigmoid(x: TensorLike): Tensor {
  putInput(1, x, 'hardsigmoid', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(75)
}

/** Piecewise linear tanh, limited to [min, max]: `minimum(maximum(x, min), max)`. */
export function hardtanh(x: TensorLike, min: TensorLike, max: TensorLike): Tensor {
  putInput(1, x, 'hardtanh', 'x')
  putInput(3, min, 'hardtanh', 'min')
  putInput(5, max, 'hardtanh', 'max')
  scratch[0] = 3
  scratch[7] = 0
  return record(76)
}

/** x above the threshold, else value: `select(gt(x, threshold), x, value)`. */
export function threshold(x: TensorLike, threshold: TensorLike, value: TensorLike): Tensor {
  putInput(1, x, 'threshold', 'x')
  putInput(3, threshold, 'threshold', 'threshold')
  putInput(5, value, 'threshold', 'value')
  scratch[0] = 3
  scratch[7] = 0
  return record(77)
}

/** Linear interpolation from a (weight 0) to b (weight 1): `lerp(a, b, weight)`. */
export function lerp(a: TensorLike, b: TensorLike, weight: TensorLike): Tensor {
  putInput(1, a, 'lerp', 'a')
  putInput(3, b, 'lerp', 'b')
  putInput(5, weight, 'lerp', 'weight')
  scratch[0] = 3
  scratch[7] = 0
  return record(78)
}

/** Part behind the point, with the sign of x: `x - trunc(x)`. */
export function frac(x: TensorLike): Tensor {
  putInput(1, x, 'frac', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(79)
}

/** Rounded down: `floor(x)`. */
export function floor(x: TensorLike): Tensor {
  putInput(1, x, 'floor', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(80)
}

/** Rounded up: `ceil(x)`. */
export function ceil(x: TensorLike): Tensor {
  putInput(1, x, 'ceil', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(81)
}

/** Rounded to the nearest, halves to even: `round(x)`. */
export function round(x: TensorLike): Tensor {
  putInput(1, x, 'round', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(82)
}

/** Rounded towards 0: `trunc(x)`. */
export function trunc(x: TensorLike): Tensor {
  putInput(1, x, 'trunc', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(83)
}

/** Whether it is NaN; bool: `ne(x, x)`. */
export function isNan(x: TensorLike): Tensor {
  putInput(1, x, 'isNan', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(84)
}

/** Whether it is infinite; bool: `eq(abs(x), f64::INFINITY)`. */
export function isInf(x: TensorLike): Tensor {
  putInput(1, x, 'isInf', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(85)
}

/** Whether it is neither infinite nor NaN; bool: `lt(abs(x), f64::INFINITY)`. */
export function isFinite(x: TensorLike): Tensor {
  putInput(1, x, 'isFinite', 'x')
  scratch[0] = 1
  scratch[3] = 0
  return record(86)
}

/** `a` where the condition (bool) holds, else `b`: `select(condition, a, b)`. */
export function where(condition: TensorLike, a: TensorLike, b: TensorLike): Tensor {
  putInput(1, condition, 'where', 'condition')
  putInput(3, a, 'where', 'a')
  putInput(5, b, 'where', 'b')
  scratch[0] = 3
  scratch[7] = 0
  return record(87)
}

/** Limited to at least min: `maximum(x, min)`. */
export function clampMin(x: TensorLike, min: TensorLike): Tensor {
  putInput(1, x, 'clampMin', 'x')
  putInput(3, min, 'clampMin', 'min')
  scratch[0] = 2
  scratch[5] = 0
  return record(88)
}

/** Limited to at most max: `minimum(x, max)`. */
export function clampMax(x: TensorLike, max: TensorLike): Tensor {
  putInput(1, x, 'clampMax', 'x')
  putInput(3, max, 'clampMax', 'max')
  scratch[0] = 2
  scratch[5] = 0
  return record(89)
}

/** Options of {@link clamp}. */
export interface ClampOptions {
  /** Lower bound. */
  min?: TensorLike | null | undefined
  /** Upper bound; it wins where the lower one is larger. */
  max?: TensorLike | null | undefined
}
const CLAMP_OPTIONS = ['min', 'max']

/**
 * Limited to [min, max], of which either may be left out: `minimum(maximum(x, min), max)`. Bounds are data and
 * broadcast. The gradient passes at the bounds and between them, else to the bound.
 */
export function clamp(x: TensorLike, options: ClampOptions = NONE): Tensor {
  checkOptions(options, 'clamp', CLAMP_OPTIONS)
  putInput(1, x, 'clamp', 'x')
  putOptionalInput(3, options.min, 'clamp', 'min')
  putOptionalInput(5, options.max, 'clamp', 'max')
  scratch[0] = 3
  scratch[7] = 0
  return record(90)
}

/**
 * The same values as another dtype. Float to integer truncates and saturates (NaN gives 0); to bool is `x != 0`. The
 * gradient passes between floats.
 *
 * @param dtype The result's dtype.
 */
export function cast(x: TensorLike, dtype: DType): Tensor {
  putInput(1, x, 'cast', 'x')
  scratch[0] = 1
  const at = putDType(4, dtype, 'cast', 'dtype')
  scratch[3] = at - 4
  return record(91)
}

/**
 * The same elements in row-major order under another shape of as many elements. A view where the layout allows it.
 *
 * @param shape The new shape; one dimension may be -1, which takes what the others leave.
 */
export function reshape(x: TensorLike, shape: number | readonly number[]): Tensor {
  putInput(1, x, 'reshape', 'x')
  scratch[0] = 1
  const at = putInts(4, shape, 'reshape', 'shape')
  scratch[3] = at - 4
  return record(92)
}

/**
 * Dimensions in another order: dimension i of the result is dimension `dims[i]` of x. A view.
 *
 * @param dims Which dimension of the input comes where; each exactly once.
 */
export function permute(x: TensorLike, dims: number | readonly number[]): Tensor {
  putInput(1, x, 'permute', 'x')
  scratch[0] = 1
  const at = putInts(4, dims, 'permute', 'dims')
  scratch[3] = at - 4
  return record(93)
}

/**
 * Dimensions of size 1 repeated, as in broadcasting. A view. The gradient is summed over what was repeated.
 *
 * @param shape The new shape; -1 keeps a dimension, further dimensions come in front.
 */
export function expand(x: TensorLike, shape: number | readonly number[]): Tensor {
  putInput(1, x, 'expand', 'x')
  scratch[0] = 1
  const at = putInts(4, shape, 'expand', 'shape')
  scratch[3] = at - 4
  return record(94)
}

/**
 * A rectangular part: along each dimension `lengths` elements from `starts` in steps of `steps`. A view. The gradient
 * is set into zeros.
 *
 * @param starts The first index along each dimension; negative ones count from the end.
 * @param lengths How many elements are taken along each dimension.
 * @param steps The step along each dimension, negative to walk back.
 */
export function slice(x: TensorLike, starts: number | readonly number[], lengths: number | readonly number[], steps: number | readonly number[]): Tensor {
  putInput(1, x, 'slice', 'x')
  scratch[0] = 1
  let at = putInts(4, starts, 'slice', 'starts')
  at = putInts(at, lengths, 'slice', 'lengths')
  at = putInts(at, steps, 'slice', 'steps')
  scratch[3] = at - 4
  return record(95)
}

/**
 * The elements in reverse order along `dims`. A view.
 *
 * @param dims The dimensions to reverse.
 */
export function flip(x: TensorLike, dims: number | readonly number[]): Tensor {
  putInput(1, x, 'flip', 'x')
  scratch[0] = 1
  const at = putInts(4, dims, 'flip', 'dims')
  scratch[3] = at - 4
  return record(96)
}

/** Options of {@link pad}. */
export interface PadOptions {
  /** What they are. Default 0. */
  value?: number | undefined
}
const PAD_OPTIONS = ['value']

/**
 * x with `value` before and after it along each dimension. The gradient is the part that x fills.
 *
 * @param padding How many elements come before and after: two numbers for each dimension, from the first dimension on.
 */
export function pad(x: TensorLike, padding: number | readonly number[], options: PadOptions = NONE): Tensor {
  checkOptions(options, 'pad', PAD_OPTIONS)
  putInput(1, x, 'pad', 'x')
  scratch[0] = 1
  let at = putInts(4, padding, 'pad', 'padding')
  at = putFloat(at, options.value ?? 0, 'pad', 'value')
  scratch[3] = at - 4
  return record(97)
}

/** Options of {@link concat}. */
export interface ConcatOptions {
  /** The dimension along which they follow one another. Default 0. */
  dim?: number | undefined
}
const CONCAT_OPTIONS = ['dim']

/**
 * Tensors one behind the other along a dimension that exists; other dimensions must agree. Dtypes are promoted. The
 * gradient is cut apart again.
 *
 * @param tensors Tensors that differ along `dim` only.
 */
export function concat(tensors: readonly TensorLike[], options: ConcatOptions = NONE): Tensor {
  checkOptions(options, 'concat', CONCAT_OPTIONS)
  const end = putInputs(1, tensors, 'concat', 'tensors')
  scratch[0] = (end - 1) / 2
  const at = putInt(end + 1, options.dim ?? 0, 'concat', 'dim')
  scratch[end] = at - end - 1
  return record(98)
}

/** Options of {@link full}. */
export interface FullOptions {
  /** The result's dtype. Default 'f32'. */
  dtype?: DType | undefined
}
const FULL_OPTIONS = ['dtype']

/**
 * A tensor of `shape` that holds one value everywhere. The value is data: another one keeps the plan. Its gradient is
 * the sum.
 *
 * @param value A number or a scalar tensor.
 * @param shape The result's shape.
 */
export function full(value: TensorLike, shape: number | readonly number[], options: FullOptions = NONE): Tensor {
  checkOptions(options, 'full', FULL_OPTIONS)
  putInput(1, value, 'full', 'value')
  scratch[0] = 1
  let at = putInts(4, shape, 'full', 'shape')
  at = putDType(at, options.dtype ?? 'f32', 'full', 'dtype')
  scratch[3] = at - 4
  return record(99)
}

/** Options of {@link arange}. */
export interface ArangeOptions {
  /** The result's dtype. Default 'f32'. */
  dtype?: DType | undefined
}
const ARANGE_OPTIONS = ['dtype']

/**
 * `start + i · step` for i in 0..length, computed in the result's dtype. Start and step are data: others keep the plan.
 * No gradient.
 *
 * @param start The first value.
 * @param length How many values.
 * @param step From one to the next.
 */
export function arange(start: TensorLike, length: number, step: TensorLike, options: ArangeOptions = NONE): Tensor {
  checkOptions(options, 'arange', ARANGE_OPTIONS)
  putInput(1, start, 'arange', 'start')
  putInput(3, step, 'arange', 'step')
  scratch[0] = 2
  let at = putInt(6, length, 'arange', 'length')
  at = putDType(at, options.dtype ?? 'f32', 'arange', 'dtype')
  scratch[5] = at - 6
  return record(100)
}

/** Options of {@link sum}. */
export interface SumOptions {
  /** Dimensions to reduce; all when left out. */
  dim?: number | readonly number[] | null | undefined
  /** Whether reduced dimensions stay as 1. Default false. */
  keepDim?: boolean | undefined
}
const SUM_OPTIONS = ['dim', 'keepDim']

/** Sum over dimensions; integers and bool give i64. 0 for no elements. The gradient is repeated. */
export function sum(x: TensorLike, options: SumOptions = NONE): Tensor {
  checkOptions(options, 'sum', SUM_OPTIONS)
  putInput(1, x, 'sum', 'x')
  scratch[0] = 1
  let at = putOptionalInts(4, options.dim, 'sum', 'dim')
  at = putBool(at, options.keepDim ?? false, 'sum', 'keepDim')
  scratch[3] = at - 4
  return record(101)
}

/** Options of {@link prod}. */
export interface ProdOptions {
  /** Dimensions to reduce; all when left out. */
  dim?: number | readonly number[] | null | undefined
  /** Whether reduced dimensions stay as 1. Default false. */
  keepDim?: boolean | undefined
}
const PROD_OPTIONS = ['dim', 'keepDim']

/**
 * Product over dimensions; integers and bool give i64. 1 for no elements. The gradient is the product of the others,
 * also where elements are 0; second derivatives hold only where no element is 0.
 */
export function prod(x: TensorLike, options: ProdOptions = NONE): Tensor {
  checkOptions(options, 'prod', PROD_OPTIONS)
  putInput(1, x, 'prod', 'x')
  scratch[0] = 1
  let at = putOptionalInts(4, options.dim, 'prod', 'dim')
  at = putBool(at, options.keepDim ?? false, 'prod', 'keepDim')
  scratch[3] = at - 4
  return record(102)
}

/** Options of {@link max}. */
export interface MaxOptions {
  /** Dimensions to reduce; all when left out. */
  dim?: number | readonly number[] | null | undefined
  /** Whether reduced dimensions stay as 1. Default false. */
  keepDim?: boolean | undefined
}
const MAX_OPTIONS = ['dim', 'keepDim']

/**
 * Largest element over dimensions; NaN where there is one. The gradient is shared equally among ties. Throws a
 * ShapeError for no elements.
 */
export function max(x: TensorLike, options: MaxOptions = NONE): Tensor {
  checkOptions(options, 'max', MAX_OPTIONS)
  putInput(1, x, 'max', 'x')
  scratch[0] = 1
  let at = putOptionalInts(4, options.dim, 'max', 'dim')
  at = putBool(at, options.keepDim ?? false, 'max', 'keepDim')
  scratch[3] = at - 4
  return record(103)
}

/** Options of {@link min}. */
export interface MinOptions {
  /** Dimensions to reduce; all when left out. */
  dim?: number | readonly number[] | null | undefined
  /** Whether reduced dimensions stay as 1. Default false. */
  keepDim?: boolean | undefined
}
const MIN_OPTIONS = ['dim', 'keepDim']

/**
 * Smallest element over dimensions; NaN where there is one. The gradient is shared equally among ties. Throws a
 * ShapeError for no elements.
 */
export function min(x: TensorLike, options: MinOptions = NONE): Tensor {
  checkOptions(options, 'min', MIN_OPTIONS)
  putInput(1, x, 'min', 'x')
  scratch[0] = 1
  let at = putOptionalInts(4, options.dim, 'min', 'dim')
  at = putBool(at, options.keepDim ?? false, 'min', 'keepDim')
  scratch[3] = at - 4
  return record(104)
}

/** Options of {@link mean}. */
export interface MeanOptions {
  /** Dimensions to reduce; all when left out. */
  dim?: number | readonly number[] | null | undefined
  /** Whether reduced dimensions stay as 1. Default false. */
  keepDim?: boolean | undefined
}
const MEAN_OPTIONS = ['dim', 'keepDim']

/**
 * Mean over dimensions: the sum divided by the number of elements; integers and bool give f32. NaN for no elements.
 */
export function mean(x: TensorLike, options: MeanOptions = NONE): Tensor {
  checkOptions(options, 'mean', MEAN_OPTIONS)
  putInput(1, x, 'mean', 'x')
  scratch[0] = 1
  let at = putOptionalInts(4, options.dim, 'mean', 'dim')
  at = putBool(at, options.keepDim ?? false, 'mean', 'keepDim')
  scratch[3] = at - 4
  return record(105)
}

/** Options of {@link variance}. */
export interface VarianceOptions {
  /** Dimensions to reduce; all when left out. */
  dim?: number | readonly number[] | null | undefined
  /** Whether reduced dimensions stay as 1. Default false. */
  keepDim?: boolean | undefined
  /** What is taken off the number of elements; 1 for the unbiased estimate of a sample's variance. Default 1. */
  correction?: number | undefined
}
const VARIANCE_OPTIONS = ['dim', 'keepDim', 'correction']

/**
 * Variance over dimensions, `Σ (x - mean)² / max(0, n - correction)`, in two passes; integers and bool give f32. NaN
 * where n ≤ correction.
 */
export function variance(x: TensorLike, options: VarianceOptions = NONE): Tensor {
  checkOptions(options, 'variance', VARIANCE_OPTIONS)
  putInput(1, x, 'variance', 'x')
  scratch[0] = 1
  let at = putOptionalInts(4, options.dim, 'variance', 'dim')
  at = putBool(at, options.keepDim ?? false, 'variance', 'keepDim')
  at = putFloat(at, options.correction ?? 1, 'variance', 'correction')
  scratch[3] = at - 4
  return record(106)
}

/** Options of {@link argmax}. */
export interface ArgmaxOptions {
  /** Dimensions to reduce; all when left out. Of several, the index counts through them in row-major order. */
  dim?: number | readonly number[] | null | undefined
  /** Whether reduced dimensions stay as 1. Default false. */
  keepDim?: boolean | undefined
}
const ARGMAX_OPTIONS = ['dim', 'keepDim']

/**
 * Index (i32) of the largest element over dimensions, the first of several; NaN wins. No gradient. Throws a ShapeError
 * for no elements.
 */
export function argmax(x: TensorLike, options: ArgmaxOptions = NONE): Tensor {
  checkOptions(options, 'argmax', ARGMAX_OPTIONS)
  putInput(1, x, 'argmax', 'x')
  scratch[0] = 1
  let at = putOptionalInts(4, options.dim, 'argmax', 'dim')
  at = putBool(at, options.keepDim ?? false, 'argmax', 'keepDim')
  scratch[3] = at - 4
  return record(107)
}

/** Options of {@link argmin}. */
export interface ArgminOptions {
  /** Dimensions to reduce; all when left out. Of several, the index counts through them in row-major order. */
  dim?: number | readonly number[] | null | undefined
  /** Whether reduced dimensions stay as 1. Default false. */
  keepDim?: boolean | undefined
}
const ARGMIN_OPTIONS = ['dim', 'keepDim']

/**
 * Index (i32) of the smallest element over dimensions, the first of several; NaN wins. No gradient. Throws a ShapeError
 * for no elements.
 */
export function argmin(x: TensorLike, options: ArgminOptions = NONE): Tensor {
  checkOptions(options, 'argmin', ARGMIN_OPTIONS)
  putInput(1, x, 'argmin', 'x')
  scratch[0] = 1
  let at = putOptionalInts(4, options.dim, 'argmin', 'dim')
  at = putBool(at, options.keepDim ?? false, 'argmin', 'keepDim')
  scratch[3] = at - 4
  return record(108)
}

/** Options of {@link any}. */
export interface AnyOptions {
  /** Dimensions to reduce; all when left out. */
  dim?: number | readonly number[] | null | undefined
  /** Whether reduced dimensions stay as 1. Default false. */
  keepDim?: boolean | undefined
}
const ANY_OPTIONS = ['dim', 'keepDim']

/** Whether any element over dimensions is not 0; bool. False for no elements. */
export function any(x: TensorLike, options: AnyOptions = NONE): Tensor {
  checkOptions(options, 'any', ANY_OPTIONS)
  putInput(1, x, 'any', 'x')
  scratch[0] = 1
  let at = putOptionalInts(4, options.dim, 'any', 'dim')
  at = putBool(at, options.keepDim ?? false, 'any', 'keepDim')
  scratch[3] = at - 4
  return record(109)
}

/** Options of {@link all}. */
export interface AllOptions {
  /** Dimensions to reduce; all when left out. */
  dim?: number | readonly number[] | null | undefined
  /** Whether reduced dimensions stay as 1. Default false. */
  keepDim?: boolean | undefined
}
const ALL_OPTIONS = ['dim', 'keepDim']

/** Whether no element over dimensions is 0; bool. True for no elements. */
export function all(x: TensorLike, options: AllOptions = NONE): Tensor {
  checkOptions(options, 'all', ALL_OPTIONS)
  putInput(1, x, 'all', 'x')
  scratch[0] = 1
  let at = putOptionalInts(4, options.dim, 'all', 'dim')
  at = putBool(at, options.keepDim ?? false, 'all', 'keepDim')
  scratch[3] = at - 4
  return record(110)
}

/**
 * Matrix product: `out[…, i, j] = Σ_k a[…, i, k] · b[…, k, j]`.
 *
 * `[…, M, K]` by `[…, K, N]` gives `[…, M, N]`; leading dimensions broadcast. A vector is a row on the left and a
 * column on the right, without that dimension in the result. Throws a ShapeError where the shapes don't meet and a
 * DTypeError for integers.
 *
 * @param a Left factor, `[…, M, K]` or `[K]`.
 * @param b Right factor, `[…, K, N]` or `[K]`.
 */
export function matmul(a: TensorLike, b: TensorLike): Tensor {
  putInput(1, a, 'matmul', 'a')
  putInput(3, b, 'matmul', 'b')
  scratch[0] = 2
  scratch[5] = 0
  return record(111)
}

/** Options of {@link conv2d}. */
export interface Conv2dOptions {
  /** Step between windows (height, width). Default 1. */
  stride?: number | readonly [number, number] | undefined
  /** Zeros around the input (height, width). Default 0. */
  padding?: number | readonly [number, number] | undefined
  /** Step between a window's taps (height, width). Default 1. */
  dilation?: number | readonly [number, number] | undefined
  /** Parts into which the channels are divided, each convolved by itself. Default 1. */
  groups?: number | undefined
}
const CONV2D_OPTIONS = ['stride', 'padding', 'dilation', 'groups']

/**
 * Convolution over height and width: `out[n, k, p, q] = Σ_{c, i, j} x[n, c, p·s + i·d − m, q·s + j·d − m] · weight[k,
 * c, i, j]`.
 *
 * x is `[N, C, H, W]`, weight `[K, C/groups, h, w]`, the result `[N, K, H', W']`. Throws a ShapeError where channels
 * don't match or the kernel is larger than the padded input.
 *
 * @param x Images, `[N, C, H, W]`.
 * @param weight Filters, `[K, C/groups, h, w]`.
 */
export function conv2d(x: TensorLike, weight: TensorLike, options: Conv2dOptions = NONE): Tensor {
  checkOptions(options, 'conv2d', CONV2D_OPTIONS)
  putInput(1, x, 'conv2d', 'x')
  putInput(3, weight, 'conv2d', 'weight')
  scratch[0] = 2
  let at = putPair(6, options.stride ?? 1, 'conv2d', 'stride')
  at = putPair(at, options.padding ?? 0, 'conv2d', 'padding')
  at = putPair(at, options.dilation ?? 1, 'conv2d', 'dilation')
  at = putInt(at, options.groups ?? 1, 'conv2d', 'groups')
  scratch[5] = at - 6
  return record(112)
}

/** Options of {@link convTranspose2d}. */
export interface ConvTranspose2dOptions {
  /** Step between windows in the result (height, width). Default 1. */
  stride?: number | readonly [number, number] | undefined
  /** Rows and columns of the windows that are left out on each side (height, width). Default 0. */
  padding?: number | readonly [number, number] | undefined
  /** Step between a window's taps (height, width). Default 1. */
  dilation?: number | readonly [number, number] | undefined
  /** Parts into which the channels are divided, each convolved by itself. Default 1. */
  groups?: number | undefined
}
const CONV_TRANSPOSE2D_OPTIONS = ['stride', 'padding', 'dilation', 'groups']

/**
 * Transposed convolution: `out[n, c, p, q] = Σ_{k, i, j} x[n, k, (p + m − i·d)/s, (q + m − j·d)/s] · weight[k, c, i,
 * j]` over the taps that the stride `s` divides, with dilation `d` and padding `m`.
 *
 * x is `[N, K, H', W']`, weight `[K, C/groups, h, w]`, the result `[N, C, H, W]` of the output size, one of those that
 * `conv2d` takes to `[H', W']`; else it throws a ShapeError.
 *
 * @param x Images, `[N, K, H', W']`.
 * @param outputSize Height and width of the result.
 * @param weight Filters, `[K, C/groups, h, w]`.
 */
export function convTranspose2d(x: TensorLike, outputSize: number | readonly [number, number], weight: TensorLike, options: ConvTranspose2dOptions = NONE): Tensor {
  checkOptions(options, 'convTranspose2d', CONV_TRANSPOSE2D_OPTIONS)
  putInput(1, x, 'convTranspose2d', 'x')
  putInput(3, weight, 'convTranspose2d', 'weight')
  scratch[0] = 2
  let at = putPair(6, outputSize, 'convTranspose2d', 'outputSize')
  at = putPair(at, options.stride ?? 1, 'convTranspose2d', 'stride')
  at = putPair(at, options.padding ?? 0, 'convTranspose2d', 'padding')
  at = putPair(at, options.dilation ?? 1, 'convTranspose2d', 'dilation')
  at = putInt(at, options.groups ?? 1, 'convTranspose2d', 'groups')
  scratch[5] = at - 6
  return record(113)
}

/** Options of {@link maxPool2d}. */
export interface MaxPool2dOptions {
  /** Step between windows; 0 for the window's size. Default 0. */
  stride?: number | readonly [number, number] | undefined
  /** Padding around each plane, at most half the window. Default 0. */
  padding?: number | readonly [number, number] | undefined
}
const MAX_POOL2D_OPTIONS = ['stride', 'padding']

/**
 * Maximum over windows: `out[n, c, p, q] = max_{(i, j) ∈ W} x[n, c, i, j]`, with the place of each maximum in its
 * plane, `i · W + j`, as second result.
 *
 * x is `[N, C, H, W]` or `[C, H, W]`. Throws a ShapeError where the window is larger than the padded plane.
 *
 * @param x Images, `[N, C, H, W]` or `[C, H, W]`.
 * @param kernelSize Window (height, width).
 */
export function maxPool2d(x: TensorLike, kernelSize: number | readonly [number, number], options: MaxPool2dOptions = NONE): [Tensor, Tensor] {
  checkOptions(options, 'maxPool2d', MAX_POOL2D_OPTIONS)
  putInput(1, x, 'maxPool2d', 'x')
  scratch[0] = 1
  let at = putPair(4, kernelSize, 'maxPool2d', 'kernelSize')
  at = putPair(at, options.stride ?? 0, 'maxPool2d', 'stride')
  at = putPair(at, options.padding ?? 0, 'maxPool2d', 'padding')
  scratch[3] = at - 4
  return recordAll(115) as [Tensor, Tensor]
}

/** Options of {@link avgPool2d}. */
export interface AvgPool2dOptions {
  /** Step between windows; 0 for the window's size. Default 0. */
  stride?: number | readonly [number, number] | undefined
  /** Zeros around each plane, at most half the window. Default 0. */
  padding?: number | readonly [number, number] | undefined
  /** Whether padding counts to |W|. Default true. */
  countIncludePad?: boolean | undefined
}
const AVG_POOL2D_OPTIONS = ['stride', 'padding', 'countIncludePad']

/**
 * Average over windows: `out[n, c, p, q] = 1/|W| · Σ_{(i, j) ∈ W} x[n, c, i, j]`.
 *
 * x is `[N, C, H, W]` or `[C, H, W]`. Throws a ShapeError where the window is larger than the padded plane.
 *
 * @param x Images, `[N, C, H, W]` or `[C, H, W]`.
 * @param kernelSize Window (height, width).
 */
export function avgPool2d(x: TensorLike, kernelSize: number | readonly [number, number], options: AvgPool2dOptions = NONE): Tensor {
  checkOptions(options, 'avgPool2d', AVG_POOL2D_OPTIONS)
  putInput(1, x, 'avgPool2d', 'x')
  scratch[0] = 1
  let at = putPair(4, kernelSize, 'avgPool2d', 'kernelSize')
  at = putPair(at, options.stride ?? 0, 'avgPool2d', 'stride')
  at = putPair(at, options.padding ?? 0, 'avgPool2d', 'padding')
  at = putBool(at, options.countIncludePad ?? true, 'avgPool2d', 'countIncludePad')
  scratch[3] = at - 4
  return record(117)
}

/** Options of {@link softmax}. */
export interface SoftmaxOptions {
  /** The dimension that sums to 1; negative ones count from the end. */
  dim: number
}
const SOFTMAX_OPTIONS = ['dim']

/**
 * `exp(x − m) / Σ exp(x − m)` along a dimension, with m its largest element.
 *
 * @param x Logits.
 */
export function softmax(x: TensorLike, options: SoftmaxOptions): Tensor {
  checkOptions(options, 'softmax', SOFTMAX_OPTIONS)
  putInput(1, x, 'softmax', 'x')
  scratch[0] = 1
  const at = putInt(4, options.dim, 'softmax', 'dim')
  scratch[3] = at - 4
  return record(119)
}

/** Options of {@link logSoftmax}. */
export interface LogSoftmaxOptions {
  /** The dimension whose exponentials sum to 1; negative ones count from the end. */
  dim: number
}
const LOG_SOFTMAX_OPTIONS = ['dim']

/**
 * Logarithm of softmax, `x − m − ln Σ exp(x − m)` along a dimension, with m its largest element.
 *
 * @param x Logits.
 */
export function logSoftmax(x: TensorLike, options: LogSoftmaxOptions): Tensor {
  checkOptions(options, 'logSoftmax', LOG_SOFTMAX_OPTIONS)
  putInput(1, x, 'logSoftmax', 'x')
  scratch[0] = 1
  const at = putInt(4, options.dim, 'logSoftmax', 'dim')
  scratch[3] = at - 4
  return record(120)
}

/** Options of {@link batchNorm}. */
export interface BatchNormOptions {
  /** Scale, `[C]`; 1 where left out. */
  weight?: TensorLike | null | undefined
  /** Shift, `[C]`; 0 where left out. */
  bias?: TensorLike | null | undefined
  /** Mean used outside training, `[C]`. */
  runningMean?: TensorLike | null | undefined
  /** Variance used outside training, `[C]`. */
  runningVar?: TensorLike | null | undefined
  /** Whether the batch's own statistics are used. Default false. */
  training?: boolean | undefined
  /** Added to the variance. Default 1e-5. */
  eps?: number | undefined
}
const BATCH_NORM_OPTIONS = ['weight', 'bias', 'runningMean', 'runningVar', 'training', 'eps']

/**
 * Batch normalisation: `y = (x − mean) / √(variance + eps) · weight + bias` for each channel; also mean and biased
 * variance, `[C]`. Ioffe and Szegedy, ICML 2015, https://arxiv.org/abs/1502.03167.
 *
 * x is `[N, C, …]`, everything else `[C]` or a number. With `training` the statistics are the batch's, otherwise
 * runningMean and runningVar. Throws a ShapeError for a batch of one value for each channel in training.
 *
 * @param x Activations, `[N, C, …]`.
 */
export function batchNorm(x: TensorLike, options: BatchNormOptions = NONE): [Tensor, Tensor, Tensor] {
  checkOptions(options, 'batchNorm', BATCH_NORM_OPTIONS)
  putInput(1, x, 'batchNorm', 'x')
  putOptionalInput(3, options.weight, 'batchNorm', 'weight')
  putOptionalInput(5, options.bias, 'batchNorm', 'bias')
  putOptionalInput(7, options.runningMean, 'batchNorm', 'runningMean')
  putOptionalInput(9, options.runningVar, 'batchNorm', 'runningVar')
  scratch[0] = 5
  let at = putBool(12, options.training ?? false, 'batchNorm', 'training')
  at = putFloat(at, options.eps ?? 1e-5, 'batchNorm', 'eps')
  scratch[11] = at - 12
  return recordAll(121) as [Tensor, Tensor, Tensor]
}

/** Options of {@link layerNorm}. */
export interface LayerNormOptions {
  /** Scale of `normalizedShape`; 1 where left out. */
  weight?: TensorLike | null | undefined
  /** Shift of `normalizedShape`; 0 where left out. */
  bias?: TensorLike | null | undefined
  /** Added to the variance. Default 1e-5. */
  eps?: number | undefined
}
const LAYER_NORM_OPTIONS = ['weight', 'bias', 'eps']

/**
 * Layer normalisation: `y = (x − mean) / √(variance + eps) · weight + bias` with the statistics of the last dimensions.
 * Ba, Kiros and Hinton, 2016, https://arxiv.org/abs/1607.06450.
 *
 * x is `[…, *normalizedShape]`, weight and bias `normalizedShape`. Throws a ShapeError where x ends otherwise.
 *
 * @param x Activations.
 * @param normalizedShape The last dimensions of x, over which statistics are taken.
 */
export function layerNorm(x: TensorLike, normalizedShape: number | readonly number[], options: LayerNormOptions = NONE): Tensor {
  checkOptions(options, 'layerNorm', LAYER_NORM_OPTIONS)
  putInput(1, x, 'layerNorm', 'x')
  putOptionalInput(3, options.weight, 'layerNorm', 'weight')
  putOptionalInput(5, options.bias, 'layerNorm', 'bias')
  scratch[0] = 3
  let at = putInts(8, normalizedShape, 'layerNorm', 'normalizedShape')
  at = putFloat(at, options.eps ?? 1e-5, 'layerNorm', 'eps')
  scratch[7] = at - 8
  return record(122)
}

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions {
  /** Weight of each class, `[C]`. */
  weight?: TensorLike | null | undefined
  /** Share of the target that goes to all classes evenly, 0 to 1. Default 0. */
  labelSmoothing?: number | undefined
  /** A target that counts nothing. Default -100. */
  ignoreIndex?: number | null | undefined
  /** 0: none, 1: mean, 2: sum. Default 1. */
  reduction?: number | undefined
}
const CROSS_ENTROPY_OPTIONS = ['weight', 'labelSmoothing', 'ignoreIndex', 'reduction']

/**
 * Cross-entropy of logits and class indices: `−ln softmax(logits)[target]`, weighted, smoothed and averaged.
 *
 * logits are `[N, C, d…]` or `[C]`, target `[N, d…]` or `[]`. The mean divides by the targets' weights. Throws an
 * ArgumentError that names a target which is no class.
 *
 * @param logits Scores before softmax, `[N, C, d…]` or `[C]`.
 * @param target Class indices, i32 or i64, `[N, d…]` or `[]`.
 */
export function crossEntropy(logits: TensorLike, target: TensorLike, options: CrossEntropyOptions = NONE): Tensor {
  checkOptions(options, 'crossEntropy', CROSS_ENTROPY_OPTIONS)
  putInput(1, logits, 'crossEntropy', 'logits')
  putInput(3, target, 'crossEntropy', 'target')
  putOptionalInput(5, options.weight, 'crossEntropy', 'weight')
  scratch[0] = 3
  let at = putFloat(8, options.labelSmoothing ?? 0, 'crossEntropy', 'labelSmoothing')
  at = putOptionalInt(at, options.ignoreIndex === undefined ? -100 : options.ignoreIndex, 'crossEntropy', 'ignoreIndex')
  at = putInt(at, options.reduction ?? 1, 'crossEntropy', 'reduction')
  scratch[7] = at - 8
  return record(123)
}

/**
 * Elements at places along a dimension: `out[…, i, …] = x[…, index[…, i, …], …]`.
 *
 * index has x's rank, and the result index's shape. Throws an ArgumentError that names an index out of range.
 *
 * @param x What is read.
 * @param dim The dimension along which index points; negative ones count from the end.
 * @param index Places along `dim`, i32 or i64.
 */
export function gather(x: TensorLike, dim: number, index: TensorLike): Tensor {
  putInput(1, x, 'gather', 'x')
  putInput(3, index, 'gather', 'index')
  scratch[0] = 2
  const at = putInt(6, dim, 'gather', 'dim')
  scratch[5] = at - 6
  return record(124)
}

/**
 * x with `source[…, i, …]` in the place of the element at `[…, index[…, i, …], …]` along a dimension.
 *
 * index and source agree in shape and have x's rank. Where index names a place twice the last value stands, and all of
 * them get its gradient. Throws an ArgumentError that names an index out of range.
 *
 * @param x What is changed.
 * @param dim The dimension along which index points; negative ones count from the end.
 * @param index Places along `dim`, i32 or i64.
 * @param source What is put there, of index's shape and x's dtype.
 */
export function scatter(x: TensorLike, dim: number, index: TensorLike, source: TensorLike): Tensor {
  putInput(1, x, 'scatter', 'x')
  putInput(3, index, 'scatter', 'index')
  putInput(5, source, 'scatter', 'source')
  scratch[0] = 3
  const at = putInt(8, dim, 'scatter', 'dim')
  scratch[7] = at - 8
  return record(125)
}

/**
 * x with `source[…, i, …]` added at `[…, index[…, i, …], …]` along a dimension, in row-major order.
 *
 * index and source agree in shape and have x's rank. Throws an ArgumentError that names an index out of range.
 *
 * @param x What is added to.
 * @param dim The dimension along which index points; negative ones count from the end.
 * @param index Places along `dim`, i32 or i64.
 * @param source What is added, of index's shape and x's dtype.
 */
export function scatterAdd(x: TensorLike, dim: number, index: TensorLike, source: TensorLike): Tensor {
  putInput(1, x, 'scatterAdd', 'x')
  putInput(3, index, 'scatterAdd', 'index')
  putInput(5, source, 'scatterAdd', 'source')
  scratch[0] = 3
  const at = putInt(8, dim, 'scatterAdd', 'dim')
  scratch[7] = at - 8
  return record(126)
}

/**
 * Slices at places along a dimension: `out[…, i, …] = x[…, index[i], …]`.
 *
 * Throws an ArgumentError that names an index out of range.
 *
 * @param x What is read.
 * @param dim The dimension along which index points; negative ones count from the end.
 * @param index Places along `dim`, `[n]` of i32 or i64.
 */
export function indexSelect(x: TensorLike, dim: number, index: TensorLike): Tensor {
  putInput(1, x, 'indexSelect', 'x')
  putInput(3, index, 'indexSelect', 'index')
  scratch[0] = 2
  const at = putInt(6, dim, 'indexSelect', 'dim')
  scratch[5] = at - 6
  return record(127)
}

/**
 * x with slices of source added at places along a dimension: `out[…, index[i], …] += source[…, i, …]`, for i in order.
 *
 * Throws an ArgumentError that names an index out of range.
 *
 * @param x What is added to.
 * @param dim The dimension along which index points; negative ones count from the end.
 * @param index Places along `dim`, `[n]` of i32 or i64.
 * @param source What is added: x's shape with n along `dim`.
 */
export function indexAdd(x: TensorLike, dim: number, index: TensorLike, source: TensorLike): Tensor {
  putInput(1, x, 'indexAdd', 'x')
  putInput(3, index, 'indexAdd', 'index')
  putInput(5, source, 'indexAdd', 'source')
  scratch[0] = 3
  const at = putInt(8, dim, 'indexAdd', 'dim')
  scratch[7] = at - 8
  return record(128)
}

/** Options of {@link embedding}. */
export interface EmbeddingOptions {
  /** A row that gets no gradient. */
  paddingIdx?: number | null | undefined
}
const EMBEDDING_OPTIONS = ['paddingIdx']

/**
 * Rows of a table: `out[…, :] = weight[indices[…], :]`.
 *
 * weight is `[V, D]`; the result has indices' shape and D behind it. Throws an ArgumentError that names an index out of
 * range.
 *
 * @param weight The table, `[V, D]`.
 * @param indices Rows, i32 or i64 of any shape.
 */
export function embedding(weight: TensorLike, indices: TensorLike, options: EmbeddingOptions = NONE): Tensor {
  checkOptions(options, 'embedding', EMBEDDING_OPTIONS)
  putInput(1, weight, 'embedding', 'weight')
  putInput(3, indices, 'embedding', 'indices')
  scratch[0] = 2
  const at = putOptionalInt(6, options.paddingIdx, 'embedding', 'paddingIdx')
  scratch[5] = at - 6
  return record(129)
}

/** Options of {@link cumsum}. */
export interface CumsumOptions {
  /** The dimension to walk along; negative ones count from the end. Default -1. */
  dim?: number | undefined
}
const CUMSUM_OPTIONS = ['dim']

/** Running sum along a dimension: `out[…, i, …] = Σ_{j ≤ i} x[…, j, …]`; integers and bool give i64. */
export function cumsum(x: TensorLike, options: CumsumOptions = NONE): Tensor {
  checkOptions(options, 'cumsum', CUMSUM_OPTIONS)
  putInput(1, x, 'cumsum', 'x')
  scratch[0] = 1
  const at = putInt(4, options.dim ?? -1, 'cumsum', 'dim')
  scratch[3] = at - 4
  return record(131)
}

/** Options of {@link sort}. */
export interface SortOptions {
  /** The dimension to sort along; negative ones count from the end. Default -1. */
  dim?: number | undefined
  /** Whether the largest comes first. Default false. */
  descending?: boolean | undefined
}
const SORT_OPTIONS = ['dim', 'descending']

/**
 * The elements in order along a dimension, with the place (i32) of each as second result.
 *
 * Equal elements keep their order; NaN counts as larger than every number.
 */
export function sort(x: TensorLike, options: SortOptions = NONE): [Tensor, Tensor] {
  checkOptions(options, 'sort', SORT_OPTIONS)
  putInput(1, x, 'sort', 'x')
  scratch[0] = 1
  let at = putInt(4, options.dim ?? -1, 'sort', 'dim')
  at = putBool(at, options.descending ?? false, 'sort', 'descending')
  scratch[3] = at - 4
  return recordAll(132) as [Tensor, Tensor]
}

/** Options of {@link cummax}. */
export interface CummaxOptions {
  /** The dimension to walk along; negative ones count from the end. Default -1. */
  dim?: number | undefined
}
const CUMMAX_OPTIONS = ['dim']

/**
 * Largest element up to each along a dimension, with its place (i32) as second result.
 *
 * Of equal elements the last is named; NaN stays once it has come.
 */
export function cummax(x: TensorLike, options: CummaxOptions = NONE): [Tensor, Tensor] {
  checkOptions(options, 'cummax', CUMMAX_OPTIONS)
  putInput(1, x, 'cummax', 'x')
  scratch[0] = 1
  const at = putInt(4, options.dim ?? -1, 'cummax', 'dim')
  scratch[3] = at - 4
  return recordAll(133) as [Tensor, Tensor]
}

/** Options of {@link cummin}. */
export interface CumminOptions {
  /** The dimension to walk along; negative ones count from the end. Default -1. */
  dim?: number | undefined
}
const CUMMIN_OPTIONS = ['dim']

/**
 * Smallest element up to each along a dimension, with its place (i32) as second result.
 *
 * Of equal elements the last is named; NaN stays once it has come.
 */
export function cummin(x: TensorLike, options: CumminOptions = NONE): [Tensor, Tensor] {
  checkOptions(options, 'cummin', CUMMIN_OPTIONS)
  putInput(1, x, 'cummin', 'x')
  scratch[0] = 1
  const at = putInt(4, options.dim ?? -1, 'cummin', 'dim')
  scratch[3] = at - 4
  return recordAll(134) as [Tensor, Tensor]
}

/** Options of {@link uniform}. */
export interface UniformOptions {
  /** f32 or f64. Default 'f32'. */
  dtype?: DType | undefined
}
const UNIFORM_OPTIONS = ['dtype']

/**
 * Uniform draws in `[0, 1)`, Philox 4×32-10 (Salmon et al., SC 2011). The same on every device.
 *
 * @param shape The result's shape.
 */
export function uniform(shape: number | readonly number[], options: UniformOptions = NONE): Tensor {
  checkOptions(options, 'uniform', UNIFORM_OPTIONS)
  putKey(1)
  scratch[0] = 1
  let at = putInts(4, shape, 'uniform', 'shape')
  at = putDType(at, options.dtype ?? 'f32', 'uniform', 'dtype')
  scratch[3] = at - 4
  return record(135)
}

/** Options of {@link normal}. */
export interface NormalOptions {
  /** f32 or f64. Default 'f32'. */
  dtype?: DType | undefined
}
const NORMAL_OPTIONS = ['dtype']

/**
 * Draws from the standard normal distribution by the Box–Muller transform.
 *
 * @param shape The result's shape.
 */
export function normal(shape: number | readonly number[], options: NormalOptions = NONE): Tensor {
  checkOptions(options, 'normal', NORMAL_OPTIONS)
  putKey(1)
  scratch[0] = 1
  let at = putInts(4, shape, 'normal', 'shape')
  at = putDType(at, options.dtype ?? 'f32', 'normal', 'dtype')
  scratch[3] = at - 4
  return record(136)
}

/** Options of {@link bernoulli}. */
export interface BernoulliOptions {
  /** The result's dtype. Default 'f32'. */
  dtype?: DType | undefined
}
const BERNOULLI_OPTIONS = ['dtype']

/**
 * 1 with probability p, else 0: a uniform draw below p. p broadcasts to the shape.
 *
 * @param p Probability of 1.
 * @param shape The result's shape.
 */
export function bernoulli(p: TensorLike, shape: number | readonly number[], options: BernoulliOptions = NONE): Tensor {
  checkOptions(options, 'bernoulli', BERNOULLI_OPTIONS)
  putInput(1, p, 'bernoulli', 'p')
  putKey(3)
  scratch[0] = 2
  let at = putInts(6, shape, 'bernoulli', 'shape')
  at = putDType(at, options.dtype ?? 'f32', 'bernoulli', 'dtype')
  scratch[5] = at - 6
  return record(137)
}

/** Options of {@link randint}. */
export interface RandintOptions {
  /** i32, i64 or u8. Default 'i32'. */
  dtype?: DType | undefined
}
const RANDINT_OPTIONS = ['dtype']

/**
 * Integers drawn evenly from `low..high` (at most 2²⁴ of them): `low + ⌊u · (high − low)⌋`.
 *
 * @param low The smallest integer.
 * @param shape The result's shape.
 * @param high One more than the largest.
 */
export function randint(low: TensorLike, shape: number | readonly number[], high: TensorLike, options: RandintOptions = NONE): Tensor {
  checkOptions(options, 'randint', RANDINT_OPTIONS)
  putInput(1, low, 'randint', 'low')
  putInput(3, high, 'randint', 'high')
  putKey(5)
  scratch[0] = 3
  let at = putInts(8, shape, 'randint', 'shape')
  at = putDType(at, options.dtype ?? 'i32', 'randint', 'dtype')
  scratch[7] = at - 8
  return record(138)
}

/**
 * Elements set to 0 with probability p, the others divided by 1 − p. Srivastava et al., JMLR 2014. The gradient drops
 * the same elements.
 *
 * @param x Activations.
 * @param p Probability of 0, a number.
 */
export function dropout(x: TensorLike, p: TensorLike): Tensor {
  putInput(1, x, 'dropout', 'x')
  putInput(3, p, 'dropout', 'p')
  putKey(5)
  scratch[0] = 3
  scratch[7] = 0
  return record(139)
}
