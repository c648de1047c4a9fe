/** S12–S14: which changes keep a plan, and what changes no bit. */
import { describe, expect, test } from 'vitest'
import {
  F,
  manualSeed,
  materialize,
  optim,
  rand,
  randn,
  tensor,
  Variable,
  type Counters,
  type nn,
  type Tensor,
} from 'fovea'
import { resultOf } from '../child.ts'
import { convNet, counted, LARGE, native, numbers } from '../engine.ts'

const makers = {
  SGD: (model: nn.Module) => new optim.SGD(model, { lr: 0.1, weightDecay: 1e-3 }),
  'SGD with momentum': (model: nn.Module) => new optim.SGD(model, { lr: 0.1, momentum: 0.9 }),
  Adam: (model: nn.Module) => new optim.Adam(model, { lr: 0.1 }),
  AdamW: (model: nn.Module) => new optim.AdamW(model, { lr: 0.1 }),
}

type Trained = ReturnType<(typeof makers)[keyof typeof makers]>

/** A training loop of which one step at a time can be counted. */
class Loop {
  readonly model = convNet()
  readonly optimizer: Trained
  readonly #x = randn([4, 1, 8, 8])
  readonly #target = tensor([0, 1, 2, 3], { dtype: 'i32' })

  constructor(make: (model: nn.Module) => Trained = makers.Adam) {
    this.optimizer = make(this.model)
  }

