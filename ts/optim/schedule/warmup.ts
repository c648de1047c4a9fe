/** Learning rates that begin low. */
import { number, Schedule, type Scheduled, type ScheduledGroup, whole } from './schedule.ts'

/** lr · factor for the first `totalIters` steps, then lr. */
export class ConstantLR extends Schedule {
  readonly factor: number
  readonly totalIters: number

  /** `factor` is 1/3 and `totalIters` 5 unless given. */
  constructor(optimizer: Scheduled, options: { factor?: number; totalIters?: number } = {}) {
    super(optimizer)
    this.factor = number('ConstantLR', 'factor', options.factor ?? 1 / 3, 0)
    this.totalIters = whole('ConstantLR', 'totalIters', options.totalIters ?? 5, 0)
    this._apply(0)
  }

  override _set(group: ScheduledGroup, initial: number, step: number): void {
    group.lr = step < this.totalIters ? initial * this.factor : initial
  }
}

/** From lr · startFactor to lr · endFactor in `totalIters` equal steps. */
export class LinearLR extends Schedule {
  readonly startFactor: number
  readonly endFactor: number
  readonly totalIters: number

  /** `startFactor` is 1/3, `endFactor` 1 and `totalIters` 5 unless given. */
  constructor(optimizer: Scheduled, options: { startFactor?: number; endFactor?: number; totalIters?: number } = {}) {
    super(optimizer)
    this.startFactor = number('LinearLR', 'startFactor', options.startFactor ?? 1 / 3, 0)
    this.endFactor = number('LinearLR', 'endFactor', options.endFactor ?? 1, 0)
    this.totalIters = whole('LinearLR', 'totalIters', options.totalIters ?? 5)
    this._apply(0)
  }

  override _set(group: ScheduledGroup, initial: number, step: number): void {
    const share = Math.min(step, this.totalIters) / this.totalIters
    group.lr = initial * (this.startFactor + (this.endFactor - this.startFactor) * share)
  }
}

/**
 * A linear rise in `warmupSteps` steps, then a fall with the inverse square root of the step n = 1, 2, …:
 * lr · min(n / warmupSteps, √(warmupSteps / n)), or with `dModel` lr · dModel^-½ · min(n^-½, n · warmupSteps^-3/2),
 * where lr is usually 1. Vaswani et al. 2017, "Attention Is All You Need", https://arxiv.org/abs/1706.03762
 */
export class WarmupInverseSqrt extends Schedule {
  readonly warmupSteps: number
  readonly dModel: number | null

  constructor(optimizer: Scheduled, options: { warmupSteps: number; dModel?: number | null }) {
    super(optimizer)
    const { warmupSteps, dModel = null } = options
    this.warmupSteps = whole('WarmupInverseSqrt', 'warmupSteps', warmupSteps)
    this.dModel = dModel === null ? null : whole('WarmupInverseSqrt', 'dModel', dModel)
    this._apply(0)
  }

  override _set(group: ScheduledGroup, initial: number, step: number): void {
    const { warmupSteps, dModel } = this
    const n = step + 1
    const shape = Math.min(n / warmupSteps, Math.sqrt(warmupSteps / n))
    group.lr = initial * (dModel === null ? shape : shape / Math.sqrt(dModel * warmupSteps))
  }
}

/** A linear rise from lr · startFactor to lr in `warmupSteps` steps, then lr · gamma^(steps since). */
export class WarmupExponential extends Schedule {
  readonly warmupSteps: number
  readonly gamma: number
  readonly startFactor: number

  /** `startFactor` is 0 unless given. */
  constructor(optimizer: Scheduled, options: { warmupSteps: number; gamma: number; startFactor?: number }) {
    super(optimizer)
    this.warmupSteps = whole('WarmupExponential', 'warmupSteps', options.warmupSteps)
    this.gamma = number('WarmupExponential', 'gamma', options.gamma, 0)
    this.startFactor = number('WarmupExponential', 'startFactor', options.startFactor ?? 0, 0)
    this._apply(0)
  }

  override _set(group: ScheduledGroup, initial: number, step: number): void {
    const { warmupSteps, gamma, startFactor } = this
    const rising = startFactor + ((1 - startFactor) * step) / warmupSteps
    group.lr = initial * (step < warmupSteps ? rising : gamma ** (step - warmupSteps))
  }
}
