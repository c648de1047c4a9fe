/** Runs in files: everything that the next step depends on, in one safetensors file that is replaced as a whole. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { LoaderState } from '../data/loader.ts'
import { loadTensors, saveTensors } from '../formats/tensors.ts'
import type { Metric } from '../metrics/index.ts'
import { native } from '../native/addon.ts'
import { DataError, FormatError, refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import type { OptimizerState } from '../optim/optimizer.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Batches, EpochRecord, History, Model, Optimizes, TrainOptions } from './events.ts'

/** Where a run is, as plain data. */
export interface Progress {
  /** The epoch in progress, or the next one where none is. */
  epoch: number
  /** Batches of it that are done; 0 between epochs. */
  step: number
  /** Sum of losses times items, and items, of the epoch in progress. */
  lossSum: number
  items: number
  /** Seconds of training of the epoch in progress. */
  seconds: number
  epochs: EpochRecord[]
  best: { epoch: number; value: number } | null
  /** Epochs since the best one that count for early stopping. */
  bad: number
}

interface Stored {
  version: number
  progress: Progress
  loader: LoaderState | null
  /** Names of those that count an epoch in progress. */
  metrics?: string[]
  random: number[]
  schedule: object | null
  optimizer: { state: Record<string, Record<string, number>>; groups: OptimizerState['groups'] }
}

const VERSION = 1
const KEY = 'fovea.run'

/** JSON has no NaN and no infinities, and losses may become such. */
const toJson = (value: unknown) =>
  JSON.stringify(value, (_, v: unknown) => {
    return typeof v === 'number' && !Number.isFinite(v) ? { $number: String(v) } : v
  })
const fromJson = (text: string): unknown =>
  JSON.parse(text, (_, v: unknown) => {
    const special = (v as { $number?: string } | null)?.$number
    return typeof special === 'string' ? Number(special) : v
  })

const prefixed = (prefix: string, dict: Readonly<Record<string, Tensor>>) =>
  Object.entries(dict).map(([name, value]) => [`${prefix}.${name}`, value] as const)

function within(prefix: string, tensors: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  const own = Object.entries(tensors).filter(([name]) => name.startsWith(`${prefix}.`))
  return Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length + 1), value]))
}

/** The file that a run goes on from. */
export function lastFile(dir: string): string {
  if (typeof dir !== 'string' || dir === '') refuse('train', 'checkpoint.dir', 'a path', dir)
  return join(resolve(dir), 'last.safetensors')
}

/** The file of the best epoch. */
export function bestFile(dir: string): string {
  return join(resolve(dir), 'best.safetensors')
}

/** What a file says of the run it was written by. */
function storedIn(op: string, file: string, metadata: Readonly<Record<string, string>>): Stored {
  const text = metadata[KEY]
  if (text === undefined) {
    throw new FormatError(`${op}: ${file} holds weights, but no run to go on with`, {
      op,
      argument: 'checkpoint',
      expected: 'a checkpoint that train or fit wrote',
    })
  }
  const stored = fromJson(text) as Stored
  if (stored.version === VERSION) return stored
  throw new FormatError(`${op}: ${file} is a checkpoint of version ${stored.version}, expected ${VERSION}`, {
    op,
    argument: 'checkpoint',
    expected: String(VERSION),
    received: String(stored.version),
  })
}

/**
 * The epochs so far of the run that a checkpoint belongs to. Throws a DataError where the file can't be read, a
 * FormatError where it is no checkpoint.
 */
export async function loadHistory(file: string): Promise<History> {
  if (typeof file !== 'string' || file === '') refuse('loadHistory', 'file', 'a path', file)
  const { metadata } = await loadTensors(resolve(file), 'safetensors')
  const { epochs, best } = storedIn('loadHistory', file, metadata).progress
  return { epochs, best, stopped: 'epochs' }
}

export class Checkpoint {
  readonly #model: Model
  readonly #loader: Batches
  readonly #options: TrainOptions

  constructor(model: Model, loader: Batches, options: TrainOptions) {
    this.#model = model
    this.#loader = loader
    this.#options = options
  }

  #metrics(): [name: string, metric: Metric][] {
    return Object.entries(this.#options.metrics ?? {})
  }

