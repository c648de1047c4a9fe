/** Normalisation as modules. */
import { refuse, ShapeError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { add, layerNorm, reciprocal } from '../generated/ops.ts'
import type { TensorLike } from '../native/write.ts'
import { ones, zeros } from '../tensor/create.ts'
import { noGrad } from '../tensor/scopes.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Variable } from '../tensor/variable.ts'
import {
  batchNorm,
  groupNorm,
  instanceNorm,
  localResponseNorm,
  type LocalResponseOptions,
  rmsNorm,
} from './functional/norm.ts'
import { count } from './linear.ts'
import { Module } from './module.ts'
import { Parameter } from './parameter.ts'

/** Options of batch and instance normalisation. */
export interface BatchNormOptions {
  /** Added to the variance. Default 1e-5. */
  eps?: number
  /** Weight of the new statistics in the running ones; null averages over all batches. Default 0.1. */
  momentum?: number | null
  /** Whether weight and bias are learned. Default true, false for instance normalisation. */
  affine?: boolean
  /** Whether statistics are kept for evaluation. Default true, false for instance normalisation. */
  trackRunningStats?: boolean
}

/** Weight, bias and running statistics of channels, for inputs of certain shapes. */
abstract class ChannelNorm extends Module {
  readonly weight: Parameter | null = null // [C]
  readonly bias: Parameter | null = null // [C]
  readonly runningMean: Variable | null = null // [C]
  readonly runningVar: Variable | null = null // [C]
  readonly numBatchesTracked: Variable | null = null // []
  readonly features: number
  readonly eps: number
  readonly momentum: number | null

  constructor(features: number, options: BatchNormOptions) {
    super()
    const { eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true } = options
    this.features = count(features, new.target.name, 'features')
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

  /** @internal Refuses x of any shape but these, in which C stands for the features. */
  _check(x: Tensor, ...shapes: string[]): void {
    const op = this.constructor.name
    if (!isTensor(x)) refuse(op, 'x', 'a Tensor', x)
    const ranks = shapes.map((shape) => shape.split(',').length)
    if (ranks.includes(x.rank) && x.shape[1] === this.features) return
    const expected = shapes.map((shape) => shape.replace('C', String(this.features))).join(' or ')
    const received = `[${x.shape.join(', ')}]`
    const fields = { op, argument: 'x', expected, received }
    throw new ShapeError(`${op}: x must be ${expected}, got ${received}`, fields)
  }

  /** @internal Counts a batch and gives the weight of its statistics. */
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

abstract class BatchNorm extends ChannelNorm {
  constructor(features: number, options: BatchNormOptions = {}) {
    super(features, options)
  }

  /** @internal */
  _normalize(x: Tensor): Tensor {
    const { weight, bias, eps, runningMean, runningVar } = this
    const momentum = this.training ? this._count() : 0
    // Without running statistics evaluation uses the batch's too.
    const training = this.training || runningMean === null
    return batchNorm(x, { weight, bias, eps, runningMean, runningVar, training, momentum })
  }
}

/** As {@link BatchNorm2d}, over [N, C] or sequences [N, C, L]. */
export class BatchNorm1d extends BatchNorm {
  forward(x: Tensor): Tensor {
    this._check(x, '[N, C]', '[N, C, L]')
    return this._normalize(x)
  }
}

/**
 * Batch normalisation over images [N, C, H, W]: each channel to mean 0 and variance 1, then scaled and shifted.
 *
 * In training the batch's statistics are used, and running ones are updated with its unbiased variance; in evaluation
 * the running ones are used. Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167
 */
export class BatchNorm2d extends BatchNorm {
  forward(x: Tensor): Tensor {
    this._check(x, '[N, C, H, W]')
    return this._normalize(x)
  }
}

/** As {@link BatchNorm2d}, over volumes [N, C, D, H, W]. */
export class BatchNorm3d extends BatchNorm {
  forward(x: Tensor): Tensor {
    this._check(x, '[N, C, D, H, W]')
    return this._normalize(x)
  }
}

abstract class InstanceNorm extends ChannelNorm {
  constructor(features: number, options: BatchNormOptions = {}) {
    super(features, { affine: false, trackRunningStats: false, ...options })
  }

  /** @internal */
  _normalize(x: Tensor): Tensor {
    const { weight, bias, eps, runningMean, runningVar } = this
    const momentum = this.momentum ?? 0 // batches aren't counted, as in PyTorch
    const training = this.training || runningMean === null
    return instanceNorm(x, { weight, bias, eps, runningMean, runningVar, training, momentum })
  }
}

/** As {@link InstanceNorm2d}, over sequences [N, C, L]. */
export class InstanceNorm1d extends InstanceNorm {
  forward(x: Tensor): Tensor {
    this._check(x, '[N, C, L]')
    return this._normalize(x)
  }
}

/**
 * Each channel of each image [N, C, H, W] to mean 0 and variance 1. With running statistics evaluation uses those.
 * Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022
 */
export class InstanceNorm2d extends InstanceNorm {
  forward(x: Tensor): Tensor {
    this._check(x, '[N, C, H, W]')
    return this._normalize(x)
  }
}

/** Options of {@link LayerNorm}. */
export interface LayerNormOptions {
  /** Added to the variance. Default 1e-5. */
  eps?: number
  /** Whether weight and bias are learned. Default true. */
  elementwiseAffine?: boolean
  /** Whether there is a bias beside the weight. Default true. */
  bias?: boolean
}

function sizes(shape: number | readonly number[], op: string): readonly number[] {
  const list = typeof shape === 'number' ? [shape] : shape
  if (!Array.isArray(list) || list.length === 0) refuse(op, 'normalizedShape', 'a size or an array of sizes', shape)
  return list.map((n: number) => count(n, op, 'normalizedShape'))
}

/** The last dimensions of x to mean 0 and variance 1, then scaled and shifted. https://arxiv.org/abs/1607.06450 */
export class LayerNorm extends Module {
  readonly weight: Parameter | null = null // normalizedShape
  readonly bias: Parameter | null = null // normalizedShape
  readonly normalizedShape: readonly number[]
  readonly eps: number

  constructor(normalizedShape: number | readonly number[], options: LayerNormOptions = {}) {
    super()
    const { eps = 1e-5, elementwiseAffine = true, bias = true } = options
    this.normalizedShape = sizes(normalizedShape, 'LayerNorm')
    this.eps = eps
    if (elementwiseAffine) this.weight = new Parameter(ones(this.normalizedShape))
    if (elementwiseAffine && bias) this.bias = new Parameter(zeros(this.normalizedShape))
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, eps } = this
    return layerNorm(x, this.normalizedShape, { weight, bias, eps })
  }
}

/** Options of {@link RMSNorm}. */
export interface RMSNormOptions {
  /** Added to the mean square; the dtype's smallest step from 1 where left out. */
  eps?: number | null
  /** Whether a weight is learned. Default true. */
  elementwiseAffine?: boolean
}

/** x / √(mean x² + eps) · weight over the last dimensions. Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467 */
export class RMSNorm extends Module {
  readonly weight: Parameter | null = null // normalizedShape
  readonly normalizedShape: readonly number[]
  readonly eps: number | null

  constructor(normalizedShape: number | readonly number[], options: RMSNormOptions = {}) {
    super()
    const { eps = null, elementwiseAffine = true } = options
    this.normalizedShape = sizes(normalizedShape, 'RMSNorm')
    this.eps = eps
    if (elementwiseAffine) this.weight = new Parameter(ones(this.normalizedShape))
  }

  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.normalizedShape, { weight: this.weight, eps: this.eps })
  }
}

