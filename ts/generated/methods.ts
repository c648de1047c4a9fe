// Written by `npm run generate` from the op list; edits are overwritten.
import type { TensorLike } from '../native/write.ts'
import type { Tensor } from '../tensor/tensor.ts'
import * as ops from './ops.ts'
import type { ClampOptions, SumOptions, ProdOptions, MaxOptions, MinOptions, MeanOptions, VarianceOptions, ArgmaxOptions, ArgminOptions, AnyOptions, AllOptions, SoftmaxOptions, LogSoftmaxOptions, CumsumOptions, SortOptions, CummaxOptions, CumminOptions } from './ops.ts'

/** The methods of Tensor that record one op each. */
export interface Methods {
  /** Sum: `a + b`. */
  add(other: TensorLike): Tensor
  /** Difference: `a - b`. */
  sub(other: TensorLike): Tensor
  /** Product: `a * b`. */
  mul(other: TensorLike): Tensor
  /** True quotient; integers give f32: `a / b`. */
  div(other: TensorLike): Tensor
  /** Power: `pow(a, b)`. */
  pow(other: TensorLike): Tensor
  /** Remainder with the sign of the divisor: `a % b`. */
  remainder(other: TensorLike): Tensor
  /** Remainder with the sign of the dividend: `fmod(a, b)`. */
  fmod(other: TensorLike): Tensor
  /** Quotient rounded down: `floor_divide(a, b)`. */
  floorDivide(other: TensorLike): Tensor
  /** Larger of two; NaN if either is: `maximum(a, b)`. */
  maximum(other: TensorLike): Tensor
  /** Smaller of two; NaN if either is: `minimum(a, b)`. */
  minimum(other: TensorLike): Tensor
  /** Angle of the point (b, a), from -π to π: `atan2(a, b)`. */
  atan2(other: TensorLike): Tensor
  /** √(a² + b²) without overflow on the way: `hypot(a, b)`. */
  hypot(other: TensorLike): Tensor
  /** Magnitude of a with the sign of b: `copysign(a, b)`. */
  copysign(other: TensorLike): Tensor
  /** log(exp(a) + exp(b)) without overflow on the way: `logaddexp(a, b)`. */
  logaddexp(other: TensorLike): Tensor
  /** a log b, 0 where a is 0: `xlogy(a, b)`. */
  xlogy(other: TensorLike): Tensor
  /** Whether equal; bool: `eq(a, b)`. */
  eq(other: TensorLike): Tensor
  /** Whether not equal; bool: `ne(a, b)`. */
  ne(other: TensorLike): Tensor
  /** Whether less; bool: `lt(a, b)`. */
  lt(other: TensorLike): Tensor
  /** Whether less or equal; bool: `le(a, b)`. */
  le(other: TensorLike): Tensor
  /** Whether greater; bool: `gt(a, b)`. */
  gt(other: TensorLike): Tensor
  /** Whether greater or equal; bool: `ge(a, b)`. */
  ge(other: TensorLike): Tensor
  /** Whether both are not 0; bool: `and(a, b)`. */
  logicalAnd(other: TensorLike): Tensor
  /** Whether either is not 0; bool: `or(a, b)`. */
  logicalOr(other: TensorLike): Tensor
  /** Whether exactly one is not 0; bool: `ne(a, b)`. */
  logicalXor(other: TensorLike): Tensor
  /** Whether it is 0; bool: `not(x)`. */
  logicalNot(): Tensor
  /** Bits that are set in both; bool: whether both are: `and(a, b)`. */
  bitwiseAnd(other: TensorLike): Tensor
  /** Bits that are set in either; bool: whether either is: `or(a, b)`. */
  bitwiseOr(other: TensorLike): Tensor
  /** Bits that are set in exactly one; bool: whether exactly one is: `xor(a, b)`. */
  bitwiseXor(other: TensorLike): Tensor
  /** Every bit turned; bool: the contrary: `complement(x)`. */
  bitwiseNot(): Tensor
  /** a · 2ᵇ without the bits that leave; 0 for b outside the bits of the dtype: `shift_left(a, b)`. */
  bitwiseLeftShift(other: TensorLike): Tensor
  /** a / 2ᵇ rounded down; the sign, 0 or -1, for b outside the bits of the dtype: `shift_right(a, b)`. */
  bitwiseRightShift(other: TensorLike): Tensor
  /** Negative: `-x`. */
  neg(): Tensor
  /** Absolute value: `abs(x)`. */
  abs(): Tensor
  /** Sign: -1, 0 or 1; NaN stays NaN: `sign(x)`. */
  sign(): Tensor
  /** Square: `x * x`. */
  square(): Tensor
  /** Square root; NaN below 0: `sqrt(x)`. */
  sqrt(): Tensor
  /** Reciprocal of the square root: `1.0 / sqrt(x)`. */
  rsqrt(): Tensor
  /** Reciprocal: `1.0 / x`. */
  reciprocal(): Tensor
  /** Exponential: `exp(x)`. */
  exp(): Tensor
  /** Exponential minus 1, exact near 0: `expm1(x)`. */
  expm1(): Tensor
  /** Natural logarithm: `log(x)`. */
  log(): Tensor
  /** Power of 2: `exp2(x)`. */
  exp2(): Tensor
  /** Logarithm to base 2: `log(x) * LOG2_E`. */
  log2(): Tensor
  /** Logarithm to base 10: `log(x) * LOG10_E`. */
  log10(): Tensor
  /** Natural logarithm of 1 + x, exact near 0: `log1p(x)`. */
  log1p(): Tensor
  /** Sine: `sin(x)`. */
  sin(): Tensor
  /** Cosine: `cos(x)`. */
  cos(): Tensor
  /** Tangent: `sin(x) / cos(x)`. */
  tan(): Tensor
  /** Arc sine; NaN beyond ±1: `atan2(x, cosine_of_sine(x))`. */
  asin(): Tensor
  /** Arc cosine; NaN beyond ±1: `atan2(cosine_of_sine(x), x)`. */
  acos(): Tensor
  /** Arc tangent: `atan2(x, 1.0)`. */
  atan(): Tensor
  /** Hyperbolic sine: `sinh(x)`. */
  sinh(): Tensor
  /** Hyperbolic cosine: `cosh(x)`. */
  cosh(): Tensor
  /** Inverse hyperbolic sine: `asinh(x)`. */
  asinh(): Tensor
  /** Inverse hyperbolic cosine: `acosh(x)`. */
  acosh(): Tensor
  /** Inverse hyperbolic tangent; NaN beyond ±1: `0.5 * (log1p(x) - log1p(-x))`. */
  atanh(): Tensor
  /** Hyperbolic tangent: `tanh(x)`. */
  tanh(): Tensor
  /** Error function: `erf(x)`. */
  erf(): Tensor
  /** Complementary error function 1 - erf(x), exact where it is tiny: `erfc(x)`. */
  erfc(): Tensor
  /** Inverse of sigmoid; NaN beyond 0 and 1: `log(x) - log1p(-x)`. */
  logit(): Tensor
  /** Logistic function 1 / (1 + exp(-x)): `sigmoid(x)`. */
  sigmoid(): Tensor
  /** Rectified linear unit: `maximum(x, 0.0)`. */
  relu(): Tensor
  /** Gaussian error linear unit (Hendrycks and Gimpel, 2016), exact: `x * normal_cdf(x)`. */
  gelu(): Tensor
  /** Sigmoid linear unit (swish): `x / (1.0 + exp(-x))`. */
  silu(): Tensor
  /** Smooth rectifier log(1 + exp(x)): `maximum(x, 0.0) + log1p(exp(-abs(x)))`. */
  softplus(): Tensor
  /** Cheap approximation of silu (Howard et al., 2019): `x * (minimum(maximum(x + 3.0, 0.0), 6.0) / 6.0)`. */
  hardswish(): Tensor
  /** Rectified linear unit up to 6 (Howard et al., 2017): `minimum(maximum(x, 0.0), 6.0)`. */
  relu6(): Tensor
  /**
   * Scaled exponential linear unit (Klambauer et al., 2017): `SELU_SCALE * select(gt(x, 0.0), x, SELU_ALPHA *
   * expm1(below(x)))`.
   */
  selu(): Tensor
  /** x tanh(softplus(x)) (Misra, 2019): `x * tanh(softplus(x))`. */
  mish(): Tensor
  /** x / (1 + |x|): `x / (1.0 + abs(x))`. */
  softsign(): Tensor
  /** Logarithm of sigmoid: `minimum(x, 0.0) - log1p(exp(-abs(x)))`. */
  logsigmoid(): Tensor
  /** Piecewise linear sigmoid (Howard et al., 2019): `minimum(maximum(x + 3.0, 0.0), 6.0) / 6.0`. */
  hardsigmoid(): Tensor
  /** Linear interpolation from a (weight 0) to b (weight 1): `lerp(a, b, weight)`. */
  lerp(other: TensorLike, weight: TensorLike): Tensor
  /** Part behind the point, with the sign of x: `x - trunc(x)`. */
  frac(): Tensor
  /** Rounded down: `floor(x)`. */
  floor(): Tensor
  /** Rounded up: `ceil(x)`. */
  ceil(): Tensor
  /** Rounded to the nearest, halves to even: `round(x)`. */
  round(): Tensor
  /** Rounded towards 0: `trunc(x)`. */
  trunc(): Tensor
  /** Whether it is NaN; bool: `ne(x, x)`. */
  isNan(): Tensor
  /** Whether it is infinite; bool: `eq(abs(x), f64::INFINITY)`. */
  isInf(): Tensor
  /** Whether it is neither infinite nor NaN; bool: `lt(abs(x), f64::INFINITY)`. */
  isFinite(): Tensor
  /**
   * Limited to [min, max], of which either may be left out: `minimum(maximum(x, min), max)`. Bounds are data and
   * broadcast. The gradient passes at the bounds and between them, else to the bound.
   */
  clamp(options?: ClampOptions): Tensor
  /**
   * The same elements in row-major order under another shape of as many elements. A view where the layout allows it.
   */
  reshape(shape: number | readonly number[]): Tensor
  /** Dimensions in another order: dimension i of the result is dimension `dims[i]` of x. A view. */
  permute(dims: number | readonly number[]): Tensor
  /** Dimensions of size 1 repeated, as in broadcasting. A view. The gradient is summed over what was repeated. */
  expand(shape: number | readonly number[]): Tensor
  /** The elements in reverse order along `dims`. A view. */
  flip(dims: number | readonly number[]): Tensor
  /** Sum over dimensions; integers and bool give i64. 0 for no elements. The gradient is repeated. */
  sum(options?: SumOptions): Tensor
  /**
   * Product over dimensions; integers and bool give i64. 1 for no elements. The gradient is the product of the others,
   * also where elements are 0; second derivatives hold only where no element is 0.
   */
  prod(options?: ProdOptions): Tensor
  /**
   * Largest element over dimensions; NaN where there is one. The gradient is shared equally among ties. Throws a
   * ShapeError for no elements.
   */
  max(options?: MaxOptions): Tensor
  /**
   * Smallest element over dimensions; NaN where there is one. The gradient is shared equally among ties. Throws a
   * ShapeError for no elements.
   */
  min(options?: MinOptions): Tensor
  /**
   * Mean over dimensions: the sum divided by the number of elements; integers and bool give f32. NaN for no elements.
   */
  mean(options?: MeanOptions): Tensor
  /**
   * Variance over dimensions, `Σ (x - mean)² / max(0, n - correction)`, in two passes; integers and bool give f32. NaN
   * where n ≤ correction.
   */
  variance(options?: VarianceOptions): Tensor
  /**
   * Index (i32) of the largest element over dimensions, the first of several; NaN wins. No gradient. Throws a
   * ShapeError for no elements.
   */
  argmax(options?: ArgmaxOptions): Tensor
  /**
   * Index (i32) of the smallest element over dimensions, the first of several; NaN wins. No gradient. Throws a
   * ShapeError for no elements.
   */
  argmin(options?: ArgminOptions): Tensor
  /** Whether any element over dimensions is not 0; bool. False for no elements. */
  any(options?: AnyOptions): Tensor
  /** Whether no element over dimensions is 0; bool. True for no elements. */
  all(options?: AllOptions): Tensor
  /**
   * Matrix product: `out[…, i, j] = Σ_k a[…, i, k] · b[…, k, j]`.
   *
   * `[…, M, K]` by `[…, K, N]` gives `[…, M, N]`; leading dimensions broadcast. A vector is a row on the left and a
   * column on the right, without that dimension in the result. Throws a ShapeError where the shapes don't meet and a
   * DTypeError for integers.
   */
  matmul(other: TensorLike): Tensor
  /** `exp(x − m) / Σ exp(x − m)` along a dimension, with m its largest element. */
  softmax(options: SoftmaxOptions): Tensor
  /** Logarithm of softmax, `x − m − ln Σ exp(x − m)` along a dimension, with m its largest element. */
  logSoftmax(options: LogSoftmaxOptions): Tensor
  /**
   * Elements at places along a dimension: `out[…, i, …] = x[…, index[…, i, …], …]`.
   *
   * index has x's rank, and the result index's shape. Throws an ArgumentError that names an index out of range.
   */
  gather(dim: number, index: TensorLike): Tensor
  /**
   * x with `source[…, i, …]` in the place of the element at `[…, index[…, i, …], …]` along a dimension.
   *
   * index and source agree in shape and have x's rank. Where index names a place twice the last value stands, and all
   * of them get its gradient. Throws an ArgumentError that names an index out of range.
   */
  scatter(dim: number, index: TensorLike, source: TensorLike): Tensor
  /**
   * x with `source[…, i, …]` added at `[…, index[…, i, …], …]` along a dimension, in row-major order.
   *
   * index and source agree in shape and have x's rank. Throws an ArgumentError that names an index out of range.
   */
  scatterAdd(dim: number, index: TensorLike, source: TensorLike): Tensor
  /**
   * Slices at places along a dimension: `out[…, i, …] = x[…, index[i], …]`.
   *
   * Throws an ArgumentError that names an index out of range.
   */
  indexSelect(dim: number, index: TensorLike): Tensor
  /** Running sum along a dimension: `out[…, i, …] = Σ_{j ≤ i} x[…, j, …]`; integers and bool give i64. */
  cumsum(options?: CumsumOptions): Tensor
  /**
   * The elements in order along a dimension, with the place (i32) of each as second result.
   *
   * Equal elements keep their order; NaN counts as larger than every number.
   */
  sort(options?: SortOptions): [Tensor, Tensor]
  /**
   * Largest element up to each along a dimension, with its place (i32) as second result.
   *
   * Of equal elements the last is named; NaN stays once it has come.
   */
  cummax(options?: CummaxOptions): [Tensor, Tensor]
  /**
   * Smallest element up to each along a dimension, with its place (i32) as second result.
   *
   * Of equal elements the last is named; NaN stays once it has come.
   */
  cummin(options?: CumminOptions): [Tensor, Tensor]
}

