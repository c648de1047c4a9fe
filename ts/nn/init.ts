/** Starting values of parameters, as PyTorch's `nn.init` draws them. */
import { refuse } from '../native/errors.ts'
import {
  add,
  clamp,
  log,
  lt,
  mul,
  neg,
  normal as drawNormal,
  sqrt,
  sub,
  uniform as drawUniform,
  where,
} from '../generated/ops.ts'
import { eye as identity, full, tensor } from '../tensor/create.ts'
import { nextSeed, shuffled } from '../tensor/random.ts'
import { noGrad } from '../tensor/scopes.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Variable } from '../tensor/variable.ts'

/** What stands behind a layer, by which {@link gain} scales its starting values. */
export type Nonlinearity = 'linear' | 'sigmoid' | 'tanh' | 'relu' | 'leakyRelu' | 'selu'

/** Options of {@link kaimingUniform} and {@link kaimingNormal}. */
export interface KaimingOptions {
  /** Negative slope of the leaky ReLU behind the layer. Default 0. */
  a?: number
  /** Whether the variance is kept forward (fanIn) or backward (fanOut). Default fanIn. */
  mode?: 'fanIn' | 'fanOut'
  nonlinearity?: Nonlinearity
}

function set<V extends Variable>(variable: V, make: () => Tensor): V {
  noGrad(() => {
    const value = make()
    variable.assign(value.device === variable.device ? value : value.to(variable.device))
  })
  return variable
}

/** The factor by which a nonlinearity shrinks a signal's standard deviation, inverted. */
export function gain(nonlinearity: Nonlinearity, slope = 0.01): number {
  switch (nonlinearity) {
    case 'linear':
    case 'sigmoid':
      return 1
    case 'tanh':
      return 5 / 3
    case 'relu':
      return Math.SQRT2
    case 'leakyRelu':
      return Math.sqrt(2 / (1 + slope ** 2))
    case 'selu':
      return 3 / 4
    default:
      return refuse('init', 'nonlinearity', 'linear, sigmoid, tanh, relu, leakyRelu or selu', nonlinearity)
  }
}

/** Inputs and outputs of each unit of a weight [out, in, ...window]. */
export function fans(weight: { shape: readonly number[] }): { fanIn: number; fanOut: number } {
  const [out, inside, ...window] = weight.shape
  if (out === undefined || inside === undefined) refuse('init', 'parameter', 'of rank 2 or more', weight)
  const field = window.reduce((a, b) => a * b, 1)
  return { fanIn: inside * field, fanOut: out * field }
}

/** Uniform in [low, high). */
export function uniform<V extends Variable>(variable: V, low = 0, high = 1): V {
  const { shape, dtype } = variable
  return set(variable, () =>
    drawUniform(shape, { dtype })
      .mul(high - low)
      .add(low),
  )
}

/** Normal with this mean and standard deviation. */
export function normal<V extends Variable>(variable: V, mean = 0, std = 1): V {
  const { shape, dtype } = variable
  return set(variable, () => drawNormal(shape, { dtype }).mul(std).add(mean))
}

/** The same number everywhere. */
export function constant<V extends Variable>(variable: V, value: number): V {
  return set(variable, () => full(variable.shape, value, { dtype: variable.dtype }))
}

/** Zeros. */
export function zeros<V extends Variable>(variable: V): V {
  return constant(variable, 0)
}

/** Ones. */
export function ones<V extends Variable>(variable: V): V {
  return constant(variable, 1)
}

function kaimingStd(variable: Variable, options: KaimingOptions): number {
  const { a = 0, mode = 'fanIn', nonlinearity = 'leakyRelu' } = options
  if (mode !== 'fanIn' && mode !== 'fanOut') refuse('init', 'mode', 'fanIn or fanOut', mode)
  const fan = fans(variable)[mode]
  return fan === 0 ? 0 : gain(nonlinearity, a) / Math.sqrt(fan)
}

/** He et al. 2015, "Delving Deep into Rectifiers": uniform with variance gain² / fan. */
export function kaimingUniform<V extends Variable>(variable: V, options: KaimingOptions = {}): V {
  const bound = Math.sqrt(3) * kaimingStd(variable, options)
  return uniform(variable, -bound, bound)
}

