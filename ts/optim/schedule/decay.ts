/** Learning rates that fall, or follow a function. */
import { refuse } from '../../native/errors.ts'
import { number, Schedule, type Scheduled, type ScheduledGroup, whole } from './schedule.ts'

/** lr · gamma^⌊step / stepSize⌋. */
export class StepLR extends Schedule {
  readonly stepSize: number
  readonly gamma: number

  constructor(optimizer: Scheduled, options: { stepSize: number; gamma?: number }) {
    super(optimizer)
    this.stepSize = whole('StepLR', 'stepSize', options.stepSize)
    this.gamma = number('StepLR', 'gamma', options.gamma ?? 0.1)
    this._apply(0)
  }

  override _set(group: ScheduledGroup, initial: number, step: number): void {
    group.lr = initial * this.gamma ** Math.floor(step / this.stepSize)
  }
}

/** lr · gamma^(the number of milestones reached); a milestone given twice counts twice. */
export class MultiStepLR extends Schedule {
  readonly milestones: readonly number[]
  readonly gamma: number

  constructor(optimizer: Scheduled, options: { milestones: readonly number[]; gamma?: number }) {
    super(optimizer)
    const { milestones, gamma = 0.1 } = options
    if (!Array.isArray(milestones)) refuse('MultiStepLR', 'milestones', 'an array of steps', milestones)
    this.milestones = milestones.map((m: number, i) => whole('MultiStepLR', `milestones[${i}]`, m))
    this.gamma = number('MultiStepLR', 'gamma', gamma)
    this._apply(0)
  }

  override _set(group: ScheduledGroup, initial: number, step: number): void {
    group.lr = initial * this.gamma ** this.milestones.filter((m) => m <= step).length
  }
}

/** lr · gamma^step. */
export class ExponentialLR extends Schedule {
  readonly gamma: number

  constructor(optimizer: Scheduled, options: { gamma: number }) {
    super(optimizer)
    this.gamma = number('ExponentialLR', 'gamma', options.gamma)
    this._apply(0)
  }

  override _set(group: ScheduledGroup, initial: number, step: number): void {
    group.lr = initial * this.gamma ** step
  }
}

/** lr · (1 - step / totalIters)^power, then 0. */
export class PolynomialLR extends Schedule {
  readonly totalIters: number
  readonly power: number

  /** `totalIters` is 5 and `power` 1 unless given. */
  constructor(optimizer: Scheduled, options: { totalIters?: number; power?: number } = {}) {
    super(optimizer)
    this.totalIters = whole('PolynomialLR', 'totalIters', options.totalIters ?? 5)
    this.power = number('PolynomialLR', 'power', options.power ?? 1)
    this._apply(0)
  }

  override _set(group: ScheduledGroup, initial: number, step: number): void {
    group.lr = initial * (1 - Math.min(step, this.totalIters) / this.totalIters) ** this.power
  }
}

/** lr times a function of the step, one for all groups or one for each. */
export class LambdaLR extends Schedule {
  readonly #factors: readonly ((step: number) => number)[]

  constructor(optimizer: Scheduled, factor: ((step: number) => number) | readonly ((step: number) => number)[]) {
    super(optimizer)
    const list = typeof factor === 'function' ? optimizer.groups.map(() => factor) : factor
    if (!Array.isArray(list) || list.length !== optimizer.groups.length || list.some((f) => typeof f !== 'function')) {
      refuse('LambdaLR', 'factor', `a function or one for each of ${optimizer.groups.length} groups`, factor)
    }
    this.#factors = list
    this._apply(0)
  }

  override _set(group: ScheduledGroup, initial: number, step: number, index: number): void {
    group.lr = initial * number('LambdaLR', 'factor(step)', this.#factors[index]!(step))
  }
}