/** Implementations for the prototype of Tensor. */
export const methods: Methods & ThisType<Tensor> = {
  add(this: Tensor, other: TensorLike) {
    return ops.add(this, other)
  },
  sub(this: Tensor, other: TensorLike) {
    return ops.sub(this, other)
  },
  mul(this: Tensor, other: TensorLike) {
    return ops.mul(this, other)
  },
  div(this: Tensor, other: TensorLike) {
    return ops.div(this, other)
  },
  pow(this: Tensor, other: TensorLike) {
    return ops.pow(this, other)
  },
  remainder(this: Tensor, other: TensorLike) {
    return ops.remainder(this, other)
  },
  fmod(this: Tensor, other: TensorLike) {
    return ops.fmod(this, other)
  },
  floorDivide(this: Tensor, other: TensorLike) {
    return ops.floorDivide(this, other)
  },
  maximum(this: Tensor, other: TensorLike) {
    return ops.maximum(this, other)
  },
  minimum(this: Tensor, other: TensorLike) {
    return ops.minimum(this, other)
  },
  atan2(this: Tensor, other: TensorLike) {
    return ops.atan2(this, other)
  },
  hypot(this: Tensor, other: TensorLike) {
    return ops.hypot(this, other)
  },
  copysign(this: Tensor, other: TensorLike) {
    return ops.copysign(this, other)
  },
  logaddexp(this: Tensor, other: TensorLike) {
    return ops.logaddexp(this, other)
  },
  xlogy(this: Tensor, other: TensorLike) {
    return ops.xlogy(this, other)
  },
  eq(this: Tensor, other: TensorLike) {
    return ops.eq(this, other)
  },
  ne(this: Tensor, other: TensorLike) {
    return ops.ne(this, other)
  },
  lt(this: Tensor, other: TensorLike) {
    return ops.lt(this, other)
  },
  le(this: Tensor, other: TensorLike) {
    return ops.le(this, other)
  },
  gt(this: Tensor, other: TensorLike) {
    return ops.gt(this, other)
  },
  ge(this: Tensor, other: TensorLike) {
    return ops.ge(this, other)
  },
  logicalAnd(this: Tensor, other: TensorLike) {
    return ops.logicalAnd(this, other)
  },
  logicalOr(this: Tensor, other: TensorLike) {
    return ops.logicalOr(this, other)
  },
  logicalXor(this: Tensor, other: TensorLike) {
    return ops.logicalXor(this, other)
  },
  logicalNot(this: Tensor) {
    return ops.logicalNot(this)
  },
  bitwiseAnd(this: Tensor, other: TensorLike) {
    return ops.bitwiseAnd(this, other)
  },
  bitwiseOr(this: Tensor, other: TensorLike) {
    return ops.bitwiseOr(this, other)
  },
  bitwiseXor(this: Tensor, other: TensorLike) {
    return ops.bitwiseXor(this, other)
  },
  bitwiseNot(this: Tensor) {
    return ops.bitwiseNot(this)
  },
  bitwiseLeftShift(this: Tensor, other: TensorLike) {
    return ops.bitwiseLeftShift(this, other)
  },
  bitwiseRightShift(this: Tensor, other: TensorLike) {
    return ops.bitwiseRightShift(this, other)
  },
  neg(this: Tensor) {
    return ops.neg(this)
  },
  abs(this: Tensor) {
    return ops.abs(this)
  },
  sign(this: Tensor) {
    return ops.sign(this)
  },
  square(this: Tensor) {
    return ops.square(this)
  },
  sqrt(this: Tensor) {
    return ops.sqrt(this)
  },
  rsqrt(this: Tensor) {
    return ops.rsqrt(this)
  },
  reciprocal(this: Tensor) {
    return ops.reciprocal(this)
  },
  exp(this: Tensor) {
    return ops.exp(this)
  },
  expm1(this: Tensor) {
    return ops.expm1(this)
  },
  log(this: Tensor) {
    return ops.log(this)
  },
  exp2(this: Tensor) {
    return ops.exp2(this)
  },
  log2(this: Tensor) {
    return ops.log2(this)
  },
  log10(this: Tensor) {
    return ops.log10(this)
  },
  log1p(this: Tensor) {
    return ops.log1p(this)
  },
  sin(this: Tensor) {
    return ops.sin(this)
  },
  cos(this: Tensor) {
    return ops.cos(this)
  },
  tan(this: Tensor) {
    return ops.tan(this)
  },
  asin(this: Tensor) {
    return ops.asin(this)
  },
  acos(this: Tensor) {
    return ops.acos(this)
  },
  atan(this: Tensor) {
    return ops.atan(this)
  },
  sinh(this: Tensor) {
    return ops.sinh(this)
  },
  cosh(this: Tensor) {
    return ops.cosh(this)
  },
  asinh(this: Tensor) {
    return ops.asinh(this)
  },
  acosh(this: Tensor) {
    return ops.acosh(this)
  },
  atanh(this: Tensor) {
    return ops.atanh(this)
  },
  tanh(this: Tensor) {
    return ops.tanh(this)
  },
  erf(this: Tensor) {
    return ops.erf(this)
  },
  erfc(this: Tensor) {
    return ops.erfc(this)
  },
  logit(this: Tensor) {
    return ops.logit(this)
  },
  sigmoid(this: Tensor) {
    return ops.sigmoid(this)
  },
  relu(this: Tensor) {
    return ops.relu(this)
  },
  gelu(this: Tensor) {
    return ops.gelu(this)
  },
  silu(this: Tensor) {
    return ops.silu(this)
  },
  softplus(this: Tensor) {
    return ops.softplus(this)
  },
  hardswish(this: Tensor) {
    return ops.hardswish(this)
  },
  relu6(this: Tensor) {
    return ops.relu6(this)
  },
  selu(this: Tensor) {
    return ops.selu(this)
  },
  mish(this: Tensor) {
    return ops.mish(this)
  },
  softsign(this: Tensor) {
    return ops.softsign(this)
  },
  logsigmoid(this: Tensor) {
    return ops.logsigmoid(this)
  },
  hardsigmoid(this: Tensor) {
    return ops.hardsigmoid(this)
  },
  lerp(this: Tensor, other: TensorLike, weight: TensorLike) {
    return ops.lerp(this, other, weight)
  },
  frac(this: Tensor) {
    return ops.frac(this)
  },
  floor(this: Tensor) {
    return ops.floor(this)
  },
  ceil(this: Tensor) {
    return ops.ceil(this)
  },
  round(this: Tensor) {
    return ops.round(this)
  },
  trunc(this: Tensor) {
    return ops.trunc(this)
  },
  isNan(this: Tensor) {
    return ops.isNan(this)
  },
  isInf(this: Tensor) {
    return ops.isInf(this)
  },
  isFinite(this: Tensor) {
    return ops.isFinite(this)
  },
  clamp(this: Tensor, options?: ClampOptions) {
    return ops.clamp(this, options)
  },
  reshape(this: Tensor, shape: number | readonly number[]) {
    return ops.reshape(this, shape)
  },
  permute(this: Tensor, dims: number | readonly number[]) {
    return ops.permute(this, dims)
  },
  expand(this: Tensor, shape: number | readonly number[]) {
    return ops.expand(this, shape)
  },
  flip(this: Tensor, dims: number | readonly number[]) {
    return ops.flip(this, dims)
  },
  sum(this: Tensor, options?: SumOptions) {
    return ops.sum(this, options)
  },
  prod(this: Tensor, options?: ProdOptions) {
    return ops.prod(this, options)
  },
  max(this: Tensor, options?: MaxOptions) {
    return ops.max(this, options)
  },
  min(this: Tensor, options?: MinOptions) {
    return ops.min(this, options)
  },
  mean(this: Tensor, options?: MeanOptions) {
    return ops.mean(this, options)
  },
  variance(this: Tensor, options?: VarianceOptions) {
    return ops.variance(this, options)
  },
  argmax(this: Tensor, options?: ArgmaxOptions) {
    return ops.argmax(this, options)
  },
  argmin(this: Tensor, options?: ArgminOptions) {
    return ops.argmin(this, options)
  },
  any(this: Tensor, options?: AnyOptions) {
    return ops.any(this, options)
  },
  all(this: Tensor, options?: AllOptions) {
    return ops.all(this, options)
  },
  matmul(this: Tensor, other: TensorLike) {
    return ops.matmul(this, other)
  },
  softmax(this: Tensor, options: SoftmaxOptions) {
    return ops.softmax(this, options)
  },
  logSoftmax(this: Tensor, options: LogSoftmaxOptions) {
    return ops.logSoftmax(this, options)
  },
  gather(this: Tensor, dim: number, index: TensorLike) {
    return ops.gather(this, dim, index)
  },
  scatter(this: Tensor, dim: number, index: TensorLike, source: TensorLike) {
    return ops.scatter(this, dim, index, source)
  },
  scatterAdd(this: Tensor, dim: number, index: TensorLike, source: TensorLike) {
    return ops.scatterAdd(this, dim, index, source)
  },
  indexSelect(this: Tensor, dim: number, index: TensorLike) {
    return ops.indexSelect(this, dim, index)
  },
  cumsum(this: Tensor, options?: CumsumOptions) {
    return ops.cumsum(this, options)
  },
  sort(this: Tensor, options?: SortOptions) {
    return ops.sort(this, options)
  },
  cummax(this: Tensor, options?: CummaxOptions) {
    return ops.cummax(this, options)
  },
  cummin(this: Tensor, options?: CumminOptions) {
    return ops.cummin(this, options)
  },
}
