/** Layers and losses against PyTorch; the cases are those of test/reference/nn.py. */
import { describe, expect, test } from 'vitest'
import { F, nn, optim, type Tensor } from 'fovea'
import { expectClose, fixtures, given, type LayerCase } from '../reference/fixtures.ts'

type Layer = nn.Module<[Tensor], Tensor>
const classes = nn as unknown as Record<string, new (...args: unknown[]) => Layer>
const { AdamW, Adam, SGD, StepLR, CosineAnnealingLR, OneCycleLR } = optim
const optimizers = { AdamW, Adam, SGD }
const schedules = { StepLR, CosineAnnealingLR, OneCycleLR }

const called = (name: string, args: unknown[]) => `${name}(${args.map((a) => JSON.stringify(a)).join(', ')})`
const title = ({ module, args, mode }: LayerCase) => `${called(module, args)}, ${mode}`

describe(`layers agree with PyTorch ${fixtures.torch}`, () => {
  test.each(fixtures.layers.map((c, i) => [`${title(c)} (${i})`, c] as const))('%s', (_, c) => {
    const layer = new classes[c.module]!(...c.args)
    const dict = Object.entries(c.before).map(([key, value]) => {
      return [key, given(value, key === 'num_batches_tracked' ? 'i64' : 'f32')] as const
    })
    layer.loadStateDict(Object.fromEntries(dict))
    layer.train(c.mode === 'train')
    const x = given(c.input, c.integers ? 'i32' : 'f32', !c.integers)
    const y = layer.forward(x)
    expectClose(y, c.output, 'the output')
    y.mul(y).mul(y).sum().backward() // cubes: the squares of normalised values have no gradient
    if (c.inputGradient) expectClose(x.grad!, c.inputGradient, "the input's gradient", 2e-5)
    const parameters = Object.fromEntries(layer.namedParameters())
    expect(Object.keys(parameters).toSorted()).toEqual(Object.keys(c.gradients).toSorted())
    for (const [name, g] of Object.entries(c.gradients)) {
      expectClose(parameters[name]!.grad!, g, `the gradient of ${name}`, 2e-5)
    }
    const state = layer.stateDict()
    expect(Object.keys(state).toSorted()).toEqual(Object.keys(c.after).toSorted())
    for (const [name, value] of Object.entries(c.after)) expectClose(state[name]!, value, name)
  })
})

describe(`losses agree with PyTorch ${fixtures.torch}`, () => {
  const functions = F as unknown as Record<string, (x: Tensor, target: Tensor, options: object) => Tensor>
  const all = fixtures.losses.map((c, i) => {
    return [`${called(c.loss, [...Object.keys(c.tensors), c.options])} (${i})`, c] as const
  })
  test.each(all)('%s', (_, c) => {
    const x = given(c.prediction, 'f32', true)
    const tensors = Object.fromEntries(Object.entries(c.tensors).map(([name, value]) => [name, given(value)]))
    const y = functions[c.loss]!(x, given(c.target, c.integers ? 'i32' : 'f32'), { ...c.options, ...tensors })
    expectClose(y, c.output, 'the loss')
    y.sum().backward()
    expectClose(x.grad!, c.gradient, 'the gradient')
  })
})

describe(`optimizers agree with PyTorch ${fixtures.torch} over 50 steps`, () => {
  const { x, target, initial, cases } = fixtures.optimizers
  test.each(cases.map((c) => [called(c.optimizer, [c.options, c.clip]), c] as const))('%s', async (_, c) => {
    const model = new nn.Sequential(new nn.Linear(3, 4), new nn.Tanh(), new nn.Linear(4, 2)).to('f64')
    model.loadStateDict(Object.fromEntries(Object.entries(initial).map(([k, v]) => [k, given(v, 'f64')])))
    const optimizer = new optimizers[c.optimizer](model, c.options)
    const losses: number[] = []
    for (let i = 0; i < 50; i++) {
      const loss = F.mseLoss(model.forward(given(x, 'f64')), given(target, 'f64'))
      optimizer.zeroGrad()
      loss.backward()
      if (c.clip !== null) optim.clipGradNorm(model.parameters(), c.clip)
      await optimizer.step()
      losses.push(loss.itemSync())
    }
    losses.forEach((loss, i) => expect(Math.abs(loss / c.losses[i]! - 1), `loss ${i}`).toBeLessThan(1e-10))
    const state = model.stateDict()
    for (const [name, value] of Object.entries(c.after)) expectClose(state[name]!, value, name, 1e-10)
  })
})

describe(`schedules agree with PyTorch ${fixtures.torch}`, () => {
  test.each(fixtures.schedules.map((c) => [called(c.schedule, [c.options]), c] as const))('%s', (_, c) => {
    const optimizer = new optimizers[c.optimizer]([new nn.Parameter([1])], c.optimizerOptions)
    const [group] = optimizer.groups as { lr: number; momentum?: number; betas?: readonly [number, number] }[]
    const Schedule = schedules[c.schedule] as new (o: unknown, options: unknown) => optim.Schedule
    const schedule = new Schedule(optimizer, c.options)
    for (const [i, [lr, momentum]] of c.rows.entries()) {
      if (i > 0) schedule.step()
      expect(Math.abs(group!.lr - lr), `lr of step ${i}`).toBeLessThan(1e-12)
      expect(Math.abs((group!.betas?.[0] ?? group!.momentum ?? 0) - momentum), `momentum ${i}`).toBeLessThan(1e-12)
    }
  })

  test('a schedule goes on from its state dict', () => {
    const make = () => new optim.SGD([new nn.Parameter([1])], { lr: 0.5 })
    const [a, b] = [make(), make()]
    const first = new optim.CosineAnnealingLR(a, { tMax: 10 })
    const second = new optim.CosineAnnealingLR(b, { tMax: 10 })
    for (let i = 0; i < 4; i++) first.step()
    second.loadStateDict(first.stateDict())
    expect(b.groups[0]!.lr).toBe(a.groups[0]!.lr)
    for (const s of [first, second]) s.step()
    expect(b.groups[0]!.lr).toBe(a.groups[0]!.lr)
    expect(b.groups[0]!.lr).toBeLessThan(0.5)
  })
})
