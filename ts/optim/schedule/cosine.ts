/** Learning rates along cosines: Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983 */
import { number, Schedule, type Scheduled, type ScheduledGroup, whole } from './schedule.ts'

/** From lr (share 0) to etaMin (share 1) along a half cosine. */
function along(initial: number, etaMin: number, share: number): number {
  return etaMin + ((initial - etaMin) * (1 + Math.cos(Math.PI * share))) / 2
}

/** From lr to etaMin along a half cosine of tMax steps, and on along the cosine. */
export class CosineAnnealingLR extends Schedule {
  readonly tMax: number
  readonly etaMin: number

  constructor(optimizer: Scheduled, options: { tMax: number; etaMin?: number }) {
    super(optimizer)
    this.tMax = whole('CosineAnnealingLR', 'tMax', options.tMax)
    this.etaMin = number('CosineAnnealingLR', 'etaMin', options.etaMin ?? 0)
    this._apply(0)
  }

  override _set(group: ScheduledGroup, initial: number, step: number): void {
    group.lr = along(initial, this.etaMin, step / this.tMax)
  }
}

/** From lr to etaMin along half cosines of t0, t0 · tMult, t0 · tMult², … steps, each of which starts at lr again. */
export class CosineAnnealingWarmRestarts extends Schedule {
  readonly t0: number
  readonly tMult: number
  readonly etaMin: number

  /** `tMult` is 1 and `etaMin` 0 unless given. */
  constructor(optimizer: Scheduled, options: { t0: number; tMult?: number; etaMin?: number }) {
    super(optimizer)
    this.t0 = whole('CosineAnnealingWarmRestarts', 't0', options.t0)
    this.tMult = whole('CosineAnnealingWarmRestarts', 'tMult', options.tMult ?? 1)
    this.etaMin = number('CosineAnnealingWarmRestarts', 'etaMin', options.etaMin ?? 0)
    this._apply(0)
  }

  override _set(group: ScheduledGroup, initial: number, step: number): void {
    let [since, length] = this.tMult === 1 ? [step % this.t0, this.t0] : [step, this.t0]
    while (since >= length) {
      since -= length
      length *= this.tMult
    }
    group.lr = along(initial, this.etaMin, since / length)
  }
}
