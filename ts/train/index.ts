/** Training and using models as a whole. */
export { Accuracy, MeanLoss, type Metric } from '../metrics/index.ts'
export { defineModel, load, loadWeights, save, saveWeights } from '../formats/index.ts'
export { loadHistory } from './checkpoint.ts'
export { Ema } from './ema.ts'
export { evaluate, predict } from './evaluate.ts'
export type {
  Batches,
  CheckpointOptions,
  EpochRecord,
  Figures,
  History,
  Model,
  Optimizes,
  Schedules,
  TrainEvent,
  TrainOptions,
} from './events.ts'
export { type Callback, fit, type FitOptions, type RunContext } from './fit.ts'
export { train } from './loop.ts'
export { Progress, progress, type Screen } from './progress.ts'
export {
  judge,
  type JudgeOptions,
  type Judgement,
  type Mistake,
  report,
  type ReportedRun,
  type ReportOptions,
  type StepRecord,
  writeReport,
} from './report/index.ts'
export { tensorBoard, TensorBoardWriter } from './tensorboard.ts'
