/** Attention. */
import * as ops from '../../generated/ops.ts'
import { refuse, ShapeError } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { dropout } from './dropout.ts'

/** Options of {@link scaledDotProductAttention}. */
export interface AttentionOptions {
  /** Which keys a query sees, or what is added to the scores; broadcast to [..., L, S]. */
  mask?: Tensor | null | undefined
  /** Whether query i sees only keys 0 … i. Default false. */
  causal?: boolean | undefined
  /** Probability with which a weight is dropped. Default 0. */
  dropout?: number | undefined
  /** Factor of the scores; 1 / √E where left out. */
  scale?: number | null | undefined
}

/** Whether query i sees key j ≤ i: bool [queries, keys]. */
export function causalMask(queries: number, keys: number, device?: Tensor['device']): Tensor {
  const row = ops.reshape(ops.arange(0, queries, 1, { dtype: 'i32' }), [queries, 1])
  const mask = ops.le(ops.arange(0, keys, 1, { dtype: 'i32' }), row)
  return device === undefined || mask.device === device ? mask : mask.to(device)
}

/** A finite number below all scores: with it a query that sees nothing has no NaN. */
const LOWEST = -3e38

/** softmax(q kᵀ scale) where the masks allow, [..., L, S]; zeros for a query that sees nothing. */
export function attentionWeights(q: Tensor, k: Tensor, options: AttentionOptions = {}): Tensor {
  const { mask = null, causal = false, scale = null } = options
  const op = 'attention'
  for (const [name, x] of Object.entries({ q, k })) {
    if (!isTensor(x) || x.rank < 2) refuse(op, name, 'a Tensor of shape [..., length, E]', x)
  }
  const width = q.shape.at(-1)!
  if (k.shape.at(-1) !== width) {
    const [expected, received] = [`[..., S, ${width}]`, `[${k.shape.join(', ')}]`]
    throw new ShapeError(`${op}: q and k must have vectors of the same size, k must be ${expected}, got ${received}`, {
      op,
      argument: 'k',
      expected,
      received,
    })
  }
  const scores = ops.matmul(ops.mul(q, scale ?? 1 / Math.sqrt(width)), k.transpose(-2, -1))
  const seen = causal ? causalMask(q.shape.at(-2)!, k.shape.at(-2)!, q.device) : null
  const allowed = mask?.dtype === 'bool' ? (seen === null ? mask : ops.logicalAnd(mask, seen)) : seen
  const biased = mask === null || mask.dtype === 'bool' ? scores : ops.add(scores, mask)
  if (allowed === null) return ops.softmax(biased, { dim: -1 })
  return ops.where(allowed, ops.softmax(ops.where(allowed, biased, LOWEST), { dim: -1 }), 0)
}

/**
 * softmax(q kᵀ / √E) v for queries [..., L, E], keys [..., S, E] and values [..., S, V]: [..., L, V]. A bool mask holds
 * where a query sees a key, any other is added to the scores. Vaswani et al. 2017, https://arxiv.org/abs/1706.03762
 */
export function scaledDotProductAttention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  const weights = attentionWeights(q, k, options)
  return ops.matmul(dropout(weights, options.dropout ?? 0), v)
}
