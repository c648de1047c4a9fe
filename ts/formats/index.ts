/** Tensors, weights and models in files. */
// oxlint-disable-next-line import/no-unassigned-import -- tensors made here need their class to be loaded
import '../tensor/index.ts'
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
