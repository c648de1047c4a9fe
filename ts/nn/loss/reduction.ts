/** What all losses share: their reduction and the check of their target. */
import * as ops from '../../generated/ops.ts'
import { refuse, ShapeError } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import type { TensorLike } from '../../native/write.ts'
import type { Tensor } from '../../tensor/tensor.ts'

/** How the losses of single elements become one: their mean, their sum, or none of it. */
export type Reduction = 'mean' | 'sum' | 'none'

/** What all losses take. */
export interface LossOptions {
  /** Default mean. */
  reduction?: Reduction | undefined
}

export function reduce(loss: Tensor, reduction: Reduction | undefined, op: string): Tensor {
  switch (reduction ?? 'mean') {
    case 'mean':
      return ops.mean(loss)
    case 'sum':
      return ops.sum(loss)
    case 'none':
      return loss
    default:
      return refuse(op, 'reduction', 'mean, sum or none', reduction)
  }
}

/** Refuses a target that would broadcast the loss to another shape than the prediction's. */
export function fit(op: string, prediction: Tensor, target: TensorLike): void {
  if (!isTensor(prediction)) refuse(op, 'prediction', 'a Tensor', prediction)
  if (typeof target === 'number') return
  if (!isTensor(target)) refuse(op, 'target', 'a Tensor or a number', target)
  const [wanted, got] = [prediction.shape, target.shape]
  const fits = got.length <= wanted.length && got.every((d, i) => d === 1 || d === wanted.at(i - got.length))
  if (fits) return
  const [expected, received] = [`[${wanted.join(', ')}]`, `[${got.join(', ')}]`]
  throw new ShapeError(
    `${op}: target must have the prediction's shape ${expected}, or broadcast to it, got ${received}`,
    {
      op,
      argument: 'target',
      expected,
      received,
    },
  )
}
