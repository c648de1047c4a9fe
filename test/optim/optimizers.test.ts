/** Optimizers against PyTorch and timm; the cases are those of test/reference/optim.py. */
import { describe, expect, test } from 'vitest'
import { F, nn, ones, optim, tensor, zeros, type Tensor } from 'fovea'
import { convNet, counted, failure, numbers } from '../engine.ts'
import { expectClose, given, optimFixtures as fixtures, type OptimizerCase } from '../reference/fixtures.ts'

type AnyOptimizer = optim.Optimizer<optim.OptimizerOptions>
type Make = new (target: unknown, options?: unknown) => AnyOptimizer
const made = (name: string, target: unknown, options: object = {}) => {
  return new (optim as unknown as Record<string, Make>)[name]!(target, options)
}

describe(`optimizers agree with PyTorch ${fixtures.torch} (LAMB, LARS: timm ${fixtures.timm}) over 50 steps`, () => {
  const { x, target, initial, cases } = fixtures.optimizers
  const title = ({ optimizer, options, clip, groups }: OptimizerCase) => {
    return `${optimizer} ${JSON.stringify(options)}${clip ? ` clip ${clip}` : ''}${groups ? ' groups' : ''}`
  }
  const clipped = (c: OptimizerCase, model: nn.Module) => {
    if (c.clip === null) return
    const [kind, max, normType] = c.clip
    if (kind === 'value') optim.clipGradValue(model.parameters(), max)
    else optim.clipGradNorm(model.parameters(), max, { normType: Number(normType) })
  }
  test.each(cases.map((c) => [title(c), c] as const))('%s', async (_, c) => {
    const model = new nn.Sequential(new nn.Linear(3, 4), new nn.Tanh(), new nn.Linear(4, 2)).to('f64')
    model.loadStateDict(Object.fromEntries(Object.entries(initial).map(([k, v]) => [k, given(v, 'f64')])))
    const layers = [model.get(0), model.get(2)]
    const groups = c.groups?.map((options, i) => ({ parameters: layers[i]!, ...options }))
    const optimizer = made(c.optimizer, groups ?? model, c.options)
    const losses: number[] = []
    for (let i = 0; i < c.losses.length; i++) {
      const loss = F.mseLoss(model.forward(given(x, 'f64')), given(target, 'f64'))
      optimizer.zeroGrad()
      ;(c.options['maximize'] === true ? loss.neg() : loss).backward()
      clipped(c, model)
      await optimizer.step()
      losses.push(loss.itemSync())
    }
    losses.forEach((loss, i) => expect(Math.abs(loss / c.losses[i]! - 1), `loss ${i}`).toBeLessThan(1e-10))
    const state = model.stateDict()
    for (const [name, value] of Object.entries(c.after)) expectClose(state[name]!, value, name, 1e-10)
  })
})

