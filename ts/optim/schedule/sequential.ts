import { ArgumentError, refuse } from '../../native/errors.ts'
import { Schedule, type Scheduled, type ScheduledGroup, whole } from './schedule.ts'

/** One schedule after the other, each from its own step 0: schedule i + 1 takes over at step `milestones[i]`. */
export class SequentialLR extends Schedule {
  readonly schedules: readonly Schedule[]
  readonly milestones: readonly number[]

  constructor(optimizer: Scheduled, schedules: readonly Schedule[], options: { milestones: readonly number[] }) {
    super(optimizer)
    const { milestones } = options
    if (!Array.isArray(schedules) || schedules.length === 0) {
      refuse('SequentialLR', 'schedules', 'an array of schedules', schedules)
    }
    schedules.forEach((schedule: unknown, i) => {
      if (!(schedule instanceof Schedule)) refuse('SequentialLR', `schedules[${i}]`, 'a Schedule', schedule)
      if (schedule.optimizer !== optimizer) {
        const [op, argument] = ['SequentialLR', `schedules[${i}]`]
        throw new ArgumentError(`${op}: ${argument} belongs to another optimizer`, { op, argument })
      }
    })
    if (!Array.isArray(milestones) || milestones.length !== schedules.length - 1) {
      refuse('SequentialLR', 'milestones', `${schedules.length - 1} steps, one for each change`, milestones)
    }
    milestones.forEach((m: number, i) => {
      whole('SequentialLR', `milestones[${i}]`, m, i === 0 ? 1 : (milestones[i - 1] as number) + 1)
    })
    this.schedules = schedules
    this.milestones = milestones
    this._apply(0)
  }

  override _set(group: ScheduledGroup, initial: number, step: number, index: number): void {
    const part = this.milestones.filter((m) => m <= step).length
    this.schedules[part]!._set(group, initial, step - (part === 0 ? 0 : this.milestones[part - 1]!), index)
  }
}
