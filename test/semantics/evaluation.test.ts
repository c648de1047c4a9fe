/** S5–S8: when values are computed, which of them stay, and what becomes of those whose variables moved on. */
import { describe, expect, test } from 'vitest'
import {
  counters,
  F,
  materialize,
  memory,
  nn,
  noGrad,
  optim,
  randn,
  read,
  StaleValueError,
  tensor,
  Variable,
  zerosLike,
  type Tensor,
} from 'fovea'
import { collect, convNet, counted, failure, LARGE, native, numbers, valueBytes } from '../engine.ts'

describe('S5: when', () => {
  test('S5: recording computes nothing; a read, materialize and a step evaluate what is pending', async () => {
    const w = new nn.Parameter([1, 2])
    const optimizer = new optim.SGD([w], { lr: 0.1 })
    let y = w.mul(2)
    const recorded = await counted(() => {
      for (let i = 0; i < 10; i++) y = y.add(1)
    })
    expect(recorded).toMatchObject({ nodesRecorded: 11, evaluations: 0 }) // ten sums and one number
    expect((await counted(() => y.dataSync())).evaluations).toBe(1)
    const z = y.exp()
    expect((await counted(() => materialize(z))).evaluations).toBe(1)
    w.sum().backward()
    expect((await counted(() => optimizer.step())).evaluations).toBe(1)
    expect((await counted(() => read(y, z))).evaluations).toBe(0)
    expect((await counted(() => read(w))).kernels).toBe(0)
  })

  test('S5: pending work is flushed when its outputs add up to 4 GiB', async () => {
    const x = randn([1, 1 << 14])
    await materialize(x)
    const gibibyte = () => x.expand([1 << 14, 1 << 14]) // a view: nothing of that size is ever made
    const below = await counted(() => Array.from({ length: 3 }, gibibyte))
    expect(below.evaluations).toBe(0)
    const above = await counted(() => Array.from({ length: 2 }, gibibyte))
    expect(above.evaluations).toBe(1)
  })
})

describe('S6: what is materialised', () => {
  test('S6: a value that was read is not computed again', async () => {
    const x = randn([LARGE])
    const y = x.exp()
    y.dataSync()
    expect((await counted(() => y.dataSync())).evaluations).toBe(0)
  })

  test('S6: a large value that something consumes is a recipe: it is computed again when it is read', async () => {
    const y = randn([LARGE]).exp()
    const sum = y.sum().itemSync()
    let total = 0
    const work = await counted(() => (total = numbers(y).reduce((a, b) => a + b, 0)))
    expect(work.kernels).toBeGreaterThan(0)
    expect(total / sum).toBeCloseTo(1, 5)
  })

  test('S6: values of up to 1,024 elements made outside modules stay', async () => {
    const y = randn([1024]).exp()
    y.sum().itemSync()
    expect((await counted(() => y.dataSync())).kernels).toBe(0)
  })

  test('S6: values made within modules do not stay, but what a module returns to code outside does', async () => {
    const inside: Tensor[] = []
    class Model extends nn.Module {
      override forward(x: Tensor): Tensor {
        inside.push(x.exp())
        return inside[0]!.log()
      }
    }
    const y = noGrad(() => new Model().forward(randn([LARGE])))
    y.sum().itemSync()
    expect((await counted(() => y.dataSync())).kernels).toBe(0)
    expect((await counted(() => inside[0]!.dataSync())).kernels).toBeGreaterThan(0)
  })

  test('S6: what a module returns to another module does not stay', async () => {
    const model = new nn.Sequential({ first: new nn.ReLU(), second: new nn.Tanh() })
    let hidden: Tensor | undefined
    ;(model.get('first') as nn.ReLU).onForward(({ output }) => void (hidden = output))
    const y = noGrad(() => model.forward(randn([LARGE])))
    y.sum().itemSync()
    expect((await counted(() => hidden!.dataSync())).kernels).toBeGreaterThan(0)
  })

  test('S6: nodes without consumers are computed with everything else', async () => {
    const x = randn([LARGE])
    const frontier = x.exp()
    x.sum().itemSync()
    expect((await counted(() => frontier.dataSync())).kernels).toBe(0)
  })

  test('S6: a collected temporary still counts as a node, an explicit dispose removes it', async () => {
    const work = (drop: (x: Tensor) => void) =>
      counted(async () => {
        const x = randn([LARGE])
        drop(x.exp())
        await collect()
        x.sum().itemSync()
      })
    let held: Tensor | undefined
    const kept = await work((x) => void (held = x))
    const collected = await work(() => {})
    const disposed = await work((x) => x.dispose())
    expect(held).toBeDefined()
    expect(collected.nodesEvaluated).toBe(kept.nodesEvaluated)
    expect(collected.plansHit).toBe(1)
    expect(disposed.nodesEvaluated).toBe(kept.nodesEvaluated - 1)
  })

  test('S6: a materialised view much smaller than its base is copied', async () => {
    const before = await valueBytes()
    const base = randn([1 << 18]).add(1) // 1 MiB
    const view = base.at([0, 4])
    await materialize(base, view)
    base.dispose()
    expect((await valueBytes()) - before).toBeLessThan(1 << 16)
    expect(numbers(view)).toHaveLength(4)
  })
})