describe('what optimizers do beyond their formulas', () => {
  test('groups have hyperparameters of their own', async () => {
    const [a, b] = [new nn.Parameter([1]), new nn.Parameter([1])]
    const optimizer = new optim.SGD([{ parameters: [a], lr: 0.5 }, { parameters: [b] }], { lr: 0.1 })
    a.add(b).sum().backward()
    await optimizer.step()
    expect([numbers(a)[0], numbers(b)[0]]).toEqual([0.5, Math.fround(0.9)])
  })

  test('parameters without a gradient stay as they are, whatever the weight decay', async () => {
    const [a, b] = [new nn.Parameter([1]), new nn.Parameter([1])]
    const optimizer = new optim.AdamW([a, b], { lr: 0.1, weightDecay: 0.5 })
    a.mul(2).sum().backward()
    await optimizer.step()
    expect(numbers(a)).not.toEqual([1])
    expect(numbers(b)).toEqual([1])
  })

  const makers: [string, (p: nn.Parameter[]) => optim.Optimizer<never>][] = [
    ['SGD', (p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9 }) as never],
    ['Adam', (p) => new optim.Adam(p, { lr: 0.1 }) as never],
    ['AdamW', (p) => new optim.AdamW(p, { lr: 0.1, amsgrad: true }) as never],
    ['Adagrad', (p) => new optim.Adagrad(p, { lr: 0.1, initialAccumulatorValue: 0.1, lrDecay: 0.1 }) as never],
    ['RMSprop', (p) => new optim.RMSprop(p, { lr: 0.1, centered: true, momentum: 0.5, eps: 1e-3 }) as never],
    ['LAMB', (p) => new optim.LAMB(p, { lr: 0.1 }) as never],
    ['LARS', (p) => new optim.LARS(p, { lr: 0.1, momentum: 0.9, weightDecay: 0.1 }) as never],
  ]
  test.each(makers)('%s goes on from its state dict as if it had never stopped', async (_, make) => {
    const steps = async (p: nn.Parameter, optimizer: optim.Optimizer<never>, count: number) => {
      for (let i = 0; i < count; i++) {
        optimizer.zeroGrad()
        p.square().mul(p).sum().backward()
        await optimizer.step()
      }
    }
    const whole = new nn.Parameter([1, -2])
    await steps(whole, make([whole]), 6)
    const first = new nn.Parameter([1, -2])
    const before = make([first])
    await steps(first, before, 3)
    const second = new nn.Parameter(first.detach())
    const after = make([second])
    after.loadStateDict(before.stateDict())
    await steps(first, before, 1) // must not reach the state that was taken over
    await steps(second, after, 3)
    expect(numbers(second)).toEqual(numbers(whole))
  })

  test('clipGradNorm gives the norm before and leaves small gradients alone', () => {
    const [a, b] = [new nn.Parameter([1, 1]), new nn.Parameter([1])]
    const gradients = (max: number) => {
      a.grad = b.grad = null
      a.mul(tensor([3, 0]))
        .sum()
        .add(b.mul(4).sum())
        .backward()
      const norm = optim.clipGradNorm([a, b], max).itemSync()
      return [norm, ...numbers(a.grad!), ...numbers(b.grad!)]
    }
    expect(gradients(10)).toEqual([5, 3, 0, 4])
    const clipped = gradients(1)
    ;[5, 0.6, 0, 0.8].forEach((v, i) => expect(clipped[i]).toBeCloseTo(v, 5))
  })

  test('clipGradValue limits every element', () => {
    const a = new nn.Parameter([1, 1, 1])
    a.mul(tensor([5, -5, 0.5]))
      .sum()
      .backward()
    optim.clipGradValue([a], 1)
    expect(numbers(a.grad!)).toEqual([1, -1, 0.5])
  })

  test('a step without any gradient changes nothing', async () => {
    const model = convNet()
    const before = model.parameters().flatMap(numbers)
    const work = await counted(() => new optim.Adam(model).step())
    expect(work.kernels).toBe(0)
    expect(model.parameters().flatMap(numbers)).toEqual(before)
  })

  test('hyperparameters out of range are refused when they are set and when they are used', () => {
    const p = new nn.Parameter([1])
    expect(() => new optim.Adam([p], { betas: [0.9, 1] })).toThrow(/betas\[1\]/)
    const optimizer = new optim.SGD([p], { lr: 0.1 })
    optimizer.groups[0]!.lr = NaN
    expect(failure(() => void optimizer.step()).message).toMatch(/lr must be a finite number/)
  })

  test('a state dict has the names of PyTorch and survives JSON but for its tensors', async () => {
    const p = new nn.Parameter([1, 2])
    const optimizer = new optim.AdamW([p], { lr: 0.1, amsgrad: true })
    p.sum().backward()
    await optimizer.step()
    const { state, groups } = optimizer.stateDict()
    expect(Object.keys(state[0]!)).toEqual(['step', 'exp_avg', 'exp_avg_sq', 'max_exp_avg_sq'])
    expect(groups).toEqual([
      { lr: 0.1, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01, amsgrad: true, parameters: [0] },
    ])
  })

  test('loading refuses what does not fit and changes nothing', async () => {
    const p = new nn.Parameter([1, 2])
    const optimizer = new optim.Adam([p], { lr: 0.1 })
    p.sum().backward()
    await optimizer.step()
    const dict = optimizer.stateDict()
    const with0 = (entry: object) => ({ ...dict, state: { 0: { ...dict.state[0]!, ...entry } } })
    const refusals: [unknown, RegExp][] = [
      [null, /state must be a record/],
      [{ state: {} }, /groups must be an array of groups/],
      [{ ...dict, groups: [] }, /groups must be groups of 1 parameters/],
      [{ ...dict, state: { 7: { step: 1 } } }, /state must be positions from 0 to 0/],
      [with0({ step: 0.5 }), /step must be a whole number/],
      [with0({ exp_avg: 1 }), /exp_avg must be a Tensor/],
      [with0({ exp_avg: ones([3]) }), /exp_avg must have the parameter's shape \[2\], got \[3\]/],
      [{ ...dict, groups: [{ ...dict.groups[0]!, lr: -1 }] }, /lr must be/],
    ]
    for (const [bad, message] of refusals) {
      expect(failure(() => optimizer.loadStateDict(bad as optim.OptimizerState)).message).toMatch(message)
    }
    expect(optimizer.groups[0]!.lr).toBe(0.1)
    expect(numbers(optimizer.stateDict().state[0]!['exp_avg'] as never)).toEqual(
      numbers(dict.state[0]!['exp_avg'] as never),
    )
  })

  test('moments take the dtype of their parameter', async () => {
    const p = new nn.Parameter(tensor([1, 2], { dtype: 'f64' }))
    const optimizer = new optim.SGD([p], { lr: 0.1, momentum: 0.5 })
    optimizer.loadStateDict({
      state: { 0: { step: 1, momentum_buffer: ones([2]) } },
      groups: [{ parameters: [0] }],
    })
    p.mul(0).sum().backward()
    await optimizer.step()
    expect(numbers(p)).toEqual([0.95, 1.95])
  })

  test('moments follow a model that is given another dtype', async () => {
    const model = new nn.Linear(2, 1)
    const optimizer = new optim.Adam(model, { lr: 0.1 })
    const step = (dtype: 'f32' | 'f64') => {
      optimizer.zeroGrad()
      model
        .forward(ones([1, 2], { dtype }))
        .sum()
        .backward()
      return optimizer.step()
    }
    await step('f32')
    const before = numbers(optimizer.stateDict().state[0]!['exp_avg'] as Tensor)
    model.to('f64')
    await step('f64')
    const after = optimizer.stateDict().state[0]!['exp_avg'] as Tensor
    expect(after.dtype).toBe('f64')
    // The same gradient of 1 again: m = 0.9 m + 0.1.
    numbers(after).forEach((m, i) => expect(m).toBeCloseTo(0.9 * before[i]! + 0.1, 6))
  })

  test('a group can be added, and a parameter only once', async () => {
    const [a, b] = [new nn.Parameter([1]), new nn.Parameter([1])]
    const optimizer = new optim.SGD([a], { lr: 0.5 })
    optimizer.addGroup({ parameters: [b], lr: 0.25 })
    a.add(b).sum().backward()
    await optimizer.step()
    expect([numbers(a), numbers(b)]).toEqual([[0.5], [0.75]])
    expect(() => optimizer.addGroup({ parameters: [b] })).toThrow(/given twice/)
    expect(optimizer.groups.length).toBe(2)
  })
})

