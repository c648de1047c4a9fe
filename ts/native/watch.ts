/** What looks on while ops are recorded: detectAnomaly, one layer above. */
import type { Tensor } from '../tensor/tensor.ts'
import type { TensorLike } from './write.ts'

export interface Watcher {
  /** Called for each input, whose numbers go to `at`; what it returns takes the input's place. */
  input(x: TensorLike, at: number, op: string, name: string): TensorLike
  /** Called with the outputs of an op that was recorded. */
  recorded(outputs: readonly Tensor[]): void
}

/** Whoever looks on now. */
export const watching: { now: Watcher | null } = { now: null }

/** Where in a model calls are being made, '' outside; told by the layer of modules. */
export const location: { path: () => string } = { path: () => '' }
