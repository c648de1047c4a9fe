/** Learning rates that rise and fall, with the momentum moving the other way. */
import { ArgumentError, refuse } from '../../native/errors.ts'
import {
  checkMoved,
  number,
  type PerGroup,
  perGroup,
  Schedule,
  type Scheduled,
  type ScheduledGroup,
  setMomentum,
  whole,
} from './schedule.ts'

/** Options of {@link OneCycleLR}. */
export interface OneCycleOptions {
  /** The highest learning rate, for all groups or for each. */
  maxLr: PerGroup
  /** Steps of the whole cycle. */
  totalSteps: number
  /** Share of the steps in which the learning rate rises. Default 0.3. */
  pctStart?: number
  anneal?: 'cos' | 'linear'
  /** The first learning rate is maxLr / divFactor. Default 25. */
  divFactor?: number
  /** The last learning rate is the first / finalDivFactor. Default 1e4. */
  finalDivFactor?: number
  /** Whether it falls as steeply as it rose and then goes on to the last learning rate. Default false. */
  threePhase?: boolean
  /** Whether momentum (or β₁) moves the other way. Default true. */
  cycleMomentum?: boolean
  /** Default 0.85. */
  baseMomentum?: number
  /** Default 0.95. */
  maxMomentum?: number
}

/** A stretch of the cycle: its last step, and learning rate (by name) and momentum at both ends. */
interface Phase {
  end: number
  lr: readonly [from: 'first' | 'max' | 'last', to: 'first' | 'max' | 'last']
  momentum: readonly [from: number, to: number]
}

/**
 * One rise and one fall of the learning rate, as PyTorch's OneCycleLR: cosine from maxLr / divFactor to maxLr and down
 * to maxLr / divFactor / finalDivFactor. Smith and Topin 2018, https://arxiv.org/abs/1708.07120
 */
export class OneCycleLR extends Schedule {
  readonly #options: Required<OneCycleOptions>
  readonly #maxLrs: readonly number[]
  readonly #phases: readonly Phase[]

  constructor(optimizer: Scheduled, options: OneCycleOptions) {
    super(optimizer)
    const op = 'OneCycleLR'
    const defaults = { pctStart: 0.3, anneal: 'cos', divFactor: 25, finalDivFactor: 1e4, threePhase: false } as const
    const momenta = { cycleMomentum: true, baseMomentum: 0.85, maxMomentum: 0.95 }
    this.#options = { ...defaults, ...momenta, ...options }
    const { maxLr, totalSteps, pctStart, anneal, threePhase, cycleMomentum, baseMomentum, maxMomentum } = this.#options
    whole(op, 'totalSteps', totalSteps)
    this.#maxLrs = perGroup(op, 'maxLr', maxLr, optimizer)
    number(op, 'pctStart', pctStart, 0, 1)
    if (anneal !== 'cos' && anneal !== 'linear') refuse(op, 'anneal', 'cos or linear', anneal)
    if (cycleMomentum) checkMoved(op, optimizer)
    const [low, high] = [baseMomentum, maxMomentum]
    const top = pctStart * totalSteps - 1
    const rise: Phase = { end: top, lr: ['first', 'max'], momentum: [high, low] }
    const fall: Phase = { end: 2 * top, lr: ['max', 'first'], momentum: [low, high] }
    const tail: Phase = { end: totalSteps - 1, lr: ['first', 'last'], momentum: [high, high] }
    this.#phases = threePhase ? [rise, fall, tail] : [rise, { ...fall, end: totalSteps - 1, lr: ['max', 'last'] }]
    this._apply(0)
  }

  /** Between `from` and `to`, `share` of the way. */
  #between([from, to]: readonly [number, number], share: number): number {
    if (this.#options.anneal === 'linear') return from + (to - from) * share
    return to + ((from - to) / 2) * (1 + Math.cos(Math.PI * share))
  }

