/** Recurrent networks over whole sequences. */
import { concat, lt, where } from '../generated/ops.ts'
import { refuse, ShapeError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { stack } from '../tensor/compose.ts'
import { arange, tensor, zeros } from '../tensor/create.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type CellWeights, gruStep, lstmStep, type Nonlinearity, nonlinearityOf, rnnStep, type Step } from './cells.ts'
import type { Entry } from './fields.ts'
import { dropout } from './functional/dropout.ts'
import { linear } from './functional/linear.ts'
import { uniform } from './init.ts'
import { count } from './linear.ts'
import { Module } from './module.ts'
import { type Parameter, unset } from './parameter.ts'

/** Options of {@link RNN}, {@link LSTM} and {@link GRU}. */
export interface RecurrentOptions {
  /** Layers, each reading the states of the one below. Default 1. */
  numLayers?: number
  /** Default true. */
  bias?: boolean
  /** Whether sequences are [N, T, in] rather than [T, N, in]. Default true, unlike PyTorch's. */
  batchFirst?: boolean
  /** Probability with which what goes from layer to layer is dropped in training. Default 0. */
  dropout?: number
  /** Whether a second network reads each sequence from its end; states stand side by side. Default false. */
  bidirectional?: boolean
}

/** Options of a call. */
export interface SequenceOptions {
  /**
   * Steps of each sequence that count; what follows is padding: its outputs are zeros, and the last state is that of the
   * last step that counts (PyTorch's packed sequences). Integers [N] or an array of them, from 1 on.
   */
  lengths?: Tensor | readonly number[] | null
}

/** The direction of a pass, and which steps count in it (null: all). */
interface Way {
  backwards: boolean
  counted: Tensor | null
}

/** What the kinds of recurrent network share. `States` is what one gives as its last state. */
abstract class Recurrent<States> extends Module<
  [x: Tensor, state?: States | null, options?: SequenceOptions],
  [Tensor, States]
> {
  readonly inputSize: number
  readonly hiddenSize: number
  readonly numLayers: number
  readonly batchFirst: boolean
  readonly dropout: number
  readonly bidirectional: boolean
  readonly #weights = new Map<string, Parameter>()

  constructor(inputSize: number, hiddenSize: number, gates: number, options: RecurrentOptions) {
    super()
    const op = new.target.name
    const { numLayers = 1, bias = true, batchFirst = true, bidirectional = false } = options
    this.inputSize = count(inputSize, op, 'inputSize')
    this.hiddenSize = count(hiddenSize, op, 'hiddenSize')
    this.numLayers = count(numLayers, op, 'numLayers')
    this.batchFirst = batchFirst
    this.bidirectional = bidirectional
    this.dropout = options.dropout ?? 0
    if (!(this.dropout >= 0 && this.dropout <= 1)) refuse(op, 'dropout', 'a number from 0 to 1', this.dropout)
    const [rows, bound] = [gates * hiddenSize, 1 / Math.sqrt(hiddenSize)]
    for (let layer = 0; layer < numLayers; layer++) {
      const features = layer === 0 ? inputSize : hiddenSize * this.#directions.length
      for (const suffix of this.#directions) {
        const add = (name: string, ...shape: number[]) => {
          this.#weights.set(`${name}_l${layer}${suffix}`, uniform(unset(...shape), -bound, bound))
        }
        add('weight_ih', rows, features)
        add('weight_hh', rows, hiddenSize)
        if (!bias) continue
        add('bias_ih', rows)
        add('bias_hh', rows)
      }
    }
  }

  override _entries(): Entry[] {
    return [...this.#weights]
  }

  get #directions(): string[] {
    return this.bidirectional ? ['', '_reverse'] : ['']
  }

  /** @internal What a cell does at each time step; the first of its states is its output. */
  abstract _step(): Step

  /** @internal The output [N, T, directions · hidden] and the last states, each [layers · directions, N, hidden]. */
  _run(x: Tensor, given: readonly Tensor[] | null, states: number, options: SequenceOptions): [Tensor, Tensor[]] {
    const op = this.constructor.name
    if (!isTensor(x)) refuse(op, 'x', 'a Tensor', x)
    const shape = this.batchFirst ? '[N, T, ' : '[T, N, '
    if (x.rank !== 3 || x.shape[2] !== this.inputSize) refuse(op, 'x', `of shape ${shape}${this.inputSize}]`, x)
    let y = this.batchFirst ? x.transpose(0, 1) : x // [T, N, in]
    if (y.shape[0] === 0) refuse(op, 'x', 'a sequence of at least one step', x)
    const first = given?.map((s, i) => this.#checked(s, y.shape[1]!, `state[${i}]`)) ?? this.#zeros(y, states)
    const counted = this.#counted(options.lengths ?? null, y)
    const last: Tensor[][] = first.map(() => [])
    for (let layer = 0; layer < this.numLayers; layer++) {
      const outputs = this.#directions.map((suffix, d) => {
        const row = layer * this.#directions.length + d
        const start = first.map((s) => s.at(row))
        const [output, end] = this.#pass(y, start, this.#of(layer, suffix), { backwards: suffix !== '', counted })
        end.forEach((s, i) => last[i]!.push(s))
        return output
      })
      y = outputs.length === 1 ? outputs[0]! : concat(outputs, { dim: -1 })
      if (layer + 1 < this.numLayers) y = dropout(y, this.dropout, { training: this.training })
    }
    return [this.batchFirst ? y.transpose(0, 1) : y, last.map((list) => stack(list))]
  }

  /** One layer in one direction: the outputs [T, N, hidden] and the last states. */
  #pass(x: Tensor, start: Tensor[], weights: CellWeights, way: Way): [Tensor, Tensor[]] {
    const { backwards, counted } = way
    const step = this._step()
    const projected = linear(x, weights.ih, weights.biasIh) // [T, N, gates · hidden]
    const length = x.shape[0]!
    const outputs: Tensor[] = []
    let states = start
    for (let i = 0; i < length; i++) {
      const t = backwards ? length - 1 - i : i
      const next = step(projected.at(t), states, weights)
      const here = counted?.at(t) // [N, 1]
      states = here ? next.map((s, k) => where(here, s, states[k]!)) : next
      outputs[t] = here ? where(here, states[0]!, 0) : states[0]!
    }
    return [stack(outputs), states]
  }

  /** Which steps of which sequence count: bool [T, N, 1]; null for all. */
  #counted(lengths: SequenceOptions['lengths'], x: Tensor): Tensor | null {
    if (lengths === null || lengths === undefined) return null
    const [steps, batch] = x.shape as [number, number]
    const list = isTensor(lengths) ? lengths : tensor(lengths, { dtype: 'i32', device: x.device })
    if (list.rank !== 1 || list.size !== batch) {
      refuse(this.constructor.name, 'lengths', `${batch} integers, one for each sequence`, lengths)
    }
    const time = arange(steps, null, { dtype: 'i32', device: x.device }).reshape([steps, 1, 1])
    return lt(time, list.reshape([1, batch, 1]))
  }

  #of(layer: number, suffix: string): CellWeights {
    const get = (name: string) => this.#weights.get(`${name}_l${layer}${suffix}`) ?? null
    return { ih: get('weight_ih')!, hh: get('weight_hh')!, biasIh: get('bias_ih'), biasHh: get('bias_hh') }
  }

  #zeros(x: Tensor, states: number): Tensor[] {
    const shape = [this.numLayers * this.#directions.length, x.shape[1]!, this.hiddenSize]
    return Array.from({ length: states }, () => zeros(shape, { dtype: x.dtype, device: x.device }))
  }

  #checked(state: Tensor, batch: number, argument: string): Tensor {
    const op = this.constructor.name
    if (!isTensor(state)) refuse(op, argument, 'a Tensor', state)
    const shape = [this.numLayers * this.#directions.length, batch, this.hiddenSize]
    if (`${state.shape}` === `${shape}`) return state
    const [expected, received] = [`[${shape.join(', ')}]`, `[${state.shape.join(', ')}]`]
    const what = `${op}: ${argument} must be [layers · directions, N, hidden] = ${expected}, got ${received}`
    throw new ShapeError(what, { op, argument, expected, received })
  }
}