describe('regularisers', () => {
  const [a, b] = [new nn.Parameter([1, -2]), new nn.Parameter([3])]

  test('l1, l2 and elastic net are sums over all parameters', () => {
    expect(optim.l1Penalty([a, b]).itemSync()).toBe(6)
    expect(optim.l2Penalty([a, b]).itemSync()).toBe(14)
    expect(optim.elasticNet([a, b], { beta: 0.5 }).itemSync()).toBe(13)
  })

  test('groups have factors of their own, and gradients follow', () => {
    const term = optim.penalty([
      { parameters: [a], l1: 0.5 },
      { parameters: [b], l1: 1, l2: 2 },
    ])
    expect(term.itemSync()).toBe(0.5 * 3 + 3 + 2 * 9)
    a.grad = b.grad = null
    term.backward()
    expect([numbers(a.grad!), numbers(b.grad!)]).toEqual([[0.5, -0.5], [13]])
  })

  test('half an l2 penalty is a coupled weight decay', async () => {
    const start = [1, -2, 0.5]
    const [coupled, term] = [new nn.Parameter(start), new nn.Parameter(start)]
    const decayed = new optim.SGD([coupled], { lr: 0.1, weightDecay: 0.3 })
    const plain = new optim.SGD([term], { lr: 0.1 })
    for (let i = 0; i < 5; i++) {
      decayed.zeroGrad()
      plain.zeroGrad()
      coupled.square().sum().backward()
      term
        .square()
        .sum()
        .add(optim.l2Penalty([term]).mul(0.15))
        .backward()
      await decayed.step()
      await plain.step()
    }
    numbers(term).forEach((v, i) => expect(v).toBeCloseTo(numbers(coupled)[i]!, 5))
  })

  test('what they cannot sum is refused', () => {
    expect(() => optim.l1Penalty([])).toThrow(/no parameters/)
    expect(() => optim.penalty([{ parameters: [a], l1: -1 }])).toThrow(/groups\[0\].l1/)
  })
})

