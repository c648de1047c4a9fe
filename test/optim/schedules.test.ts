/** Schedules against PyTorch; the cases are those of test/reference/optim.py. */
import { describe, expect, test } from 'vitest'
import { nn, optim } from 'fovea'
import { failure } from '../engine.ts'
import { optimFixtures as fixtures, type ScheduleCase } from '../reference/fixtures.ts'

type Stepped = { step(figure?: number): void; stateDict(): object; loadStateDict(dict: object): void }
type Group = { lr: number; momentum?: number; betas?: readonly [number, number] }
const classes = optim as unknown as Record<string, new (...args: unknown[]) => never>

function optimizerOf(c: ScheduleCase): optim.Optimizer<optim.OptimizerOptions> {
  return new classes[c.optimizer]!([new nn.Parameter([1])], c.optimizerOptions)
}

function scheduleOf(c: ScheduleCase, optimizer: optim.Scheduled): Stepped {
  const made = c.schedules?.map(([name, options]) => new classes[name]!(optimizer, options))
  return new classes[c.schedule]!(optimizer, ...(made ? [made] : []), c.options)
}

/** How far the group is from the learning rate and momentum of step `i`. */
function distance(c: ScheduleCase, group: Group, i: number): number {
  const [lr, momentum] = c.rows[i]!
  return Math.max(Math.abs(group.lr - lr), Math.abs((group.betas?.[0] ?? group.momentum ?? 0) - momentum))
}

const cases = fixtures.schedules.map((c) => [`${c.schedule} ${JSON.stringify(c.options)}`, c] as const)

describe(`schedules agree with PyTorch ${fixtures.torch}`, () => {
  test.each(cases)('%s', (_, c) => {
    const optimizer = optimizerOf(c)
    const schedule = scheduleOf(c, optimizer)
    for (let i = 0; i < c.rows.length; i++) {
      if (i > 0) schedule.step(c.metrics?.[i - 1])
      expect(distance(c, optimizer.groups[0] as Group, i), `step ${i}`).toBeLessThan(1e-12)
    }
  })

  test('LambdaLR with a power is ExponentialLR', () => {
    const c = fixtures.schedules.find(({ schedule }) => schedule === 'ExponentialLR')!
    const optimizer = optimizerOf(c)
    const schedule = new optim.LambdaLR(optimizer, (step) => 0.95 ** step)
    for (let i = 0; i < c.rows.length; i++) {
      if (i > 0) schedule.step()
      expect(distance(c, optimizer.groups[0]!, i), `step ${i}`).toBeLessThan(1e-12)
    }
  })
})

describe('state dicts', () => {
  test.each(cases)('%s goes on from its state dict and that of its optimizer', (_, c) => {
    const half = Math.floor(c.rows.length / 2)
    const first = optimizerOf(c)
    const before = scheduleOf(c, first)
    for (let i = 0; i < half; i++) before.step(c.metrics?.[i])
    const stored = JSON.parse(JSON.stringify([first.stateDict(), before.stateDict()])) as [optim.OptimizerState, object]
    const second = optimizerOf(c)
    const after = scheduleOf(c, second)
    second.loadStateDict(stored[0])
    after.loadStateDict(stored[1])
    for (let i = half; i < c.rows.length; i++) {
      expect(distance(c, second.groups[0] as Group, i), `step ${i}`).toBeLessThan(1e-12)
      after.step(c.metrics?.[i])
    }
  })

  test('a schedule made on an optimizer in mid-course starts from the learning rate it began with', () => {
    const optimizer = new optim.SGD([new nn.Parameter([1])], { lr: 0.5 })
    const first = new optim.ExponentialLR(optimizer, { gamma: 0.5 })
    first.step()
    const second = new optim.ExponentialLR(optimizer, { gamma: 0.5 })
    expect(optimizer.groups[0]!.lr).toBe(0.5)
    second.step()
    expect(optimizer.groups[0]!.lr).toBe(0.25)
  })
})

test('each group moves from its own learning rate', () => {
  const groups = [{ parameters: [new nn.Parameter([1])] }, { parameters: [new nn.Parameter([1])], lr: 1 }]
  const optimizer = new optim.SGD(groups, { lr: 0.1 })
  const lrs = () => optimizer.groups.map((group) => group.lr)
  new optim.StepLR(optimizer, { stepSize: 1, gamma: 0.5 }).step()
  expect(lrs()).toEqual([0.05, 0.5])
  const constants = [() => 2, () => 3]
  expect(new optim.LambdaLR(optimizer, constants).lastStep).toBe(0)
  expect(lrs()).toEqual([0.2, 3])
  const options = { maxLr: [1, 10], totalSteps: 10, cycleMomentum: false, divFactor: 10 }
  expect(new optim.OneCycleLR(optimizer, options).lastStep).toBe(0)
  expect(lrs().map((lr) => lr.toFixed(12))).toEqual(['0.100000000000', '1.000000000000'])
})

test('what a schedule cannot do is refused by name', () => {
  const optimizer = new optim.Adagrad([new nn.Parameter([1])])
  const message = (work: () => unknown) => failure(work).message
  expect(message(() => new optim.OneCycleLR(optimizer, { maxLr: 1, totalSteps: 3 }))).toMatch(/no momentum to move/)
  expect(message(() => new optim.StepLR(optimizer, { stepSize: 0 }))).toMatch(/stepSize must be a whole number/)
  expect(message(() => new optim.MultiStepLR(optimizer, { milestones: [1, 0.5] }))).toMatch(/milestones\[1\]/)
  expect(message(() => new optim.LambdaLR(optimizer, () => NaN))).toMatch(/factor\(step\) must be a finite number/)
  const parts = [new optim.ConstantLR(optimizer), new optim.ConstantLR(optimizer)]
  const sequence = (milestones: number[]) => new optim.SequentialLR(optimizer, parts, { milestones })
  expect(message(() => sequence([]))).toMatch(/milestones must be 1 steps/)
  const other = new optim.Adagrad([new nn.Parameter([1])])
  const foreign = [parts[0]!, new optim.ConstantLR(other)]
  expect(message(() => new optim.SequentialLR(optimizer, foreign, { milestones: [1] }))).toMatch(/another optimizer/)
  expect(message(() => new optim.ReduceLROnPlateau(optimizer, { factor: 1 }))).toMatch(/factor must be/)
  const schedule = new optim.StepLR(optimizer, { stepSize: 2 })
  expect(message(() => schedule.loadStateDict({ lastStep: -1 }))).toMatch(/lastStep must be a whole number/)
})
