import * as ops from '../generated/ops.ts'
import { refuse } from '../native/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { attentionWeights } from './functional/attention.ts'
import { dropout } from './functional/dropout.ts'
import { linear } from './functional/linear.ts'
import { xavierUniform, zeros } from './init.ts'
import { count, Linear } from './linear.ts'
import { Module } from './module.ts'
import { type Parameter, unset } from './parameter.ts'

/** Options of {@link MultiheadAttention}. */
export interface MultiheadAttentionOptions {
  /** Probability with which a weight is dropped in training. Default 0. */
  dropout?: number
  /** Default true. */
  bias?: boolean
  /** Width of the keys; that of the queries where left out. */
  kdim?: number | null
  /** Width of the values; that of the queries where left out. */
  vdim?: number | null
  /** Whether sequences are [N, L, E] rather than [L, N, E]. Default true, unlike PyTorch's. */
  batchFirst?: boolean
}

/** Masks of a call. As in PyTorch's modules a bool mask holds for what is *not* seen. */
export interface AttentionCall {
  /** Bool: keys that a query doesn't see; else added to the scores. [L, S] or [N · heads, L, S]. */
  mask?: Tensor | null
  /** Bool: keys that nobody sees; else added to the scores. [N, S]. */
  keyPaddingMask?: Tensor | null
  /** Whether query i sees only keys 0 … i. Default false. */
  causal?: boolean
  /** Whether the weights are given too. Default true. */
  needWeights?: boolean
  /** Whether they are the mean over heads. Default true. */
  averageWeights?: boolean
}

/** A mask of what isn't seen as the function takes it: what is seen, or numbers to add. */
const inverted = (mask: Tensor) => (mask.dtype === 'bool' ? ops.logicalNot(mask) : mask)

/** Two masks as one; numbers take -∞ where a bool mask forbids. */
function both(a: Tensor | null, b: Tensor | null): Tensor | null {
  if (a === null || b === null) return a ?? b
  if (a.dtype === 'bool' && b.dtype === 'bool') return ops.logicalAnd(a, b)
  const added = (mask: Tensor) => (mask.dtype === 'bool' ? ops.where(mask, 0, -Infinity) : mask)
  return ops.add(added(a), added(b))
}

/**
 * Attention in several heads: concat_i(softmax(Q W_i^Q (K W_i^K)ᵀ / √d) V W_i^V) W^O with d = E / heads. Gives the
 * output, of the queries' shape, and the weights, [N, L, S] or null. Vaswani et al. 2017,
 * https://arxiv.org/abs/1706.03762
 */
export class MultiheadAttention extends Module<
  [query: Tensor, key?: Tensor, value?: Tensor, options?: AttentionCall],
  [Tensor, Tensor | null]
> {
  readonly inProjWeight: Parameter | null = null // [3 E, E], of queries, keys and values
  readonly qProjWeight: Parameter | null = null // [E, E], where keys or values have another width
  readonly kProjWeight: Parameter | null = null // [E, kdim]
  readonly vProjWeight: Parameter | null = null // [E, vdim]
  readonly inProjBias: Parameter | null = null // [3 E]
  readonly outProj: Linear
  readonly heads: number
  readonly width: number
  readonly dropout: number
  readonly batchFirst: boolean

  constructor(width: number, heads: number, options: MultiheadAttentionOptions = {}) {
    super()
    const op = 'MultiheadAttention'
    const { bias = true, kdim = null, vdim = null, batchFirst = true } = options
    this.heads = count(heads, op, 'heads')
    this.width = count(width, op, 'width')
    if (width % heads !== 0) refuse(op, 'width', `a multiple of heads (${heads})`, width)
    this.dropout = options.dropout ?? 0
    this.batchFirst = batchFirst
    if ((kdim ?? width) === width && (vdim ?? width) === width) {
      this.inProjWeight = xavierUniform(unset(3 * width, width))
    } else {
      this.qProjWeight = xavierUniform(unset(width, width))
      this.kProjWeight = xavierUniform(unset(width, count(kdim ?? width, op, 'kdim')))
      this.vProjWeight = xavierUniform(unset(width, count(vdim ?? width, op, 'vdim')))
    }
    if (bias) this.inProjBias = zeros(unset(3 * width))
    this.outProj = new Linear(width, width, { bias })
    if (this.outProj.bias) zeros(this.outProj.bias)
  }

  /** Queries, keys and values with their projections applied, [N, length, E]. */
  #projected(query: Tensor, key: Tensor, value: Tensor): Tensor[] {
    const { inProjWeight, inProjBias, width } = this
    const third = (x: Tensor, i: number) => x.at('...', [i * width, (i + 1) * width])
    if (inProjWeight && query === key && key === value) {
      const all = linear(query, inProjWeight, inProjBias)
      return [0, 1, 2].map((i) => third(all, i))
    }
    const own = [this.qProjWeight, this.kProjWeight, this.vProjWeight]
    return [query, key, value].map((x, i) => {
      const weight = own[i] ?? inProjWeight!.at([i * width, (i + 1) * width])
      return linear(x, weight, inProjBias && third(inProjBias, i))
    })
  }

  /** Keys and values are the queries where left out, values the keys. */
  forward(query: Tensor, key: Tensor = query, value: Tensor = key, call: AttentionCall = {}): [Tensor, Tensor | null] {
    const { heads, width, batchFirst } = this
    const { mask = null, keyPaddingMask = null, causal, needWeights = true, averageWeights = true } = call
    if (query.rank !== 3) refuse('MultiheadAttention', 'query', 'of shape [N, L, E]', query)
    const swap = (x: Tensor) => (batchFirst ? x : x.transpose(0, 1))
    const same = query === key && key === value
    const first = swap(query)
    const inputs = same ? [first, first, first] : [first, swap(key), swap(value)]
    const [n, length] = first.shape as [number, number]
    const split = (x: Tensor) => x.reshape([n, x.shape[1]!, heads, width / heads]).transpose(1, 2)
    const [q, k, v] = this.#projected(inputs[0]!, inputs[1]!, inputs[2]!).map(split) as [Tensor, Tensor, Tensor]
    const keys = k.shape[2]!
    const masks = mask && inverted(mask.rank === 3 ? mask.reshape([n, heads, length, keys]) : mask)
    const padding = keyPaddingMask && inverted(keyPaddingMask).reshape([n, 1, 1, keys])
    const plain = attentionWeights(q, k, { mask: both(masks, padding), causal })
    const weights = dropout(plain, this.dropout, { training: this.training }) // [N, heads, L, S]
    const joined = ops.matmul(weights, v).transpose(1, 2).reshape([n, length, width])
    const output = swap(this.outProj.forward(joined))
    if (!needWeights) return [output, null]
    return [output, averageWeights ? weights.mean({ dim: 1 }) : weights]
  }
}
