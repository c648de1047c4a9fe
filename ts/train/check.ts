/** What a run is given, checked before anything is computed. */
import { refuse } from '../native/errors.ts'
import { isModule } from '../nn/module.ts'
import type { Batches, Model, TrainOptions } from './events.ts'

/** Throws an ArgumentError for the first option that is not what it must be. */
export function checkRun(model: Model, loader: Batches, options: TrainOptions): void {
  const op = 'train'
  if (!isModule(model)) refuse(op, 'model', 'a Module', model)
  const iterable = (value: unknown) =>
    typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value)
  if (!iterable(loader)) refuse(op, 'loader', 'a DataLoader or batches', loader)
  if (typeof options !== 'object' || options === null) refuse(op, 'options', 'an object', options)
  const { loss, optimizer, epochs, validation, monitor = 'loss', mode, clip, accumulate = 1 } = options
  const { scheduleEvery = 'step', earlyStopping, checkpoint, metrics = {}, schedule } = options
  if (typeof loss !== 'function') refuse(op, 'loss', 'a function of output and target', loss)
  if (typeof optimizer?.step !== 'function') refuse(op, 'optimizer', 'an optimizer', optimizer)
  const whole = (name: string, value: number, from: number) => {
    if (!Number.isSafeInteger(value) || value < from) refuse(op, name, `a whole number from ${from} on`, value)
  }
  whole('epochs', epochs, 0)
  whole('accumulate', accumulate, 1)
  if (validation !== undefined && !iterable(validation)) refuse(op, 'validation', 'a DataLoader or batches', validation)
  if (schedule !== undefined && typeof schedule?.step !== 'function') refuse(op, 'schedule', 'a schedule', schedule)
  if (scheduleEvery !== 'step' && scheduleEvery !== 'epoch') {
    refuse(op, 'scheduleEvery', "'step' or 'epoch'", scheduleEvery)
  }
  if (scheduleEvery === 'step' && schedule !== undefined && schedule.step.length > 0) {
    refuse(op, 'scheduleEvery', "'epoch' for a schedule that reacts to a figure", scheduleEvery)
  }
  if ('loss' in metrics) refuse(op, 'metrics', 'names other than loss', 'loss')
  if (monitor !== 'loss' && !(monitor in metrics)) {
    refuse(op, 'monitor', ['loss', ...Object.keys(metrics)].join(' or '), monitor)
  }
  if (mode !== undefined && mode !== 'min' && mode !== 'max') refuse(op, 'mode', "'min' or 'max'", mode)
  for (const name of ['norm', 'value'] as const) {
    const limit = clip?.[name]
    if (limit !== undefined && !(limit > 0)) refuse(op, `clip.${name}`, 'a number above 0', limit)
  }
  if (earlyStopping) {
    whole('earlyStopping.patience', earlyStopping.patience, 1)
    const { minDelta = 0 } = earlyStopping
    if (!(minDelta >= 0)) refuse(op, 'earlyStopping.minDelta', 'a number from 0 on', minDelta)
  }
  if (checkpoint?.everySteps !== undefined) {
    whole('checkpoint.everySteps', checkpoint.everySteps, 1)
    const needed = (name: string, what: string, value: unknown) =>
      refuse(op, name, `a ${what} (stateDict) for checkpoint.everySteps`, value)
    if (!loader.stateDict) needed('loader', 'loader with a position', loader)
    for (const [name, metric] of Object.entries(metrics)) {
      if (!metric.stateDict || !metric.loadStateDict) needed(`metrics.${name}`, 'metric with a state', metric)
    }
  }
}
