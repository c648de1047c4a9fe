/** Tensors, weights and models in files. */
export { loadIdx, loadNpy, saveNpy } from './arrays.ts'
export {
  defineModel,
  type Json,
  load,
  type LoadedModel,
  type ModelDefinition,
  type ModelNotes,
  save,
} from './models.ts'
export { loadWeights, saveWeights } from './weights.ts'