  step(use: (loss: Tensor) => unknown = () => {}): Promise<Counters> {
    return counted(async () => {
      const loss = F.crossEntropy(this.model.forward(this.#x), this.#target)
      this.optimizer.zeroGrad()
      loss.backward()
      await this.optimizer.step()
      await use(loss)
    })
  }
}

describe('S12: plans', () => {
  // The first step makes the optimizer's state, and with momentum it has a graph of its own.
  test.each(Object.entries(makers))('S12: the third step of %s plans nothing that the second did', async (_, make) => {
    const loop = new Loop(make)
    await loop.step()
    expect((await loop.step()).evaluations).toBe(1)
    expect(await loop.step()).toMatchObject({ plansMade: 0, plansHit: 1, plannedNodes: 0 })
  })

  test.each(Object.entries(makers))('S12: a new learning rate keeps the plan of %s', async (_, make) => {
    const loop = new Loop(make)
    await loop.step()
    await loop.step()
    // 0.05 is half of it, 0 and 1 are numbers that a planner could take a short cut for, 1e-3 equals the weight decay.
    for (const lr of [0.05, 0, 1, 1e-3, 0.9]) {
      loop.optimizer.groups[0]!.lr = lr
      expect(await loop.step()).toMatchObject({ plansMade: 0, plansHit: 1 })
    }
  })

  test('S12: a schedule keeps the plan, and so does another seed', async () => {
    const loop = new Loop()
    const schedule = new optim.OneCycleLR(loop.optimizer, { maxLr: 0.1, totalSteps: 10 })
    await loop.step()
    await loop.step()
    for (let i = 0; i < 6; i++) {
      schedule.step()
      manualSeed(i)
      expect((await loop.step()).plansMade).toBe(0)
    }
  })

  test('S12: a loop that reads its loss every tenth step has two plans', async () => {
    const loop = new Loop()
    const plans: number[] = []
    for (let i = 1; i <= 50; i++) {
      const { plansMade } = await loop.step((loss) => (i % 10 === 0 ? loss.item() : undefined))
      plans.push(plansMade)
    }
    expect(plans.slice(2).filter((n) => n > 0)).toEqual([]) // reading a root of backward afterwards needs no plan
    const early = new Loop()
    let made = 0
    for (let i = 1; i <= 50; i++) {
      const work = await counted(async () => {
        const loss = early.model
          .forward(randn([4, 1, 8, 8]))
          .square()
          .mean()
        if (i % 10 === 0) loss.itemSync()
        early.optimizer.zeroGrad()
        loss.backward()
        await early.optimizer.step()
      })
      if (i > 2) made += work.plansMade
    }
    expect(made).toBe(2) // of a step in two parts
  })

  test('S12: float operands, clamps, scales and dropout probabilities are data', async () => {
    const x = randn([LARGE])
    await materialize(x)
    const work = (a: number, b: number) =>
      counted(() =>
        F.dropout(x.mul(a).clamp({ min: -b, max: b }).add(b), a / 10)
          .sum()
          .itemSync(),
      )
    expect((await work(2, 3)).plansMade).toBe(1)
    for (const [a, b] of [
      [4, 5],
      [1, 2],
      [0.5, 9], // but not two that are equal: they would be one operand
    ]) {
      expect(await work(a!, b!)).toMatchObject({ plansMade: 0, plansHit: 1 })
    }
    expect(numbers(x.mul(2).clamp({ max: 1 }))[0]).toBe(Math.min(1, 2 * numbers(x)[0]!))
  })

  test('S12: shapes, dtypes, attributes and sharing are in the key', async () => {
    const a = randn([LARGE])
    const b = randn([LARGE])
    const c = randn([2, LARGE])
    await materialize(a, b, c)
    const plans = async (make: () => Tensor) => (await counted(() => make().dataSync())).plansMade
    expect(await plans(() => a.add(b).sum())).toBe(1)
    expect(await plans(() => b.add(a).sum())).toBe(0)
    expect(await plans(() => a.add(a).sum())).toBe(1)
    expect(await plans(() => c.add(b).sum())).toBe(1)
    expect(await plans(() => c.add(b).sum({ dim: 1 }))).toBe(1)
    expect(await plans(() => a.add(b).sum({ keepDim: true }))).toBe(1)
    expect(await plans(() => a.to('f64').add(b).sum())).toBe(1)
  })

  test('S12: merging equal nodes compares data too', () => {
    const x = tensor([1, 2, 3])
    const y = x
      .mul(2)
      .add(x.mul(3))
      .add(x.mul(2))
      .add(
        rand([3])
          .sub(rand([3]))
          .mul(0),
      )
    expect(numbers(y)).toEqual([7, 14, 21])
    const spread = rand([3])
      .sub(rand([3]))
      .abs()
    expect(Math.max(...numbers(spread))).toBeGreaterThan(0)
  })
})

interface Weights {
  hash: string
  loss: number
}

describe('S13: bits', () => {
  const settings: Record<string, Record<string, string>> = {
    'without fusion': { FOVEA_FUSION: '0' },
    'without reuse of buffers': { FOVEA_PLAN_REUSE: '0' },
    'with one thread': { FOVEA_THREADS: '1' },
    'with three threads': { FOVEA_THREADS: '3' },
    'with everything off': { FOVEA_FUSION: '0', FOVEA_PLAN_REUSE: '0', FOVEA_THREADS: '1' },
  }
  let standard: Promise<Weights> | undefined
  const reference = () => (standard ??= resultOf<Weights>('train-bits'))

  test.each(Object.entries(settings))('S13: five steps of a ConvNet %s give equal weights', async (_, env) => {
    expect(await resultOf<Weights>('train-bits', { env })).toEqual(await reference())
  })

  test('S13: other seeds give other weights', async () => {
    expect(await resultOf<Weights>('train-bits', { args: ['2'] })).not.toEqual(await reference())
  })

  test('S13: when values are read changes no bit', async () => {
    expect(await resultOf<Weights>('train-bits', { args: ['1', 'reading'] })).toEqual(await reference())
  })

  test('S13: a sum does not depend on the layout of what is summed', () => {
    const x = randn([37, 53])
    const straight = x.sum({ dim: 0 })
    const turned = x.transpose(0, 1).clone().keep()
    turned.dataSync()
    expect(turned.transpose(0, 1).sum({ dim: 0 }).dataSync()).toEqual(straight.dataSync())
    expect(x.flip([0]).flip([0]).sum().itemSync()).toBe(x.sum().itemSync())
  })
})

describe('S14: in place', () => {
  /** Bytes by which the peak of a step that doubles a variable of 4 MiB lies above what it holds. */
  const run = async (hold: boolean) => {
    const w = new Variable(randn([1 << 20]))
    await materialize(w)
    const old = hold ? w.detach() : null
    await materialize(w)
    w.assign(w.mul(2))
    await materialize(w)
    return { now: w, old }
  }

  test('S14: a live value of the old version keeps it', async () => {
    const { now, old } = await run(true)
    const [a, b] = [now.dataSync(), old!.dataSync()]
    expect(a.every((v, i) => v === 2 * b[i]!)).toBe(true)
  })

  test('S14: switched off it changes no result', async () => {
    const values = async () => {
      manualSeed(4)
      return (await run(false)).now.dataSync()
    }
    const a = await values()
    native.setFlag('reuse', 0)
    const b = await values()
    native.setFlag('reuse', 1)
    expect(a).toEqual(b)
  })

  test('S14: an update in place needs no second buffer', async () => {
    const peaks = await resultOf<{ reuse: number; plain: number }>('in-place')
    expect(peaks.reuse).toBeLessThan(peaks.plain - (3 << 20))
  })
})
