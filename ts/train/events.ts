/** What a training run is given and what it tells. */
import type { LoaderState } from '../data/loader.ts'
import type { Metric } from '../metrics/index.ts'
import type { Device } from '../native/types.ts'
import type { Module } from '../nn/module.ts'
import type { Parameter } from '../nn/parameter.ts'
import type { OptimizerState } from '../optim/optimizer.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Ema } from './ema.ts'

/** Batches [inputs, targets, ...]; each pass over it is an epoch. A `DataLoader` also knows its length and position. */
export type Batches = (AsyncIterable<readonly Tensor[]> | Iterable<readonly Tensor[]>) & {
  readonly length?: number
  /** Where it is, as plain data. */
  stateDict?(): LoaderState
  /** Goes on from there. */
  loadStateDict?(state: LoaderState): void
}

/** A model that maps a batch of inputs to outputs. */
export type Model = Module<[Tensor], Tensor>

/** Any of the library's optimizers. */
export interface Optimizes {
  readonly groups: readonly { lr: number; parameters: Parameter[] }[]
  /** One step along the gradients. */
  step(): Promise<void>
  /** Forgets the gradients. */
  zeroGrad(): void
  /** All that the next step depends on beside weights and gradients. */
  stateDict(): OptimizerState
  /** Goes on from there. */
  loadStateDict(state: OptimizerState): void
}

/** Any of the library's schedules; one that reacts to a figure is given the monitored one. */
export interface Schedules {
  /** Sets the learning rates for the next step. */
  step(figure: number): void
  /** Where it is, as plain data. */
  stateDict(): object
  /** Goes on from there. */
  loadStateDict(state: never): void
}

/** Options of {@link train} and {@link fit}. */
export interface TrainOptions {
  /** The mean loss of a batch. */
  loss: (output: Tensor, target: Tensor) => Tensor
  optimizer: Optimizes
  epochs: number
  schedule?: Schedules
  /** When the schedule moves. Default 'step'; schedules that react to a figure need 'epoch'. */
  scheduleEvery?: 'step' | 'epoch'
  /** Batches that are not trained on; judged after each epoch. */
  validation?: Batches
  /** Figures beside the loss, of training and of validation. */
  metrics?: Record<string, Metric>
  /** The figure that says which epoch is the best: 'loss' (the default) or a metric's name; of validation if there is one. */
  monitor?: string
  /** Whether that figure should fall or rise. Default 'min' for the loss, 'max' for metrics. */
  mode?: 'min' | 'max'
  /** Limits gradients before each step: their norm as one vector, or each element. */
  clip?: { norm?: number; value?: number }
  /** Batches whose gradients make one step. Default 1. */
  accumulate?: number
  /** Averaged weights that are updated after each step and judged in place of the model's own. */
  ema?: Ema
  /** Ends the run after `patience` epochs that were not better by more than `minDelta`; the best weights are put back. */
  earlyStopping?: { patience: number; minDelta?: number }
  /** Writes `last.safetensors` after each epoch and `best.safetensors` after those that were the best so far. */
  checkpoint?: CheckpointOptions
  /** Ends the run: it rejects with the signal's reason within 100 ms, and the step that is running completes. */
  signal?: AbortSignal
}

/** Where and when checkpoints are written. */
export interface CheckpointOptions {
  dir: string
  /** Goes on from `last.safetensors` where there is one, to the same bits as a run without a stop. Default false. */
  resume?: boolean
  /** Also writes `last.safetensors` after so many steps. */
  everySteps?: number
}

/** Figures by name; the loss is called `loss`. */
export type Figures = Readonly<Record<string, number>>

/** One finished epoch. */
export interface EpochRecord {
  epoch: number
  /** Means over the epoch's batches while the weights moved. */
  training: Figures
  validation: Figures | null
  /** Learning rate of the first group at the end. */
  lr: number
  /** Of training alone. */
  seconds: number
  /** Items trained on. */
  items: number
}

/** A whole run. */
export interface History {
  epochs: EpochRecord[]
  /** The best epoch by the monitored figure. */
  best: { epoch: number; value: number } | null
  stopped: 'epochs' | 'early'
}

/** What happens in a run, in the order in which it happens. */
export type TrainEvent =
  | {
      type: 'start'
      epochs: number
      /** The first epoch of this run, above 1 where it was resumed. */
      epoch: number
      /** Batches in an epoch, where the loader knows. */
      steps: number | null
      parameters: number
      device: Device
    }
  | {
      type: 'step'
      epoch: number
      /** From 1 on in each epoch, counting batches. */
      step: number
      steps: number | null
      /** Of this batch. */
      loss: number
      /** Mean over the epoch so far. */
      meanLoss: number
      lr: number
      /** Items of the epoch so far. */
      items: number
      seconds: number
    }
  | { type: 'validation'; epoch: number; figures: Figures; seconds: number }
  | ({ type: 'epoch'; epochs: number; isBest: boolean } & EpochRecord)
  | { type: 'checkpoint'; kind: 'last' | 'best'; epoch: number; file: string }
  | { type: 'end'; history: History }

/** The number of a step in the whole run, from 1 on; `before` is that of the one before it, for loaders without a length. */
export function globalStep(event: TrainEvent & { type: 'step' }, before: number): number {
  return event.steps === null ? before + 1 : (event.epoch - 1) * event.steps + event.step
}