test.each([
  ['Adagrad', { lr: 0.1 }],
  ['RMSprop', { centered: true, momentum: 0.9 }],
  ['LAMB', {}],
  ['LARS', { momentum: 0.9, weightDecay: 1e-2 }],
])('%s: changing the learning rate or the step number makes no new plan', async (name, options) => {
  const model = new nn.Linear(4, 3)
  const optimizer = made(name, model, options)
  const step = async (lr: number) => {
    optimizer.groups[0]!.lr = lr
    optimizer.zeroGrad()
    model
      .forward(ones([2, 4]))
      .square()
      .mean()
      .backward()
    await optimizer.step()
  }
  await step(0.1)
  await step(0.05)
  const work = await counted(async () => {
    for (let i = 0; i < 3; i++) await step(0.1 / (i + 1))
  })
  expect(work.plansMade).toBe(0)
})

test('a parameter of zeros is moved by LAMB and LARS without a trust ratio', async () => {
  for (const name of ['LAMB', 'LARS']) {
    const p = new nn.Parameter(zeros([3]))
    const optimizer = made(name, [p], { lr: 0.1, weightDecay: 0.1 })
    p.mul(tensor([1, -1, 2]))
      .sum()
      .backward()
    await optimizer.step()
    expect(numbers(p).every((v) => Number.isFinite(v) && v !== 0)).toBe(true)
  }
})

test.each([
  ['SGD', { momentum: 0.9, weightDecay: 0.1, nesterov: true }],
  ['Adam', { amsgrad: true }],
  ['AdamW', {}],
  ['Adagrad', { weightDecay: 0.1 }],
  ['RMSprop', { centered: true, momentum: 0.9 }],
])('%s updates a parameter and its moments in one pass', async (name, options) => {
  const p = new nn.Parameter([1, 2, 3])
  const optimizer = made(name, [p], options)
  const gradient = tensor([1, -1, 0.5])
  const step = () => {
    p.grad = gradient
    return optimizer.step()
  }
  await step()
  expect((await counted(step)).kernels).toBe(1)
})

test('the norm before clipping can be read after the step', async () => {
  const p = new nn.Parameter(tensor([1, 2]))
  const optimizer = new optim.SGD([p], { lr: 0.1 })
  p.mul(tensor([3, 4]))
    .sum()
    .backward()
  const norm = optim.clipGradNorm([p], 1)
  await optimizer.step()
  optimizer.zeroGrad()
  expect(await norm.item()).toBe(5)
})
