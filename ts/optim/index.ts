/** Optimizers and learning rates. */
export { Adagrad, type AdagradOptions } from './adagrad.ts'
export { Adam, type AdamOptions, AdamW } from './adam.ts'
export { clipGradNorm, clipGradValue } from './clip.ts'
export {
  Optimizer,
  type OptimizerOptions,
  type OptimizerState,
  type ParameterGroup,
  type ParameterState,
  type Target,
} from './optimizer.ts'
export { elasticNet, l1Penalty, l2Penalty, penalty, type PenaltyGroup } from './penalty.ts'
export { RMSprop, type RMSpropOptions } from './rmsprop.ts'
export * from './schedule/index.ts'
export { SGD, type SGDOptions } from './sgd.ts'
export { LAMB, type LAMBOptions, LARS, type LARSOptions } from './trust.ts'
