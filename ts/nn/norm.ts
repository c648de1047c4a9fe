import { refuse, ShapeError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { add, reciprocal } from '../generated/ops.ts'
import type { TensorLike } from '../native/write.ts'
import { ones, zeros } from '../tensor/create.ts'
import { noGrad } from '../tensor/scopes.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Variable } from '../tensor/variable.ts'
import { batchNorm } from './functional.ts'
import { count } from './linear.ts'
import { Module } from './module.ts'
import { Parameter } from './parameter.ts'

export interface BatchNormOptions {
  /** Added to the variance. Default 1e-5. */
  eps?: number
  /** Weight of the new statistics in the running ones; null averages over all batches. Default 0.1. */
  momentum?: number | null
  /** Whether weight and bias are learned. Default true. */
  affine?: boolean
  /** Whether statistics are kept for evaluation. Default true. */
  trackRunningStats?: boolean
}

/**
 * Batch normalisation over images [N, C, H, W]: each channel to mean 0 and variance 1, then scaled and shifted.
 *
 * In training the batch's statistics are used, and running ones are updated with its unbiased variance; in evaluation
 * the running ones are used. Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167
 */
export class BatchNorm2d extends Module {
  readonly weight: Parameter | null = null // [C]
  readonly bias: Parameter | null = null // [C]
  readonly runningMean: Variable | null = null // [C]
  readonly runningVar: Variable | null = null // [C]
  readonly numBatchesTracked: Variable | null = null // []
  readonly eps: number
  readonly momentum: number | null

  constructor(features: number, options: BatchNormOptions = {}) {
    super()
    const { eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true } = options
    count(features, 'BatchNorm2d', 'features')
    this.eps = eps
    this.momentum = momentum
    if (affine) {
      this.weight = new Parameter(ones([features]))
      this.bias = new Parameter(zeros([features]))
    }
    if (trackRunningStats) {
      this.runningMean = new Variable(zeros([features]))
      this.runningVar = new Variable(ones([features]))
      this.numBatchesTracked = new Variable(zeros([], { dtype: 'i64' }))
    }
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, eps, runningMean, runningVar } = this
    if (!isTensor(x)) refuse('BatchNorm2d', 'x', 'a Tensor', x)
    const channels = weight?.size ?? runningMean?.size ?? x.shape[1]
    if (x.rank !== 4 || x.shape[1] !== channels) {
      const [expected, received] = [`[N, ${channels ?? 'C'}, H, W]`, `[${x.shape.join(', ')}]`]
      throw new ShapeError(`BatchNorm2d: x must be ${expected}, got ${received}`, {
        op: 'BatchNorm2d',
        argument: 'x',
        expected,
        received,
      })
    }
    const momentum = this.training ? this._count() : 0
    // Without running statistics evaluation uses the batch's too.
    const training = this.training || runningMean === null
    return batchNorm(x, { weight, bias, eps, runningMean, runningVar, training, momentum })
  }

  /** Counts a batch and gives the weight of its statistics. */
  _count(): TensorLike {
    const { numBatchesTracked, momentum } = this
    return noGrad(() => {
      if (!numBatchesTracked) return 0
      const batches = add(numBatchesTracked, 1)
      numBatchesTracked.assign(batches)
      return momentum ?? reciprocal(batches.to('f32'))
    })
  }
}
