import { refuse } from '../../native/errors.ts'
import { checkScheduled, number, type PerGroup, perGroup, type Scheduled, whole } from './schedule.ts'

/** Options of {@link ReduceLROnPlateau}. */
export interface PlateauOptions {
  /** Whether the figure should fall or rise. Default min. */
  mode?: 'min' | 'max'
  /** What the learning rate is multiplied by, below 1. Default 0.1. */
  factor?: number
  /** Calls without improvement that are borne. Default 10. */
  patience?: number
  /** How much better than the best counts as better. Default 1e-4. */
  threshold?: number
  /** Whether the threshold is a share of the best (rel) or a difference (abs). Default rel. */
  thresholdMode?: 'rel' | 'abs'
  /** Calls after a reduction that count for nothing. Default 0. */
  cooldown?: number
  /** Lowest learning rate, for all groups or for each. Default 0. */
  minLr?: PerGroup
  /** Smallest change of a learning rate that is made. Default 1e-8. */
  eps?: number
}

/** Where a {@link ReduceLROnPlateau} is, as plain data. */
export interface PlateauState {
  /** How often step was called. */
  lastStep: number
  /** The best figure so far; null before the first. */
  best: number | null
  badSteps: number
  cooldown: number
}

/** Lowers the learning rate when a figure, given to {@link step}, has stopped getting better; as PyTorch's. */
export class ReduceLROnPlateau {
  readonly #options: Required<PlateauOptions>
  readonly #minLrs: readonly number[]
  #state: PlateauState = { lastStep: 0, best: null, badSteps: 0, cooldown: 0 }

  constructor(
    readonly optimizer: Scheduled,
    options: PlateauOptions = {},
  ) {
    const op = 'ReduceLROnPlateau'
    checkScheduled(optimizer, op)
    const limits = { threshold: 1e-4, thresholdMode: 'rel', cooldown: 0, minLr: 0, eps: 1e-8 } as const
    this.#options = { mode: 'min', factor: 0.1, patience: 10, ...limits, ...options }
    const { mode, factor, patience, threshold, thresholdMode, cooldown, minLr, eps } = this.#options
    if (mode !== 'min' && mode !== 'max') refuse(op, 'mode', 'min or max', mode)
    if (thresholdMode !== 'rel' && thresholdMode !== 'abs') refuse(op, 'thresholdMode', 'rel or abs', thresholdMode)
    if (!(factor >= 0 && factor < 1)) refuse(op, 'factor', 'a number from 0 to below 1', factor)
    whole(op, 'patience', patience, 0)
    number(op, 'threshold', threshold)
    whole(op, 'cooldown', cooldown, 0)
    number(op, 'eps', eps, 0)
    this.#minLrs = perGroup(op, 'minLr', minLr, optimizer)
  }

  /** How often {@link step} was called. */
  get lastStep(): number {
    return this.#state.lastStep
  }

  #isBetter(figure: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options
    const { best } = this.#state
    const [sign, margin] = mode === 'min' ? [-1, -threshold] : [1, threshold]
    if (best === null) return sign * figure > -Infinity
    return sign * figure > sign * (thresholdMode === 'rel' ? best * (1 + margin) : best + margin)
  }

  /** Takes the figure of an epoch. NaN is never better. */
  step(figure: number): void {
    if (typeof figure !== 'number') refuse('ReduceLROnPlateau', 'figure', 'a number', figure)
    const { patience, cooldown } = this.#options
    const state = this.#state
    state.lastStep++
    if (this.#isBetter(figure)) {
      state.best = figure
      state.badSteps = 0
    } else {
      state.badSteps++
    }
    if (state.cooldown > 0) {
      state.cooldown--
      state.badSteps = 0
    }
    if (state.badSteps <= patience) return
    this.#reduce()
    state.cooldown = cooldown
    state.badSteps = 0
  }

  #reduce(): void {
    const { factor, eps } = this.#options
    this.optimizer.groups.forEach((group, i) => {
      const lr = Math.max(group.lr * factor, this.#minLrs[i] ?? 0)
      if (group.lr - lr > eps) group.lr = lr
    })
  }

  /** What it has seen; the learning rates themselves are in the optimizer's state. */
  stateDict(): PlateauState {
    return { ...this.#state }
  }

  /** Goes on from what {@link stateDict} gave. */
  loadStateDict(dict: PlateauState): void {
    const op = 'ReduceLROnPlateau'
    const { best } = dict
    if (best !== null && typeof best !== 'number') refuse(op, 'best', 'a number or null', best)
    this.#state = {
      lastStep: whole(op, 'lastStep', dict.lastStep, 0),
      best,
      badSteps: whole(op, 'badSteps', dict.badSteps, 0),
      cooldown: whole(op, 'cooldown', dict.cooldown, 0),
    }
  }
}
