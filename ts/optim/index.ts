/** Optimizers and learning rates. */
export { Adam, type AdamOptions, AdamW } from './adam.ts'
export { clipGradNorm, clipGradValue } from './clip.ts'
export { Optimizer, type OptimizerState, type ParameterGroup, type ParameterState, type Target } from './optimizer.ts'
export { CosineAnnealingLR, OneCycleLR, type OneCycleOptions, Schedule, StepLR } from './schedule.ts'
export { SGD, type SGDOptions } from './sgd.ts'