  /** Writes the run as it is. The file holds the model under `model.`, averages under `ema.`, counts under `metrics.`. */
  async save(file: string, progress: Progress): Promise<void> {
    const { optimizer, schedule, ema } = this.#options
    const { state, groups } = optimizer.stateDict()
    const moments: [string, Tensor][] = []
    const scalars: Record<string, Record<string, number>> = {}
    for (const [i, entries] of Object.entries(state)) {
      scalars[i] = {}
      for (const [name, value] of Object.entries(entries)) {
        if (isTensor(value)) moments.push([`${i}.${name}`, value])
        else scalars[i][name] = value as number
      }
    }
    const counted = progress.step > 0 ? this.#metrics() : []
    const stored: Stored = {
      version: VERSION,
      progress,
      loader: this.#loader.stateDict?.() ?? null,
      metrics: counted.map(([name]) => name),
      random: native.randomState(),
      schedule: schedule?.stateDict() ?? null,
      optimizer: { state: scalars, groups },
    }
    const tensors = Object.fromEntries([
      ...prefixed('model', this.#model.stateDict()),
      ...prefixed('optimizer', Object.fromEntries(moments)),
      ...(ema ? prefixed('ema', ema.stateDict()) : []),
      ...counted.flatMap(([name, metric]) => prefixed(`metrics.${name}`, metric.stateDict?.() ?? {})),
    ])
    await saveTensors('train', { path: file, format: 'safetensors' }, tensors, { [KEY]: toJson(stored) })
  }

  /** Takes over what {@link save} wrote; null where there is no file. */
  async load(file: string): Promise<Progress | null> {
    if (!existsSync(file)) return null
    const { tensors, metadata } = await loadTensors(file, 'safetensors')
    const stored = storedIn('train', file, metadata)
    const { optimizer, schedule, ema } = this.#options
    if ((stored.schedule === null) !== (schedule === undefined)) {
      throw new DataError(`train: ${file} was written ${stored.schedule ? 'with' : 'without'} a schedule`, {
        op: 'train',
        argument: 'schedule',
        expected: stored.schedule ? 'a schedule' : 'no schedule',
      })
    }
    for (const [name, metric] of stored.progress.step > 0 ? this.#metrics() : []) {
      if (!stored.metrics?.includes(name)) {
        throw new DataError(`train: ${file} was written in the middle of an epoch without the metric ${name}`, {
          op: 'train',
          argument: 'metrics',
          expected: stored.metrics?.join(', ') || 'no metrics',
          received: name,
        })
      }
      metric.reset()
      metric.loadStateDict?.(within(`metrics.${name}`, tensors))
    }
    this.#model.loadStateDict(within('model', tensors))
    const state: OptimizerState['state'] = {}
    for (const [i, scalars] of Object.entries(stored.optimizer.state)) {
      const own = optimizer.groups.flatMap((group) => group.parameters)[Number(i)]
      const moments = Object.entries(within(`optimizer.${i}`, tensors)).map(([name, value]) => {
        return [name, own && value.device !== own.device ? value.to(own.device) : value] as const
      })
      state[Number(i)] = { ...scalars, ...Object.fromEntries(moments) }
    }
    optimizer.loadStateDict({ state, groups: stored.optimizer.groups })
    schedule?.loadStateDict(stored.schedule as never)
    // A schedule sets learning rates up anew; the ones that were in use are the groups'.
    restoreGroups(optimizer, stored.optimizer.groups)
    ema?.loadStateDict(within('ema', tensors))
    if (stored.loader) this.#loader.loadStateDict?.(stored.loader)
    native.setRandomState(stored.random[0]!, stored.random[1]!)
    return stored.progress
  }
}

function restoreGroups(optimizer: Optimizes, groups: OptimizerState['groups']): void {
  groups.forEach(({ parameters: _, ...options }, i) => Object.assign(optimizer.groups[i]!, options))
}

/** The weights that an epoch was judged by: the model's with its averages in place; null where there is no file. */
export async function judgedWeights(file: string): Promise<Record<string, Tensor> | null> {
  if (!existsSync(file)) return null
  const { tensors } = await loadTensors(file, 'safetensors')
  return { ...within('model', tensors), ...within('ema', tensors) }
}