  override _set(group: ScheduledGroup, _initial: number, step: number, index: number): void {
    const { totalSteps, divFactor, finalDivFactor, cycleMomentum } = this.#options
    if (step > totalSteps) {
      throw new ArgumentError(`OneCycleLR: step ${step} is past the end of the cycle, totalSteps is ${totalSteps}`, {
        op: 'OneCycleLR',
        argument: 'totalSteps',
        expected: `at most step ${totalSteps}`,
        received: `${step}`,
      })
    }
    const reached = this.#phases.findIndex(({ end }) => step <= end)
    const at = reached < 0 ? this.#phases.length - 1 : reached
    const { end, lr, momentum } = this.#phases[at]!
    const start = at === 0 ? 0 : this.#phases[at - 1]!.end
    const share = end === start ? 1 : (step - start) / (end - start)
    const max = this.#maxLrs[index]!
    const rates = { max, first: max / divFactor, last: max / divFactor / finalDivFactor }
    group.lr = this.#between([rates[lr[0]], rates[lr[1]]], share)
    if (cycleMomentum) setMomentum(group, this.#between(momentum, share))
  }
}

/** Options of {@link CyclicLR}. */
export interface CyclicOptions {
  /** The lowest learning rate, for all groups or for each. */
  baseLr: PerGroup
  /** The highest learning rate of the first cycle. */
  maxLr: PerGroup
  /** Steps of the rise. Default 2000. */
  stepSizeUp?: number
  /** Steps of the fall; those of the rise where left out. */
  stepSizeDown?: number | null
  /**
   * How the height changes: not at all, halved in each cycle (triangular2), or by gamma in each step (expRange).
   * Default triangular.
   */
  mode?: 'triangular' | 'triangular2' | 'expRange'
  /** Default 1. */
  gamma?: number
  /** Whether momentum (or β₁) moves the other way. Default true. */
  cycleMomentum?: boolean
  /** Default 0.8. */
  baseMomentum?: number
  /** Default 0.9. */
  maxMomentum?: number
}

const MODES = ['triangular', 'triangular2', 'expRange'] as const

/** Up and down between two learning rates, again and again. Smith 2017, https://arxiv.org/abs/1506.01186 */
export class CyclicLR extends Schedule {
  readonly #options: Required<CyclicOptions>
  readonly #baseLrs: readonly number[]
  readonly #maxLrs: readonly number[]

  constructor(optimizer: Scheduled, options: CyclicOptions) {
    super(optimizer)
    const op = 'CyclicLR'
    const defaults = { stepSizeUp: 2000, stepSizeDown: null, mode: 'triangular', gamma: 1 } as const
    const momenta = { cycleMomentum: true, baseMomentum: 0.8, maxMomentum: 0.9 }
    this.#options = { ...defaults, ...momenta, ...options }
    const { baseLr, maxLr, stepSizeUp, stepSizeDown, mode, gamma, cycleMomentum } = this.#options
    this.#baseLrs = perGroup(op, 'baseLr', baseLr, optimizer)
    this.#maxLrs = perGroup(op, 'maxLr', maxLr, optimizer)
    whole(op, 'stepSizeUp', stepSizeUp)
    if (stepSizeDown !== null) whole(op, 'stepSizeDown', stepSizeDown)
    if (!MODES.includes(mode)) refuse(op, 'mode', MODES.join(', '), mode)
    number(op, 'gamma', gamma)
    if (cycleMomentum) checkMoved(op, optimizer)
    this._apply(0)
  }

  override _set(group: ScheduledGroup, _initial: number, step: number, index: number): void {
    const { stepSizeUp, stepSizeDown, mode, gamma, cycleMomentum, baseMomentum, maxMomentum } = this.#options
    const total = stepSizeUp + (stepSizeDown ?? stepSizeUp)
    const cycle = Math.floor(step / total)
    const [x, top] = [step / total - cycle, stepSizeUp / total]
    const height = x <= top ? x / top : (x - 1) / (top - 1)
    const scale = mode === 'triangular' ? 1 : mode === 'triangular2' ? 2 ** -cycle : gamma ** step
    const base = this.#baseLrs[index]!
    group.lr = base + (this.#maxLrs[index]! - base) * height * scale
    if (cycleMomentum) setMomentum(group, maxMomentum - (maxMomentum - baseMomentum) * height * scale)
  }
}
