/** Learning rates that change from step to step. */
export { CosineAnnealingLR, CosineAnnealingWarmRestarts } from './cosine.ts'
export { CyclicLR, type CyclicOptions, OneCycleLR, type OneCycleOptions } from './cycle.ts'
export { ExponentialLR, LambdaLR, MultiStepLR, PolynomialLR, StepLR } from './decay.ts'
export { type PlateauOptions, type PlateauState, ReduceLROnPlateau } from './plateau.ts'
export { type PerGroup, Schedule, type Scheduled, type ScheduledGroup } from './schedule.ts'
export { SequentialLR } from './sequential.ts'
export { ConstantLR, LinearLR, WarmupExponential, WarmupInverseSqrt } from './warmup.ts'