describe('S7: a running total never grows', () => {
  test('S7: logits and each part of a loss can be read after the step', async () => {
    const model = convNet()
    const optimizer = new optim.SGD(model, { lr: 0.1 })
    const logits = model.forward(randn([2, 1, 8, 8]))
    const parts = [F.crossEntropy(logits, tensor([1, 2], { dtype: 'i32' })), logits.square().mean().mul(0.01)]
    const loss = parts[0]!.add(parts[1]!)
    loss.backward()
    await optimizer.step()
    expect(numbers(logits)).toHaveLength(8)
    const [a, b, sum] = [...parts, loss].map((x) => x.itemSync())
    expect(a! + b!).toBeCloseTo(sum!, 5)
  })

  test('S7: a running total that is never read costs the same at every step', async () => {
    const w = new nn.Parameter(randn([16]))
    const optimizer = new optim.SGD([w], { lr: 0.01 })
    let total = tensor(0)
    const costs: number[][] = []
    let expected = 0
    for (let i = 0; i < 60; i++) {
      const loss = w.square().sum()
      total = total.add(loss.detach())
      loss.backward()
      const work = await counted(() => optimizer.step())
      optimizer.zeroGrad()
      if (i % 20 === 19) {
        await collect()
        costs.push([work.nodesEvaluated, work.kernels, memory().nodes, memory().handles])
      }
      expected += loss.itemSync()
    }
    expect(costs[1]).toEqual(costs[0])
    expect(costs[2]).toEqual(costs[0])
    expect(total.itemSync()).toBeCloseTo(expected, 3)
  })
})

describe('S8: moved on', () => {
  /** A large value computed from a variable `weight`, which has moved on since. */
  async function moved(before: (h: Tensor) => void = () => {}): Promise<{ h: Tensor; sum: number }> {
    const model = new nn.Linear(8, LARGE, { bias: false })
    const optimizer = new optim.SGD(model, { lr: 0.1 })
    const hidden: Tensor[] = []
    class Outer extends nn.Module {
      readonly layer = model
      override forward(x: Tensor): Tensor {
        hidden.push(this.layer.forward(x).exp())
        return hidden[0]!.sum()
      }
    }
    const sum = new Outer().forward(randn([1, 8]))
    before(hidden[0]!)
    sum.backward()
    await optimizer.step()
    return { h: hidden[0]!, sum: sum.itemSync() }
  }

  test('S8: a recipe that read a version that is gone throws StaleValueError, naming the variable and keep()', async () => {
    const { h } = await moved()
    const error = failure(() => h.dataSync())
    expect(error).toBeInstanceOf(StaleValueError)
    expect(error.message).toContain('layer.weight')
    expect(error.message).toContain('keep()')
    await expect(h.data()).rejects.toThrow(StaleValueError)
    expect([h.shape, h.dtype]).toEqual([[1, LARGE], 'f32'])
  })

  test('S8: so does work recorded on it afterwards', async () => {
    const { h } = await moved()
    expect(() => h.mul(2).dataSync()).toThrow(StaleValueError)
    expect(() => h.detach()).toThrow(StaleValueError)
    expect(() => new Variable(h)).toThrow(StaleValueError)
    expect(() => new Variable(zerosLike(h)).assign(h)).toThrow(StaleValueError)
    expect(numbers(tensor([1]).add(1))).toEqual([2])
  })

  test('S8: a kept value can be read', async () => {
    const { h, sum } = await moved((x) => x.keep())
    expect(numbers(h).reduce((a, b) => a + b, 0) / sum).toBeCloseTo(1, 5)
  })

  test('S8: keep() evaluates nothing; called too late it throws', async () => {
    const [before, after] = [counters(), counters()]
    await moved((x) => {
      Object.assign(before, counters())
      x.keep()
      Object.assign(after, counters())
    })
    expect(after).toEqual(before)
    const { h } = await moved()
    expect(() => h.keep()).toThrow(StaleValueError)
  })

  test('S8: keep() of a recipe whose variables stand computes it again at the next evaluation', async () => {
    const w = new Variable(randn([LARGE]), { name: 'w' })
    const h = w.exp()
    h.sum().itemSync()
    h.keep()
    w.assign(w.mul(0))
    await materialize(w)
    expect(Math.min(...numbers(h))).toBeGreaterThan(0)
    expect(numbers(w)[0]).toBeCloseTo(0)
  })

  test('S8: reads of the old version that are pending run before the write', async () => {
    const v = new Variable(tensor([1, 2, 3]))
    await materialize(v)
    const old = v.mul(10)
    v.assign(v.add(1))
    const now = v.mul(10)
    await materialize(v)
    expect([numbers(old), numbers(now)]).toEqual([
      [10, 20, 30],
      [20, 30, 40],
    ])
  })

  test('S8: reading is still possible while the new version is pending', () => {
    const w = new Variable(randn([LARGE]))
    const h = w.exp()
    h.sum().itemSync()
    w.assign(w.mul(0))
    expect(Math.min(...numbers(h))).toBeGreaterThan(0)
    expect(native.inModule()).toBe(false)
  })
})
