/** Reductions that are made of others. */
import * as ops from '../generated/ops.ts'
import { refuse, ShapeError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { checkOptions } from '../native/write.ts'
import { dimension, flatten, type ReduceOptions, stack, taken } from './compose.ts'
import type { Tensor } from './tensor.ts'

export interface NormOptions extends ReduceOptions {
  /** The exponent; Infinity for the largest magnitude, -Infinity for the smallest, 0 to count. Default 2. */
  p?: number | undefined
}

/** The dimension that a function works along, and whether it stays. */
export interface DimOptions {
  /** The dimension to reduce; all elements when left out. */
  dim?: number | null | undefined
  /** Whether the reduced dimension stays as 1. Default false. */
  keepDim?: boolean | undefined
}

/** Options of {@link quantile}. */
export interface QuantileOptions extends DimOptions {
  /** What is taken between two elements. Default 'linear'. */
  interpolation?: 'linear' | 'lower' | 'higher' | 'midpoint' | 'nearest' | undefined
}

const REDUCE = ['dim', 'keepDim']

/** Standard deviation over dimensions, √(Σ (x - mean)² / (n - correction)), with correction 1 unless given. */
export function std(x: Tensor, options: ReduceOptions & { correction?: number | undefined } = {}): Tensor {
  checkOptions(options, 'std', ['dim', 'correction', 'keepDim'])
  return ops.sqrt(ops.variance(x, options))
}

/** `root` of `sum` where that isn't 0, else 0: no infinite slope where a norm is 0. */
function rooted(sum: Tensor, root: (sum: Tensor) => Tensor): Tensor {
  const zero = ops.eq(sum, 0)
  return ops.where(zero, 0, root(ops.where(zero, 1, sum)))
}

/** (Σ |x|ᵖ)^(1/p) over dimensions; the gradient where it is 0 is 0. Throws an ArgumentError for a p that is NaN. */
export function norm(x: Tensor, options: NormOptions = {}): Tensor {
  checkOptions(options, 'norm', ['p', ...REDUCE])
  const { p = 2, ...over } = options
  if (typeof p !== 'number' || Number.isNaN(p)) refuse('norm', 'p', 'a number', p)
  if (p === 2) return rooted(ops.sum(ops.square(x), over), ops.sqrt)
  const size = ops.abs(x)
  if (p === 1) return ops.sum(size, over)
  if (p === Infinity) return ops.max(size, over)
  if (p === -Infinity) return ops.min(size, over)
  if (p === 0) return ops.sum(ops.cast(ops.ne(x, 0), x.dtype), over)
  return rooted(ops.sum(ops.pow(size, p), over), (sum) => ops.pow(sum, 1 / p))
}

/** log Σ exp(x), computed without overflow. */
export function logsumexp(x: Tensor, options: ReduceOptions = {}): Tensor {
  checkOptions(options, 'logsumexp', REDUCE)
  const { dim, keepDim } = options
  const largest = ops.max(x, { dim, keepDim: true }).detach()
  // All -∞ leaves -∞, one ∞ leaves ∞.
  const peak = ops.where(ops.isFinite(largest), largest, 0)
  const rest = ops.log(ops.sum(ops.exp(ops.sub(x, peak)), { dim, keepDim }))
  return ops.add(rest, keepDim ? peak : ops.reshape(peak, rest.shape))
}

/** How many elements over dimensions are not 0; i64. */
export function countNonzero(x: Tensor, options: ReduceOptions = {}): Tensor {
  checkOptions(options, 'countNonzero', REDUCE)
  return ops.sum(ops.ne(x, 0), options)
}

/** Whether two tensors are equal within rtol |b| + atol, element by element; bool. */
export function isClose(
  a: Tensor,
  b: Tensor,
  options: { rtol?: number; atol?: number; equalNan?: boolean } = {},
): Tensor {
  checkOptions(options, 'isClose', ['rtol', 'atol', 'equalNan'])
  const { rtol = 1e-5, atol = 1e-8, equalNan = false } = options
  const near = ops.le(ops.abs(ops.sub(a, b)), ops.add(ops.mul(ops.abs(b), rtol), atol))
  const close = ops.logicalOr(ops.eq(a, b), ops.logicalAnd(near, ops.isFinite(b)))
  return equalNan ? ops.logicalOr(close, ops.logicalAnd(ops.isNan(a), ops.isNan(b))) : close
}

/**
 * The product of all elements up to each along a dimension, in rounds that double the reach: log₂ n products of the
 * whole. Integers and bool give i64. The gradient holds also where elements are 0.
 */
export function cumprod(x: Tensor, options: { dim?: number } = {}): Tensor {
  if (!isTensor(x)) refuse('cumprod', 'x', 'a Tensor', x)
  checkOptions(options, 'cumprod', ['dim'])
  const d = dimension(options.dim ?? -1, x.rank, 'cumprod')
  const n = x.shape[d]!
  let y = x.dtype === 'f32' || x.dtype === 'f64' ? x : ops.cast(x, 'i64')
  for (let reach = 1; reach < n; reach *= 2) {
    const before = x.shape.flatMap((_, i) => [i === d ? reach : 0, 0])
    y = ops.mul(y, ops.pad(taken(y, d, 0, n - reach), before, { value: 1 }))
  }
  return y
}

/**
 * log Σ exp(x) of all elements up to each along a dimension, computed without overflow, in rounds that double the reach.
 */
export function logcumsumexp(x: Tensor, options: { dim?: number } = {}): Tensor {
  if (!isTensor(x)) refuse('logcumsumexp', 'x', 'a Tensor', x)
  checkOptions(options, 'logcumsumexp', ['dim'])
  const d = dimension(options.dim ?? -1, x.rank, 'logcumsumexp')
  const n = x.shape[d]!
  let y = x.dtype === 'f64' ? x : ops.cast(x, 'f32')
  for (let reach = 1; reach < n; reach *= 2) {
    const joined = ops.logaddexp(taken(y, d, reach, n - reach), taken(y, d, 0, n - reach))
    y = ops.concat([taken(y, d, 0, reach), joined], { dim: d })
  }
  return y
}

/** The elements of `dim` in ascending order, or all of them, as a dimension of their own. */
function ordered(x: Tensor, options: DimOptions, op: string): { sorted: Tensor; d: number; nan: Tensor } {
  if (!isTensor(x)) refuse(op, 'x', 'a Tensor', x)
  const whole = options.dim === undefined || options.dim === null
  const line = whole || x.rank === 0 ? flatten(x) : x
  const d = whole ? 0 : dimension(options.dim!, line.rank, op)
  if (line.shape[d] === 0) {
    throw new ShapeError(`${op}: there are no elements along dimension ${d} of shape [${x.shape.join(', ')}]`, {
      op,
      argument: 'x',
      expected: 'at least one element',
      received: `[${x.shape.join(', ')}]`,
    })
  }
  return { sorted: ops.sort(line, { dim: d })[0], d, nan: ops.any(ops.isNan(line), { dim: d, keepDim: true }) }
}

/** `y`, whose dimension `d` is 1, as the options want it. */
function reduced(y: Tensor, d: number, x: Tensor, options: DimOptions): Tensor {
  if (options.dim === undefined || options.dim === null) {
    return ops.reshape(y, options.keepDim ? x.shape.map(() => 1) : [])
  }
  return options.keepDim
    ? y
    : ops.reshape(
        y,
        y.shape.filter((_, i) => i !== d),
      )
}

/** The middle element, of an even number the lower one; NaN where there is one. */
export function median(x: Tensor, options: DimOptions = {}): Tensor {
  checkOptions(options, 'median', REDUCE)
  const { sorted, d, nan } = ordered(x, options, 'median')
  const middle = taken(sorted, d, Math.floor((sorted.shape[d]! - 1) / 2), 1)
  const float = x.dtype === 'f32' || x.dtype === 'f64'
  return reduced(float ? ops.where(nan, NaN, middle) : middle, d, x, options)
}

/**
 * The elements below which the shares `q` of all lie, interpolated between neighbours; several shares give a first
 * dimension. NaN where there is one. Throws an ArgumentError for shares outside 0 to 1.
 */
export function quantile(x: Tensor, q: number | readonly number[], options: QuantileOptions = {}): Tensor {
  checkOptions(options, 'quantile', [...REDUCE, 'interpolation'])
  const { interpolation = 'linear', ...over } = options
  const shares = typeof q === 'number' ? [q] : q
  if (!Array.isArray(shares)) refuse('quantile', 'q', 'a number or an array of numbers', q)
  shares.forEach((share: unknown) => {
    if (typeof share !== 'number' || !(share >= 0 && share <= 1)) refuse('quantile', 'q', 'from 0 to 1', share)
  })
  const { sorted, d, nan } = ordered(x, over, 'quantile')
  const float = x.dtype === 'f32' || x.dtype === 'f64' ? sorted : ops.cast(sorted, 'f32')
  const results = shares.map((share: number) => {
    const place = share * (sorted.shape[d]! - 1)
    const [low, high] = [Math.floor(place), Math.ceil(place)]
    const weight = {
      linear: place - low,
      lower: 0,
      higher: 1,
      midpoint: low === high ? 0 : 0.5,
      nearest: roundedEven(place) - low,
    }[interpolation]
    if (weight === undefined) {
      refuse('quantile', 'interpolation', "'linear', 'lower', 'higher', 'midpoint' or 'nearest'", interpolation)
    }
    const [a, b] = [taken(float, d, low, 1), taken(float, d, high, 1)]
    const value = weight === 0 ? a : weight === 1 ? b : ops.lerp(a, b, weight)
    return reduced(ops.where(nan, NaN, value), d, x, over)
  })
  return typeof q === 'number' ? results[0]! : stack(results)
}

/** Rounded to the nearest integer, halves to even. */
function roundedEven(v: number): number {
  const up = Math.round(v)
  return up - v === 0.5 && up % 2 !== 0 ? up - 1 : up
}

/** Options of {@link argsort}. */
export interface ArgsortOptions {
  /** The dimension to sort along. Default -1. */
  dim?: number | undefined
  /** Whether the largest comes first. Default false. */
  descending?: boolean | undefined
}

/** The places (i32) of the elements in order along a dimension. */
export function argsort(x: Tensor, options: ArgsortOptions = {}): Tensor {
  checkOptions(options, 'argsort', ['dim', 'descending'])
  return ops.sort(x, options)[1]
}

/** The `k` largest (or smallest) elements along a dimension in order, and their places (i32). */
export function topk(x: Tensor, k: number, options: { dim?: number; largest?: boolean } = {}): [Tensor, Tensor] {
  if (!isTensor(x)) refuse('topk', 'x', 'a Tensor', x)
  checkOptions(options, 'topk', ['dim', 'largest'])
  const { dim = -1, largest = true } = options
  const d = dimension(dim, x.rank, 'topk')
  if (!Number.isSafeInteger(k) || k < 0 || k > x.shape[d]!) {
    refuse('topk', 'k', `a whole number up to ${x.shape[d]}, the size of dimension ${d}`, k)
  }
  const [values, places] = ops.sort(x, { dim: d, descending: largest })
  return [taken(values, d, 0, k), taken(places, d, 0, k)]
}
