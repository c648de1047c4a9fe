/** Starting values of parameters, as PyTorch's `nn.init` draws them. */
import { refuse } from '../native/errors.ts'
import { normal as drawNormal, uniform as drawUniform } from '../generated/ops.ts'
import { full } from '../tensor/create.ts'
import { noGrad } from '../tensor/scopes.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Variable } from '../tensor/variable.ts'

export type Nonlinearity = 'linear' | 'sigmoid' | 'tanh' | 'relu' | 'leakyRelu' | 'selu'

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

export function constant<V extends Variable>(variable: V, value: number): V {
  return set(variable, () => full(variable.shape, value, { dtype: variable.dtype }))
}

export function zeros<V extends Variable>(variable: V): V {
  return constant(variable, 0)
}

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

/** PyTorch's defaults for linear and convolution layers: both uniform within 1 / √fanIn. */
export function layerDefaults(weight: Variable, bias: Variable | null): void {
  kaimingUniform(weight, { a: Math.sqrt(5) })
  const { fanIn } = fans(weight)
  const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0
  if (bias) uniform(bias, -bound, bound)
}
