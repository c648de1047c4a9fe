/** Normalisation. */
import * as ops from '../../generated/ops.ts'
import { refuse } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import type { TensorLike } from '../../native/write.ts'
import { noGrad } from '../../tensor/scopes.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import type { Variable } from '../../tensor/variable.ts'

/** Options of {@link batchNorm}. */
export interface BatchNormOptions {
  weight?: Tensor | null | undefined
  bias?: Tensor | null | undefined
  /** Moved towards the batch's statistics in training, used in their place otherwise. */
  runningMean?: Variable | null | undefined
  runningVar?: Variable | null | undefined
  /** Whether the batch's own statistics are used. Default false. */
  training?: boolean | undefined
  /** Weight of the batch's statistics in the running ones. Default 0.1. */
  momentum?: TensorLike | undefined
  /** Added to the variance. Default 1e-5. */
  eps?: number | undefined
}

/**
 * Batch normalisation of x [N, C, ...]: (x - mean) / √(variance + eps) · weight + bias for each channel. In training
 * the running statistics move on, by the unbiased variance. Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167
 */
export function batchNorm(x: Tensor, options: BatchNormOptions = {}): Tensor {
  const { runningMean = null, runningVar = null, momentum = 0.1, training = false, weight, bias, eps } = options
  if (!training) return ops.batchNorm(x, { weight, bias, eps, runningMean, runningVar })[0]
  const [y, mean, variance] = ops.batchNorm(x, { weight, bias, eps, training })
  noGrad(() => {
    const n = x.size / (x.shape[1] ?? 1)
    runningMean?.assign(towards(runningMean, mean, momentum))
    runningVar?.assign(towards(runningVar, ops.mul(variance, n / (n - 1)), momentum))
  })
  return y
}

/** Between `from` and `to`, `share` of the way: (1 - share) from + share to. */
function towards(from: Tensor, to: Tensor, share: TensorLike): Tensor {
  return ops.add(ops.mul(from, typeof share === 'number' ? 1 - share : ops.sub(1, share)), ops.mul(to, share))
}

/** Weight and bias of a normalisation. */
export interface AffineOptions {
  /** Factor of each channel, [C]. */
  weight?: Tensor | null | undefined
  /** Added to each channel, [C]. */
  bias?: Tensor | null | undefined
  /** Added to the variance. Default 1e-5. */
  eps?: number | undefined
}

/** x · weight + bias for each channel of x [N, C, ...]. */
function affine(x: Tensor, { weight, bias }: AffineOptions): Tensor {
  const along = [-1, ...x.shape.slice(2).map(() => 1)]
  const scaled = weight ? ops.mul(x, ops.reshape(weight, along)) : x
  return bias ? ops.add(scaled, ops.reshape(bias, along)) : scaled
}

/**
 * x [N, C, ...] to mean 0 and variance 1 over each of `groups` parts of the channels of an item. Wu and He 2018,
 * https://arxiv.org/abs/1803.08494
 */
export function groupNorm(x: Tensor, groups: number, options: AffineOptions = {}): Tensor {
  if (!isTensor(x) || x.rank < 2) refuse('groupNorm', 'x', 'a Tensor of shape [N, C, ...]', x)
  const [n, channels, ...rest] = x.shape as [number, number, ...number[]]
  if (!Number.isSafeInteger(groups) || groups < 1 || channels % groups !== 0) {
    refuse('groupNorm', 'groups', `a divisor of the ${channels} channels`, groups)
  }
  const size = (channels / groups) * rest.reduce((a, b) => a * b, 1)
  const normal = ops.layerNorm(ops.reshape(x, [n, groups, size]), [size], { eps: options.eps ?? 1e-5 })
  return affine(ops.reshape(normal, x.shape), options)
}

/**
 * x [N, C, ...] to mean 0 and variance 1 over each channel of an item; with running statistics and without `training`
 * by those. Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022
 */
export function instanceNorm(x: Tensor, options: BatchNormOptions = {}): Tensor {
  const { runningMean = null, runningVar = null, training = true, momentum = 0.1, weight, bias, eps } = options
  if (!isTensor(x) || x.rank < 3) refuse('instanceNorm', 'x', 'a Tensor of shape [N, C, ...]', x)
  if (!training && runningMean) return batchNorm(x, { weight, bias, eps, runningMean, runningVar })
  if (runningMean && runningVar) {
    const dim = x.shape.map((_, i) => i).slice(2)
    noGrad(() => {
      runningMean.assign(towards(runningMean, ops.mean(x, { dim: [0, ...dim] }), momentum))
      runningVar.assign(towards(runningVar, ops.mean(ops.variance(x, { dim }), { dim: 0 }), momentum))
    })
  }
  return groupNorm(x, x.shape[1]!, { weight, bias, eps })
}

/** Options of {@link rmsNorm}. */
export interface RmsNormOptions {
  /** Factor of `normalizedShape`. */
  weight?: Tensor | null | undefined
  /** Added to the mean square; the dtype's smallest step from 1 where left out. */
  eps?: number | null | undefined
}

/** x / √(mean x² + eps) · weight over the last dimensions. Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467 */
export function rmsNorm(x: Tensor, normalizedShape: readonly number[], options: RmsNormOptions = {}): Tensor {
  if (!isTensor(x)) refuse('rmsNorm', 'x', 'a Tensor', x)
  const tail = x.shape.slice(x.rank - normalizedShape.length)
  if (normalizedShape.length === 0 || `${tail}` !== `${normalizedShape}`) {
    refuse('rmsNorm', 'x', `of a shape that ends with [${normalizedShape.join(', ')}]`, x)
  }
  const eps = options.eps ?? (x.dtype === 'f64' ? 2 ** -52 : 2 ** -23)
  const dim = normalizedShape.map((_, i) => -1 - i)
  const normal = ops.mul(x, ops.rsqrt(ops.add(ops.mean(ops.square(x), { dim, keepDim: true }), eps)))
  return options.weight ? ops.mul(normal, options.weight) : normal
}

/** Options of {@link localResponseNorm}. */
export interface LocalResponseOptions {
  /** Default 1e-4. */
  alpha?: number | undefined
  /** Default 0.75. */
  beta?: number | undefined
  /** Default 1. */
  k?: number | undefined
}

/** x / (k + alpha / size · Σ x²)^beta, the sum over `size` channels around each. Krizhevsky et al., NeurIPS 2012. */
export function localResponseNorm(x: Tensor, size: number, options: LocalResponseOptions = {}): Tensor {
  const { alpha = 1e-4, beta = 0.75, k = 1 } = options
  if (!isTensor(x) || x.rank < 3) refuse('localResponseNorm', 'x', 'a Tensor of shape [N, C, ...]', x)
  if (!Number.isSafeInteger(size) || size < 1) refuse('localResponseNorm', 'size', 'a whole number from 1 on', size)
  const around = x.shape.flatMap((_, d) => (d === 1 ? [Math.floor(size / 2), Math.floor((size - 1) / 2)] : [0, 0]))
  const squares = ops.pad(ops.square(x), around)
  const from = (start: number) => {
    const starts = x.shape.map((_, d) => (d === 1 ? start : 0))
    return ops.slice(
      squares,
      starts,
      x.shape,
      x.shape.map(() => 1),
    )
  }
  let total = from(0)
  for (let i = 1; i < size; i++) total = ops.add(total, from(i))
  return ops.div(x, ops.pow(ops.add(ops.mul(total, alpha / size), k), beta))
}