/** He et al. 2015: normal with variance gain² / fan. */
export function kaimingNormal<V extends Variable>(variable: V, options: KaimingOptions = {}): V {
  return normal(variable, 0, kaimingStd(variable, options))
}

function xavierStd(variable: Variable, factor: number): number {
  const { fanIn, fanOut } = fans(variable)
  return fanIn + fanOut === 0 ? 0 : factor * Math.sqrt(2 / (fanIn + fanOut))
}

/** Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks": uniform. */
export function xavierUniform<V extends Variable>(variable: V, options: { gain?: number } = {}): V {
  const bound = Math.sqrt(3) * xavierStd(variable, options.gain ?? 1)
  return uniform(variable, -bound, bound)
}

/** Glorot and Bengio 2010: normal. */
export function xavierNormal<V extends Variable>(variable: V, options: { gain?: number } = {}): V {
  return normal(variable, 0, xavierStd(variable, options.gain ?? 1))
}

/** Coefficients of erfinv near 0 and in its tails, highest power first: Giles 2010, table 5 (single precision). */
const CENTRE = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 2.1858087e-4, -1.25372503e-3, -4.17768164e-3,
  0.246640727, 1.50140941,
]
const TAIL = [
  -2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3, -7.6224613e-3, 9.43887047e-3, 1.00167406,
  2.83297682,
]

/** Σ cᵢ xⁿ⁻ⁱ. */
function polynomial(x: Tensor, coefficients: readonly number[]): Tensor {
  const [first, second, ...rest] = coefficients as [number, number, ...number[]]
  return rest.reduce((p, c) => add(mul(p, x), c), add(mul(x, first), second))
}

/** The inverse of erf, within 4e-7 of it. Giles 2010, "Approximating the erfinv function". */
function erfinv(x: Tensor): Tensor {
  const w = neg(log(mul(sub(1, x), add(x, 1))))
  const p = where(lt(w, 5), polynomial(sub(w, 2.5), CENTRE), polynomial(sub(sqrt(w), 3), TAIL))
  return mul(p, x)
}

/** The distribution function of the standard normal distribution (Abramowitz and Stegun 7.1.26 has 1.5e-7). */
function normalCdf(x: number): number {
  const t = 1 / (1 + (0.3275911 * Math.abs(x)) / Math.SQRT2)
  const p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
  const upper = (p * Math.exp(-(x ** 2) / 2)) / 2
  return x < 0 ? upper : 1 - upper
}

/** Options of {@link truncNormal}. */
export interface TruncNormalOptions {
  /** Default 0. */
  mean?: number
  /** Default 1. */
  std?: number
  /** The lowest value. Default -2. */
  a?: number
  /** The highest value. Default 2. */
  b?: number
}

/** Normal with this mean and standard deviation, cut off below `a` and above `b` (drawn from in between, not clamped). */
export function truncNormal<V extends Variable>(variable: V, options: TruncNormalOptions = {}): V {
  const { mean = 0, std = 1, a = -2, b = 2 } = options
  if (!(std > 0)) refuse('init', 'std', 'a number above 0', std)
  if (!(a < b)) refuse('init', 'b', `a number above a (${a})`, b)
  const [low, high] = [2 * normalCdf((a - mean) / std) - 1, 2 * normalCdf((b - mean) / std) - 1]
  const { shape, dtype } = variable
  return set(variable, () => {
    // Between ±(1 - 2⁻²³), where f32 still tells numbers from ±1.
    const [from, to] = [Math.max(low, 2 ** -23 - 1), Math.min(high, 1 - 2 ** -23)]
    const u = add(mul(drawUniform(shape, { dtype }), to - from), from)
    return clamp(add(mul(erfinv(u), std * Math.SQRT2), mean), { min: a, max: b })
  })
}

/**
 * Rows, or columns where there are fewer, of length `gain` and at right angles; dimensions behind the first count as
 * one. Saxe et al. 2014, https://arxiv.org/abs/1312.6120
 */
