/** Single steps of recurrent networks. */
import { add, mul, relu, sigmoid, sub, tanh } from '../generated/ops.ts'
import { refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { zeros } from '../tensor/create.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { linear } from './functional/linear.ts'
import { uniform } from './init.ts'
import { count } from './linear.ts'
import { Module } from './module.ts'
import { type Parameter, unset } from './parameter.ts'

/** A cell's weights: of its input and of its state. */
export interface CellWeights {
  ih: Parameter
  hh: Parameter
  biasIh: Parameter | null
  biasHh: Parameter | null
}

/** New states from the input's part of the gates (W_ih x + b_ih) and the states before. */
export type Step = (projected: Tensor, states: readonly Tensor[], weights: CellWeights) => Tensor[]

export type Nonlinearity = 'tanh' | 'relu'

export function nonlinearityOf(name: Nonlinearity, op: string): (x: Tensor) => Tensor {
  return name === 'tanh' ? tanh : name === 'relu' ? relu : refuse(op, 'nonlinearity', 'tanh or relu', name)
}

/** The parts of x [N, parts · H], each [N, H]. */
function gates(x: Tensor, parts: number): Tensor[] {
  const size = x.shape[1]! / parts
  return Array.from({ length: parts }, (_, i) => x.at([], [i * size, (i + 1) * size]))
}

/** h = f(W_ih x + b_ih + W_hh h + b_hh). */
export function rnnStep(nonlinearity: Nonlinearity): Step {
  const f = nonlinearityOf(nonlinearity, 'RNN')
  return (projected, [h], { hh, biasHh }) => [f(add(projected, linear(h!, hh, biasHh)))]
}

/** c = σ(f) c + σ(i) tanh(g), h = σ(o) tanh(c). */
export const lstmStep: Step = (projected, [h, c], { hh, biasHh }) => {
  const [i, f, g, o] = gates(add(projected, linear(h!, hh, biasHh)), 4) as [Tensor, Tensor, Tensor, Tensor]
  const next = add(mul(sigmoid(f), c!), mul(sigmoid(i), tanh(g)))
  return [mul(sigmoid(o), tanh(next)), next]
}

/** n = tanh(x_n + σ(r) h_n), h = n + σ(z) (h - n). */
export const gruStep: Step = (projected, [h], { hh, biasHh }) => {
  const [xr, xz, xn] = gates(projected, 3) as [Tensor, Tensor, Tensor]
  const [hr, hz, hn] = gates(linear(h!, hh, biasHh), 3) as [Tensor, Tensor, Tensor]
  const n = tanh(add(xn, mul(sigmoid(add(xr, hr)), hn)))
  return [add(n, mul(sigmoid(add(xz, hz)), sub(h!, n)))]
}

/** Weights of a cell, named as PyTorch's. */
abstract class Cell<State, Out> extends Module<[x: Tensor, state?: State | null], Out> {
  readonly weightIh: Parameter // [gates · hidden, in]
  readonly weightHh: Parameter // [gates · hidden, hidden]
  readonly biasIh: Parameter | null // [gates · hidden]
  readonly biasHh: Parameter | null // [gates · hidden]
  readonly hiddenSize: number

  constructor(inputSize: number, hiddenSize: number, parts: number, options: { bias?: boolean }) {
    super()
    const op = new.target.name
    this.hiddenSize = count(hiddenSize, op, 'hiddenSize')
    const [rows, bound] = [parts * hiddenSize, 1 / Math.sqrt(hiddenSize)]
    const make = (...shape: number[]) => uniform(unset(...shape), -bound, bound)
    this.weightIh = make(rows, count(inputSize, op, 'inputSize'))
    this.weightHh = make(rows, hiddenSize)
    this.biasIh = (options.bias ?? true) ? make(rows) : null
    this.biasHh = (options.bias ?? true) ? make(rows) : null
  }

  /** @internal The states after x [N, in]; zeros before it where none are given. */
  _next(x: Tensor, states: readonly Tensor[] | null, step: Step, parts: number): Tensor[] {
    if (!isTensor(x) || x.rank !== 2) refuse(this.constructor.name, 'x', 'a Tensor of shape [N, in]', x)
    const { weightIh: ih, weightHh: hh, biasIh, biasHh } = this
    const none = () => zeros([x.shape[0]!, this.hiddenSize], { dtype: x.dtype, device: x.device })
    const before = states ?? Array.from({ length: parts }, none)
    return step(linear(x, ih, biasIh), before, { ih, hh, biasIh, biasHh })
  }
}

/** One step of RNN: x [N, in] and h [N, hidden] to h. */
export class RNNCell extends Cell<Tensor, Tensor> {
  readonly nonlinearity: Nonlinearity

  constructor(inputSize: number, hiddenSize: number, options: { bias?: boolean; nonlinearity?: Nonlinearity } = {}) {
    super(inputSize, hiddenSize, 1, options)
    this.nonlinearity = options.nonlinearity ?? 'tanh'
    nonlinearityOf(this.nonlinearity, 'RNNCell')
  }

  forward(x: Tensor, state: Tensor | null = null): Tensor {
    return this._next(x, state && [state], rnnStep(this.nonlinearity), 1)[0]!
  }
}

/** One step of LSTM: x [N, in] and [h, c], each [N, hidden], to [h, c]. */
export class LSTMCell extends Cell<readonly [Tensor, Tensor], [h: Tensor, c: Tensor]> {
  constructor(inputSize: number, hiddenSize: number, options: { bias?: boolean } = {}) {
    super(inputSize, hiddenSize, 4, options)
  }

  forward(x: Tensor, state: readonly [h: Tensor, c: Tensor] | null = null): [h: Tensor, c: Tensor] {
    const [h, c] = this._next(x, state, lstmStep, 2)
    return [h!, c!]
  }
}

/** One step of GRU: x [N, in] and h [N, hidden] to h. */
export class GRUCell extends Cell<Tensor, Tensor> {
  constructor(inputSize: number, hiddenSize: number, options: { bias?: boolean } = {}) {
    super(inputSize, hiddenSize, 3, options)
  }

  forward(x: Tensor, state: Tensor | null = null): Tensor {
    return this._next(x, state && [state], gruStep, 1)[0]!
  }
}
