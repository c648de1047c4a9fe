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
  glu,
  hardshrink,
  hardtanh,
  leakyRelu,
  prelu,
  softmin,
  softshrink,
  tanhshrink,
} from '../tensor/activations.ts'
export { flatten, logsumexp, norm, squeeze, stack, std, transpose, unsqueeze } from '../tensor/compose.ts'
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
export { type PaddingMode, padWith } from './functional/padding.ts'
export type { Pair, Triple } from './functional/pair.ts'
export {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  avgPool1d,
  maxPool1d,
  type MaxPool1dOptions,
  maxPool2d,
  type MaxPool2dOptions,
} from './functional/pooling.ts'
export { interpolate, type InterpolateOptions, pixelShuffle, pixelUnshuffle } from './functional/resize.ts'
export { avgPool3d, conv3d, type Conv3dOptions, maxPool3d, type Pool3dOptions } from './functional/volume.ts'
export { channelShuffle, fold, unfold, type WindowOptions } from './functional/windows.ts'
