/** Learning rates that change from step to step. */
import { ArgumentError, refuse } from '../../native/errors.ts'

/** What a schedule moves: the learning rate and, for cyclic schedules, the momentum. */
export interface ScheduledGroup {
  lr: number
  /** The learning rate that schedules start from. */
  initialLr?: number
  momentum?: number
  betas?: readonly [number, number]
}

/** An optimizer as schedules see it. */
export interface Scheduled {
  readonly groups: readonly ScheduledGroup[]
}

/** A number for all groups or one for each. */
export type PerGroup = number | readonly number[]

/**
 * Sets the learning rate of every group as a function of how often {@link step} was called and of the learning rate
 * that the group began with (`initialLr`, kept in the group, so that several schedules start from the same).
 */
export abstract class Schedule {
  /** How often {@link step} was called. */
  lastStep = 0

  constructor(readonly optimizer: Scheduled) {
    checkScheduled(optimizer, new.target.name)
    for (const group of optimizer.groups) group.initialLr ??= group.lr
  }

  /** @internal Sets group number `index` up for step number `step`, from the learning rate it began with. */
  abstract _set(group: ScheduledGroup, initial: number, step: number, index: number): void

  /** Sets the groups up for the next step; call it after the optimizer's step. */
  step(): void {
    this._apply(this.lastStep + 1)
  }

  /** @internal Sets the groups up for this step. */
  _apply(step: number): void {
    this.optimizer.groups.forEach((group, i) => this._set(group, (group.initialLr ??= group.lr), step, i))
    this.lastStep = step
  }

  /** Where the schedule is, as plain data. */
  stateDict(): { lastStep: number } {
    return { lastStep: this.lastStep }
  }

  /** Goes on from what {@link stateDict} gave; the groups are set up as they were. */
  loadStateDict(dict: { lastStep: number }): void {
    this._apply(whole(this.constructor.name, 'lastStep', dict?.lastStep, 0))
  }
}

export function checkScheduled(optimizer: Scheduled, op: string): void {
  if (typeof optimizer !== 'object' || optimizer === null || !Array.isArray(optimizer.groups)) {
    refuse(op, 'optimizer', 'an optimizer', optimizer)
  }
}

export function whole(op: string, name: string, value: number, least = 1): number {
  if (!Number.isSafeInteger(value) || value < least) refuse(op, name, `a whole number from ${least} on`, value)
  return value
}

/** A finite number in [low, high], or an ArgumentError. */
export function number(op: string, name: string, value: number, low = -Infinity, high = Infinity): number {
  if (Number.isFinite(value) && value >= low && value <= high) return value
  const range = low === -Infinity ? '' : high === Infinity ? ` from ${low} on` : ` from ${low} to ${high}`
  return refuse(op, name, `a finite number${range}`, value)
}

/** One number for each group. */
export function perGroup(op: string, name: string, value: PerGroup, { groups }: Scheduled, low = 0): number[] {
  const list = typeof value === 'number' ? groups.map(() => value) : value
  if (!Array.isArray(list) || list.length !== groups.length) {
    refuse(op, name, `a number or one for each of ${groups.length} groups`, value)
  }
  return list.map((v: number, i) => number(op, typeof value === 'number' ? name : `${name}[${i}]`, v, low))
}

/** Refuses an optimizer without a momentum that could be moved. */
export function checkMoved(op: string, { groups }: Scheduled): void {
  if (groups.every((group) => group.betas !== undefined || group.momentum !== undefined)) return
  throw new ArgumentError(`${op}: the optimizer has no momentum to move; give cycleMomentum: false`, {
    op,
    argument: 'cycleMomentum',
    expected: 'false for an optimizer without momentum or betas',
    received: 'true',
  })
}

/** Sets momentum, or β₁ where the optimizer has betas. */
export function setMomentum(group: ScheduledGroup, momentum: number): void {
  if (group.betas) group.betas = [momentum, group.betas[1]]
  else group.momentum = momentum
}
