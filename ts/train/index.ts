/** Training and using models as a whole. */
export { Accuracy, MeanLoss, type Metric } from '../metrics/index.ts'
export { evaluate, predict } from './evaluate.ts'
export { defineModel, load, loadWeights, save, saveWeights } from '../formats/index.ts'