/** Groups of channels of [N, C, ...] to mean 0 and variance 1. Wu and He 2018, https://arxiv.org/abs/1803.08494 */
export class GroupNorm extends Module {
  readonly weight: Parameter | null = null // [C]
  readonly bias: Parameter | null = null // [C]
  readonly groups: number
  readonly eps: number

  constructor(groups: number, channels: number, options: { eps?: number; affine?: boolean } = {}) {
    super()
    const { eps = 1e-5, affine = true } = options
    this.groups = count(groups, 'GroupNorm', 'groups')
    if (count(channels, 'GroupNorm', 'channels') % groups !== 0) {
      refuse('GroupNorm', 'channels', `a multiple of groups (${groups})`, channels)
    }
    this.eps = eps
    if (!affine) return
    this.weight = new Parameter(ones([channels]))
    this.bias = new Parameter(zeros([channels]))
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, eps } = this
    return groupNorm(x, this.groups, { weight, bias, eps })
  }
}

/** Each channel of [N, C, ...] damped by those around it. Krizhevsky et al., NeurIPS 2012. */
export class LocalResponseNorm extends Module {
  /** @internal */ readonly _options: LocalResponseOptions

  constructor(
    readonly size: number,
    options: LocalResponseOptions = {},
  ) {
    super()
    this._options = options
  }

  forward(x: Tensor): Tensor {
    return localResponseNorm(x, this.size, this._options)
  }
}
