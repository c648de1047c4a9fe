/** Losses as functions. */
export {
  bceLoss,
  type BceOptions,
  bceWithLogits,
  multiLabelSoftMarginLoss,
  sigmoidFocalLoss,
  type SigmoidFocalOptions,
  softMarginLoss,
} from './binary.ts'
export {
  crossEntropy,
  type CrossEntropyOptions,
  focalLoss,
  type FocalOptions,
  hingeLoss,
  multiMarginLoss,
  type MultiMarginOptions,
  nllLoss,
  type NllOptions,
} from './classes.ts'
export {
  cdist,
  contrastiveLoss,
  cosineEmbeddingLoss,
  cosineSimilarity,
  type DistanceOptions,
  hingeEmbeddingLoss,
  type MarginOptions,
  marginRankingLoss,
  normalize,
  pairwiseDistance,
  tripletMarginLoss,
  type TripletOptions,
} from './distance.ts'
export type { LossOptions, Reduction } from './reduction.ts'
export {
  gaussianNLLLoss,
  type GaussianOptions,
  huberLoss,
  klDiv,
  type KlOptions,
  l1Loss,
  mseLoss,
  poissonNLLLoss,
  type PoissonOptions,
  smoothL1Loss,
} from './regression.ts'
