/**
 * Everything as functions: every op, the losses, and the layers' functions.
 *
 * What is written here takes precedence over the op of the same name.
 */
import * as ops from '../generated/ops.ts'
import { refuse, ShapeError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import type { TensorLike } from '../native/write.ts'
import { noGrad } from '../tensor/scopes.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Variable } from '../tensor/variable.ts'

/** One number for height and width, or one for each. */
export type Pair = number | readonly [height: number, width: number]

export * from '../generated/ops.ts'
export {
  bceWithLogits,
  type BceOptions,
  crossEntropy,
  type CrossEntropyOptions,
  l1Loss,
  type LossOptions,
  mseLoss,
  nllLoss,
  type NllOptions,
  type Reduction,
} from './losses.ts'
export {
  celu,
  elu,
  gelu,
  glu,
  hardshrink,
  hardtanh,
  leakyRelu,
  maxout,
  prelu,
  softmin,
  softplus,
  softshrink,
  tanhshrink,
} from '../tensor/activations.ts'
export { flatten, movedim, narrow, squeeze, stack, transpose, unsqueeze } from '../tensor/compose.ts'
export { interpolate, type InterpolateOptions } from '../tensor/interpolate.ts'
export { diag, diagonal, oneHot, trace, tril, triu } from '../tensor/matrices.ts'
export { chunk, meshgrid, repeat, repeatInterleave, roll, rot90, split, tile, unbind } from '../tensor/movement.ts'
export { pad, type PadMode, type PadOptions } from '../tensor/padding.ts'
export {
  argsort,
  countNonzero,
  cumprod,
  isClose,
  logsumexp,
  median,
  norm,
  type NormOptions,
  quantile,
  type QuantileOptions,
  std,
  topk,
} from '../tensor/reductions.ts'
export { nanToNum, type NanToNumOptions } from '../tensor/replace.ts'
export { adaptiveAvgPool2d, adaptiveMaxPool2d, fold, unfold, type WindowOptions } from '../tensor/windows.ts'

/** x weightᵀ + bias: [..., in] by [out, in]. */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  if (!isTensor(x)) refuse('linear', 'x', 'a Tensor', x)
  const features = weight.shape[1]
  if (x.shape.at(-1) !== features) {
    const received = `[${x.shape.join(', ')}]`
    throw new ShapeError(
      `linear: the last dimension of x must be the ${features} features of weight, got ${received}`,
      {
        op: 'linear',
        argument: 'x',
        expected: `[..., ${features}]`,
        received,
      },
    )
  }
  const product = ops.matmul(x, weight.transpose(0, 1))
  return bias === null ? product : ops.add(product, bias)
}

export interface Conv2dOptions extends ops.Conv2dOptions {
  /** Added to each output channel, [K]. */
  bias?: Tensor | null | undefined
}

/**
 * Cross-correlation of images [N, C, H, W] with windows [K, C / groups, h, w]: [N, K, H', W'] with
 * H' = ⌊(H + 2 padding - dilation (h - 1) - 1) / stride⌋ + 1.
 */
export function conv2d(x: Tensor, weight: Tensor, options: Conv2dOptions = {}): Tensor {
  const { bias, ...rest } = options
  if (!isTensor(x)) refuse('conv2d', 'x', 'a Tensor', x)
  const y = ops.conv2d(x, weight, rest)
  if (bias === undefined || bias === null) return y
  if (!isTensor(bias)) refuse('conv2d', 'bias', 'a Tensor or null', bias)
  if (bias.rank !== 1 || bias.size !== weight.shape[0]) {
    const [expected, received] = [`[${weight.shape[0]}]`, `[${bias.shape.join(', ')}]`]
    throw new ShapeError(
      `conv2d: bias must have shape ${expected}, one number for each channel of the result, got ${received}`,
      { op: 'conv2d', argument: 'bias', expected, received },
    )
  }
  return ops.add(y, ops.reshape(bias, [-1, 1, 1]))
}

export interface MaxPool2dOptions extends ops.MaxPool2dOptions {
  /** Whether to give also where each maximum was found, i · W + j within its plane, i32. Default false. */
  indices?: boolean | undefined
}

/** The largest value of each window (`size`) of images [N, C, H, W]: [N, C, H', W']. Padding never wins. */
export function maxPool2d(x: Tensor, size: Pair, options: MaxPool2dOptions & { indices: true }): [Tensor, Tensor]
export function maxPool2d(x: Tensor, size: Pair, options?: MaxPool2dOptions & { indices?: false }): Tensor
export function maxPool2d(x: Tensor, size: Pair, options: MaxPool2dOptions = {}): Tensor | [Tensor, Tensor] {
  const { indices = false, ...rest } = options
  if (typeof indices !== 'boolean') refuse('maxPool2d', 'indices', 'a boolean', indices)
  const both = ops.maxPool2d(x, size, rest)
  return indices ? both : both[0]
}

/** Rows of a table [V, D] at integers [...]: [..., D]. Row `paddingIdx` gets no gradient. */
export function embedding(indices: Tensor, weight: Tensor, options: ops.EmbeddingOptions = {}): Tensor {
  return ops.embedding(weight, indices, options)
}

export interface DropoutOptions {
  /** Whether anything is dropped. Default true. */
  training?: boolean | undefined
}

/** Elements dropped with probability `p`, the others scaled by 1 / (1 - p). */
export function dropout(x: Tensor, p = 0.5, options: DropoutOptions = {}): Tensor {
  if (typeof p !== 'number' || !(p >= 0 && p <= 1)) refuse('dropout', 'p', 'a number from 0 to 1', p)
  return options.training === false || p === 0 ? x : ops.dropout(x, p)
}

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