export function orthogonal<V extends Variable>(variable: V, options: { gain?: number } = {}): V {
  const { gain: factor = 1 } = options
  const [rows, ...rest] = variable.shape
  if (rows === undefined || rest.length === 0) refuse('init', 'parameter', 'of rank 2 or more', variable)
  const columns = rest.reduce((a, b) => a * b, 1)
  const [count, length] = rows < columns ? [rows, columns] : [columns, rows]
  const vectors = Float64Array.from(drawNormal([count, length]).dataSync<Float32Array>())
  orthonormalize(vectors, count, length)
  const found = tensor(vectors, { shape: [count, length], device: 'cpu' }).mul(factor)
  const oriented = rows < columns ? found : found.transpose(0, 1)
  return set(variable, () => oriented.reshape(variable.shape).to(variable.dtype))
}

/** Makes `count` vectors of `length`, one behind the other, orthonormal: Gram and Schmidt, twice for its rounding. */
function orthonormalize(vectors: Float64Array, count: number, length: number): void {
  for (let i = 0; i < count; i++) {
    const v = vectors.subarray(i * length, (i + 1) * length)
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const u = vectors.subarray(j * length, (j + 1) * length)
        let dot = 0
        for (let k = 0; k < length; k++) dot += u[k]! * v[k]!
        for (let k = 0; k < length; k++) v[k]! -= dot * u[k]!
      }
      const size = Math.sqrt(v.reduce((sum, x) => sum + x * x, 0))
      for (let k = 0; k < length; k++) v[k]! /= size
    }
  }
}

/** Normal with standard deviation `std`, but ⌈sparsity · rows⌉ zeros in each column. Martens 2010, ICML. */
export function sparse<V extends Variable>(variable: V, sparsity: number, std = 0.01): V {
  const [rows, columns] = matrix(variable)
  if (!(sparsity >= 0 && sparsity <= 1)) refuse('init', 'sparsity', 'a number from 0 to 1', sparsity)
  const none = Math.ceil(sparsity * rows)
  const kept = new Uint8Array(rows * columns).fill(1)
  for (let column = 0; column < columns; column++) {
    for (const row of shuffled(rows, nextSeed()).subarray(0, none)) kept[row * columns + column] = 0
  }
  const { shape, dtype } = variable
  return set(variable, () => {
    const mask = tensor(kept, { shape, dtype: 'bool', device: 'cpu' })
    return where(mask, drawNormal(shape, { dtype }).mul(std).to('cpu'), 0)
  })
}

function matrix({ shape }: Variable): [rows: number, columns: number] {
  const [rows, columns] = shape
  if (shape.length !== 2 || rows === undefined || columns === undefined) {
    refuse('init', 'parameter', 'of rank 2', shape)
  }
  return [rows, columns]
}

/** Ones on the diagonal of a matrix, zeros elsewhere. */
export function eye<V extends Variable>(variable: V): V {
  const [rows, columns] = matrix(variable)
  return set(variable, () => identity(rows, columns, { dtype: variable.dtype }))
}

/**
 * A convolution [out, in, ...window] that hands channels on: 1 at the window's centre for equal channels of each of
 * `groups`, zeros elsewhere.
 */
export function dirac<V extends Variable>(variable: V, options: { groups?: number } = {}): V {
  const { groups = 1 } = options
  const [out, inside, ...window] = variable.shape
  if (out === undefined || inside === undefined || window.length < 1 || window.length > 3) {
    refuse('init', 'parameter', 'of rank 3 to 5', variable)
  }
  if (!Number.isSafeInteger(groups) || groups < 1 || out % groups !== 0) {
    refuse('init', 'groups', `a divisor of ${out}, the channels of the result`, groups)
  }
  const field = window.reduce((a, b) => a * b, 1)
  const centre = window.reduce((at, size) => at * size + Math.floor(size / 2), 0)
  const each = out / groups
  const values = new Float64Array(out * inside * field)
  for (let channel = 0; channel < out; channel++) {
    const own = channel % each
    if (own < inside) values[(channel * inside + own) * field + centre] = 1
  }
  return set(variable, () => tensor(values, { shape: variable.shape, dtype: variable.dtype }))
}

/** PyTorch's defaults for linear and convolution layers: both uniform within 1 / √fanIn. */
export function layerDefaults(weight: Variable, bias: Variable | null): void {
  kaimingUniform(weight, { a: Math.sqrt(5) })
  const { fanIn } = fans(weight)
  const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0
  if (bias) uniform(bias, -bound, bound)
}
