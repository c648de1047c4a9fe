/** Modules, layers, starting values. */
export { Variable } from '../tensor/variable.ts'
export * from './activation.ts'
export { type AttentionCall, MultiheadAttention, type MultiheadAttentionOptions } from './attention.ts'
export { RandomCrop, type RandomCropOptions } from './augmentation.ts'
export type { ForwardCall } from './calls.ts'
export { GRUCell, LSTMCell, RNNCell } from './cells.ts'
export { Flatten, ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential, Unflatten } from './containers.ts'
export {
  Conv1d,
  type Conv1dOptions,
  Conv2d,
  type Conv2dOptions,
  ConvTranspose1d,
  type ConvTranspose1dOptions,
  ConvTranspose2d,
  type ConvTranspose2dOptions,
  type PaddingMode,
} from './conv.ts'
export { AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d, StochasticDepth } from './dropout.ts'
export { Embedding, EmbeddingBag } from './embedding.ts'
export { foldBatchNorm } from './fold.ts'
export * as F from './functional.ts'
export type { Pair, Triple } from './functional.ts'
/** Starting values of parameters, as PyTorch's `nn.init`. */
export * as init from './init.ts'
export { Bilinear, Linear } from './linear.ts'
export * from './loss/modules.ts'
export { type AnyModule, Module } from './module.ts'
export {
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  type BatchNormOptions,
  GroupNorm,
  InstanceNorm1d,
  InstanceNorm2d,
  LayerNorm,
  type LayerNormOptions,
  LocalResponseNorm,
  RMSNorm,
  type RMSNormOptions,
} from './norm.ts'
export {
  CircularPad1d,
  CircularPad2d,
  CircularPad3d,
  ConstantPad1d,
  ConstantPad2d,
  ConstantPad3d,
  ReflectionPad1d,
  ReflectionPad2d,
  ReflectionPad3d,
  ReplicationPad1d,
  ReplicationPad2d,
  ReplicationPad3d,
  ZeroPad1d,
  ZeroPad2d,
  ZeroPad3d,
  type Ends,
  type Faces,
  type Sides,
} from './padding.ts'
export { Parameter } from './parameter.ts'
export * from './pooling.ts'
export { GRU, LSTM, type RecurrentOptions, RNN, type SequenceOptions } from './recurrent.ts'
export { spectralNorm, weightNorm } from './reparametrize.ts'
export { PixelShuffle, PixelUnshuffle, Upsample } from './resize.ts'
export type { LoadResult } from './state.ts'
export { type InputShape, Summary, type SummaryOptions, type SummaryRow } from './summary.ts'
export * from './transformer.ts'
export { AvgPool3d, Conv3d, type Conv3dOptions, MaxPool3d } from './volume.ts'
export { ChannelShuffle, Fold, Unfold } from './windows.ts'
