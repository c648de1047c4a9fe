import { refuse } from '../native/errors.ts'
import { eq, where } from '../generated/ops.ts'
import { arange } from '../tensor/create.ts'
import { noGrad } from '../tensor/scopes.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { embedding } from './functional/linear.ts'
import { normal } from './init.ts'
import { count } from './linear.ts'
import { Module } from './module.ts'
import { type Parameter, unset } from './parameter.ts'

/** A table of vectors: integers [...] to [..., width]. Rows start standard normal. */
export class Embedding extends Module {
  weight: Parameter // [n, width]
  readonly paddingIdx: number | null

  /** The row `paddingIdx` (negative counts from the end) starts as zeros and is not trained. */
  constructor(n: number, width: number, options: { paddingIdx?: number | null } = {}) {
    super()
    const rows = count(n, 'Embedding', 'n')
    this.weight = normal(unset(rows, count(width, 'Embedding', 'width')))
    const { paddingIdx = null } = options
    this.paddingIdx = paddingIdx !== null && paddingIdx < 0 ? paddingIdx + rows : paddingIdx
    const padding = this.paddingIdx
    if (padding === null) return
    if (!Number.isInteger(padding) || padding < 0 || padding >= rows) {
      refuse('Embedding', 'paddingIdx', `an integer from ${-rows} to ${rows - 1}`, paddingIdx)
    }
    noGrad(() => {
      const isPadding = eq(arange(rows, null, { dtype: 'i32' }), padding).unsqueeze(1)
      this.weight.assign(where(isPadding, 0, this.weight))
    })
  }

  forward(index: Tensor): Tensor {
    return embedding(index, this.weight, { paddingIdx: this.paddingIdx })
  }
}
