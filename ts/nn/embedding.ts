import { refuse } from '../native/errors.ts'
import { eq, where } from '../generated/ops.ts'
import { arange } from '../tensor/create.ts'
import { noGrad } from '../tensor/scopes.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { embeddingBag, type EmbeddingBagOptions } from './functional/embedding-bag.ts'
import { embedding } from './functional/linear.ts'
import { normal } from './init.ts'
import { count } from './linear.ts'
import { Module } from './module.ts'
import { type Parameter, unset } from './parameter.ts'

/** A table of `n` rows, standard normal, and the row of padding counted from the start, which is zeros. */
function table(n: number, width: number, paddingIdx: number | null, op: string): [Parameter, number | null] {
  const rows = count(n, op, 'n')
  const weight = normal(unset(rows, count(width, op, 'width')))
  if (paddingIdx === null) return [weight, null]
  const padding = paddingIdx < 0 ? paddingIdx + rows : paddingIdx
  if (!Number.isInteger(padding) || padding < 0 || padding >= rows) {
    refuse(op, 'paddingIdx', `an integer from ${-rows} to ${rows - 1}`, paddingIdx)
  }
  noGrad(() => {
    const isPadding = eq(arange(rows, null, { dtype: 'i32' }), padding).unsqueeze(1)
    weight.assign(where(isPadding, 0, weight))
  })
  return [weight, padding]
}

/** A table of vectors: integers [...] to [..., width]. Rows start standard normal. */
export class Embedding extends Module {
  weight: Parameter // [n, width]
  readonly paddingIdx: number | null

  /** The row `paddingIdx` (negative counts from the end) starts as zeros and is not trained. */
  constructor(n: number, width: number, options: { paddingIdx?: number | null } = {}) {
    super()
    ;[this.weight, this.paddingIdx] = table(n, width, options.paddingIdx ?? null, 'Embedding')
  }

  forward(index: Tensor): Tensor {
    return embedding(index, this.weight, { paddingIdx: this.paddingIdx })
  }
}

/**
 * A table of vectors of which each bag of integers gets the sum, mean or largest elements: integers [B, N], or [n] with
 * the starts of the bags, to [B, width]. Rows start standard normal.
 */
export class EmbeddingBag extends Module<[Tensor, Pick<EmbeddingBagOptions, 'offsets' | 'perSampleWeights'>?]> {
  readonly weight: Parameter // [n, width]
  readonly mode: 'sum' | 'mean' | 'max'
  readonly includeLastOffset: boolean
  readonly paddingIdx: number | null

  /** The row `paddingIdx` (negative counts from the end) starts as zeros, counts in no bag and is not trained. */
  constructor(
    n: number,
    width: number,
    options: Pick<EmbeddingBagOptions, 'mode' | 'includeLastOffset' | 'paddingIdx'> = {},
  ) {
    super()
    ;[this.weight, this.paddingIdx] = table(n, width, options.paddingIdx ?? null, 'EmbeddingBag')
    this.mode = options.mode ?? 'mean'
    if (!['sum', 'mean', 'max'].includes(this.mode)) refuse('EmbeddingBag', 'mode', "'sum', 'mean' or 'max'", this.mode)
    this.includeLastOffset = options.includeLastOffset ?? false
  }

  forward(index: Tensor, options: Pick<EmbeddingBagOptions, 'offsets' | 'perSampleWeights'> = {}): Tensor {
    const { mode, includeLastOffset, paddingIdx } = this
    return embeddingBag(index, this.weight, { ...options, mode, includeLastOffset, paddingIdx })
  }
}
