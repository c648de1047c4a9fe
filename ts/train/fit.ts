/** Training as one call. */
import { refuse } from '../native/errors.ts'
import type { Batches, History, Model, TrainEvent, TrainOptions } from './events.ts'
import { train } from './loop.ts'

/** What callbacks see beside the event. */
export interface RunContext {
  model: Model
  loader: Batches
  options: FitOptions
}

/** Is told every event and awaited; what it throws ends the run. */
export type Callback = (event: TrainEvent, run: RunContext) => void | Promise<void>

/** Options of {@link fit}. */
export interface FitOptions extends TrainOptions {
  /** Such as {@link progress}, {@link tensorBoard} and {@link report}. */
  callbacks?: readonly Callback[]
}

/**
 * Trains `model` on the batches [inputs, targets] of `loader`; see {@link train} for the same as a loop over events.
 *
 *     const history = await fit(model, loader, { loss: F.crossEntropy, optimizer, epochs: 3, callbacks: [progress()] })
 */
export async function fit(model: Model, loader: Batches, options: FitOptions): Promise<History> {
  const { callbacks = [] } = options ?? {}
  callbacks.forEach((callback: unknown, i) => {
    if (typeof callback !== 'function') refuse('fit', `callbacks[${i}]`, 'a function', callback)
  })
  const events = train(model, loader, options)
  const run = { model, loader, options }
  try {
    for (;;) {
      const next = await events.next()
      if (next.done) return next.value
      for (const callback of callbacks) await callback(next.value, run)
    }
  } finally {
    await events.return(undefined as never)
  }
}