/**
 * Elman's network: h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), or relu. Gives the states of all steps
 * [N, T, hidden] and the last ones [layers · directions, N, hidden]; weights are named as PyTorch's.
 */
export class RNN extends Recurrent<Tensor> {
  readonly nonlinearity: Nonlinearity

  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions & { nonlinearity?: Nonlinearity } = {}) {
    super(inputSize, hiddenSize, 1, options)
    this.nonlinearity = options.nonlinearity ?? 'tanh'
    nonlinearityOf(this.nonlinearity, 'RNN')
  }

  override _step(): Step {
    return rnnStep(this.nonlinearity)
  }

  forward(x: Tensor, state: Tensor | null = null, options: SequenceOptions = {}): [Tensor, Tensor] {
    const [y, [h]] = this._run(x, state === null ? null : [state], 1, options)
    return [y, h!]
  }
}

/**
 * Long short-term memory: c_t = f c_{t-1} + i g, h_t = o tanh c_t with gates of x_t and h_{t-1}. Gives the states of all
 * steps [N, T, hidden] and the last [h, c], each [layers · directions, N, hidden]. Hochreiter and Schmidhuber 1997.
 */
export class LSTM extends Recurrent<[h: Tensor, c: Tensor]> {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super(inputSize, hiddenSize, 4, options)
  }

  override _step(): Step {
    return lstmStep
  }

  forward(
    x: Tensor,
    state: readonly [h: Tensor, c: Tensor] | null = null,
    options: SequenceOptions = {},
  ): [Tensor, [h: Tensor, c: Tensor]] {
    if (state !== null && (!Array.isArray(state) || state.length !== 2)) refuse('LSTM', 'state', '[h, c]', state)
    const [y, [h, c]] = this._run(x, state, 2, options)
    return [y, [h!, c!]]
  }
}

/**
 * Gated recurrent units: h_t = (1 - z) n + z h_{t-1} with gates of x_t and h_{t-1}. Gives the states of all steps
 * [N, T, hidden] and the last ones [layers · directions, N, hidden]. Cho et al. 2014, https://arxiv.org/abs/1406.1078
 */
export class GRU extends Recurrent<Tensor> {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super(inputSize, hiddenSize, 3, options)
  }

  override _step(): Step {
    return gruStep
  }

  forward(x: Tensor, state: Tensor | null = null, options: SequenceOptions = {}): [Tensor, Tensor] {
    const [y, [h]] = this._run(x, state === null ? null : [state], 1, options)
    return [y, h!]
  }
}
