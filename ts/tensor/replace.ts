/** Values in the place of NaN and infinities. */
import * as ops from '../generated/ops.ts'
import { refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { checkOptions } from '../native/write.ts'
import type { Tensor } from './tensor.ts'

/** Options of {@link nanToNum}. */
export interface NanToNumOptions {
  /** In the place of NaN. Default 0. */
  nan?: number | undefined
  /** In the place of ∞. Default: the dtype's largest number. */
  posInf?: number | null | undefined
  /** In the place of -∞. Default: the dtype's lowest number. */
  negInf?: number | null | undefined
}

const LARGEST = { f32: 2 ** 128 - 2 ** 104, f64: Number.MAX_VALUE }

/** NaN and infinities replaced by numbers; there is no gradient where one was. Integers stay as they are. */
export function nanToNum(x: Tensor, options: NanToNumOptions = {}): Tensor {
  if (!isTensor(x)) refuse('nanToNum', 'x', 'a Tensor', x)
  checkOptions(options, 'nanToNum', ['nan', 'posInf', 'negInf'])
  if (x.dtype !== 'f32' && x.dtype !== 'f64') return x
  const largest = LARGEST[x.dtype]
  const finite = ops.where(ops.isNan(x), options.nan ?? 0, x)
  const below = ops.where(ops.eq(x, Infinity), options.posInf ?? largest, finite)
  return ops.where(ops.eq(x, -Infinity), options.negInf ?? -largest, below)
}
