/** Learning rates that change from step to step. */
import { ArgumentError, refuse } from '../native/errors.ts'

/** What a schedule moves: the learning rate and, for one-cycle schedules, the momentum. */
export interface ScheduledGroup {
  lr: number
  momentum?: number
  betas?: readonly [number, number]
}

export interface Scheduled {
  readonly groups: readonly ScheduledGroup[]
}

/** Sets the learning rate of every group as a function of how often {@link step} was called. */
export abstract class Schedule {
  /** How often {@link step} was called. */
  lastStep = 0
  /** The learning rates that the groups began with. */
  readonly #initial: readonly number[]

  constructor(readonly optimizer: Scheduled) {
    if (typeof optimizer !== 'object' || optimizer === null || !Array.isArray(optimizer.groups)) {
      refuse(new.target.name, 'optimizer', 'an optimizer', optimizer)
    }
    this.#initial = optimizer.groups.map((group) => group.lr)
  }

  /** @internal Sets one group up for step number `step`, from the learning rate it began with. */
  abstract _set(group: ScheduledGroup, initial: number, step: number): void

  /** Sets the groups up for the next step; call it after the optimizer's step. */
  step(): void {
    this.lastStep++
    this._apply()
  }

  /** @internal */
  _apply(): void {
    this.optimizer.groups.forEach((group, i) => this._set(group, this.#initial[i]!, this.lastStep))
  }

  stateDict(): { lastStep: number } {
    return { lastStep: this.lastStep }
  }

  loadStateDict(dict: { lastStep: number }): void {
    const { lastStep } = dict
    if (!Number.isSafeInteger(lastStep) || lastStep < 0) {
      refuse(this.constructor.name, 'lastStep', 'a whole number from 0 on', lastStep)
    }
    this.lastStep = lastStep
    this._apply()
  }
}

function whole(op: string, name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) refuse(op, name, 'a whole number from 1 on', value)
}

/** lr · gamma^⌊step / stepSize⌋. */
export class StepLR extends Schedule {
  readonly stepSize: number
  readonly gamma: number

  constructor(optimizer: Scheduled, options: { stepSize: number; gamma?: number }) {
    super(optimizer)
    whole('StepLR', 'stepSize', options.stepSize)
    this.stepSize = options.stepSize
    this.gamma = options.gamma ?? 0.1
  }

  override _set(group: ScheduledGroup, initial: number, step: number): void {
    group.lr = initial * this.gamma ** Math.floor(step / this.stepSize)
  }
}

/** From lr to etaMin along a half cosine of tMax steps. Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983 */
export class CosineAnnealingLR extends Schedule {
  readonly tMax: number
  readonly etaMin: number

  constructor(optimizer: Scheduled, options: { tMax: number; etaMin?: number }) {
    super(optimizer)
    whole('CosineAnnealingLR', 'tMax', options.tMax)
    this.tMax = options.tMax
    this.etaMin = options.etaMin ?? 0
  }

  override _set(group: ScheduledGroup, initial: number, step: number): void {
    group.lr = this.etaMin + ((initial - this.etaMin) * (1 + Math.cos((Math.PI * step) / this.tMax))) / 2
  }
}

export interface OneCycleOptions {
  /** The highest learning rate. */
  maxLr: number
  /** Steps of the whole cycle. */
  totalSteps: number
  /** Share of the steps in which the learning rate rises. Default 0.3. */
  pctStart?: number
  anneal?: 'cos' | 'linear'
  /** The first learning rate is maxLr / divFactor. Default 25. */
  divFactor?: number
  /** The last learning rate is the first / finalDivFactor. Default 1e4. */
  finalDivFactor?: number
  /** Whether momentum (or β₁) moves the other way. Default true. */
  cycleMomentum?: boolean
  /** Default 0.85. */
  baseMomentum?: number
  /** Default 0.95. */
  maxMomentum?: number
}

/**
 * One rise and one fall of the learning rate, as PyTorch's OneCycleLR: cosine from maxLr / divFactor to maxLr and down
 * to maxLr / divFactor / finalDivFactor. Smith and Topin 2018, https://arxiv.org/abs/1708.07120
 */
export class OneCycleLR extends Schedule {
  readonly #options: Required<OneCycleOptions>

  constructor(optimizer: Scheduled, options: OneCycleOptions) {
    super(optimizer)
    const defaults = { pctStart: 0.3, anneal: 'cos', divFactor: 25, finalDivFactor: 1e4, cycleMomentum: true } as const
    this.#options = { ...defaults, baseMomentum: 0.85, maxMomentum: 0.95, ...options }
    const { maxLr, totalSteps, pctStart, anneal } = this.#options
    whole('OneCycleLR', 'totalSteps', totalSteps)
    if (!(maxLr > 0)) refuse('OneCycleLR', 'maxLr', 'a number above 0', maxLr)
    if (!(pctStart >= 0 && pctStart <= 1)) refuse('OneCycleLR', 'pctStart', 'a number from 0 to 1', pctStart)
    if (anneal !== 'cos' && anneal !== 'linear') refuse('OneCycleLR', 'anneal', 'cos or linear', anneal)
    this._apply()
  }

  /** Between `from` and `to`, `share` of the way. */
  #between(from: number, to: number, share: number): number {
    if (this.#options.anneal === 'linear') return from + (to - from) * share
    return to + ((from - to) / 2) * (1 + Math.cos(Math.PI * share))
  }

  override _set(group: ScheduledGroup, _initial: number, step: number): void {
    const { maxLr, totalSteps, pctStart, divFactor, finalDivFactor, cycleMomentum } = this.#options
    if (step > totalSteps) {
      throw new ArgumentError(`OneCycleLR: step ${step} is past the end of the cycle, totalSteps is ${totalSteps}`, {
        op: 'OneCycleLR',
        argument: 'totalSteps',
        expected: `at most step ${totalSteps}`,
        received: `${step}`,
      })
    }
    const top = pctStart * totalSteps - 1
    const rising = step <= top
    const share = rising ? (top === 0 ? 1 : step / top) : (step - top) / (totalSteps - 1 - top)
    const first = maxLr / divFactor
    group.lr = rising ? this.#between(first, maxLr, share) : this.#between(maxLr, first / finalDivFactor, share)
    if (!cycleMomentum) return
    const { baseMomentum, maxMomentum } = this.#options
    const [from, to] = rising ? [maxMomentum, baseMomentum] : [baseMomentum, maxMomentum]
    const momentum = this.#between(from, to, share)
    if (group.betas) group.betas = [momentum, group.betas[1]]
    else if (group.momentum) group.momentum = momentum
  }
}
