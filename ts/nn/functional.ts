/**
 * Everything as functions: every op, the losses, and the layers' functions.
 *
 * What is written here takes precedence over the op of the same name.
 */
export * from '../generated/ops.ts'
export * from './loss/index.ts'
export { crossEntropy, type CrossEntropyOptions } from './loss/index.ts'
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
export { einsum } from '../tensor/einsum.ts'
export { interpolate, type InterpolateOptions } from '../tensor/interpolate.ts'
export { diag, diagonal, oneHot, trace, tril, triu } from '../tensor/matrices.ts'
export {
  chunk,
  type DimOption,
  meshgrid,
  repeat,
  repeatInterleave,
  roll,
  rot90,
  split,
  tile,
  unbind,
} from '../tensor/movement.ts'
export { pad, type PadMode, type PadOptions } from '../tensor/padding.ts'
export {
  argsort,
  type ArgsortOptions,
  countNonzero,
  cumprod,
  type DimOptions,
  isClose,
  logcumsumexp,
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
export {
  type AttentionOptions,
  attentionWeights,
  causalMask,
  scaledDotProductAttention,
} from './functional/attention.ts'
export {
  conv1d,
  type Conv1dOptions,
  conv2d,
  type Conv2dOptions,
  convTranspose1d,
  type ConvTranspose1dOptions,
  convTranspose2d,
  type ConvTranspose2dOptions,
} from './functional/conv.ts'
export { alphaDropout, dropout, dropout2d, type DropoutOptions, stochasticDepth } from './functional/dropout.ts'
export { embeddingBag, type EmbeddingBagOptions } from './functional/embedding-bag.ts'
export { bilinear, embedding, linear } from './functional/linear.ts'
export {
  type AffineOptions,
  batchNorm,
  type BatchNormOptions,
  groupNorm,
  instanceNorm,
  localResponseNorm,
  type LocalResponseOptions,
  rmsNorm,
  type RmsNormOptions,
} from './functional/norm.ts'
export type { Pair, Triple } from './functional/pair.ts'
export {
  adaptiveAvgPool1d,
  adaptiveMaxPool1d,
  avgPool1d,
  maxPool1d,
  type MaxPool1dOptions,
  maxPool2d,
  type MaxPool2dOptions,
} from './functional/pooling.ts'
export { channelShuffle, pixelShuffle, pixelUnshuffle } from './functional/shuffle.ts'
export { avgPool3d, conv3d, type Conv3dOptions, maxPool3d, type Pool3dOptions } from './functional/volume.ts'
