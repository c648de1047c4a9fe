/** S15–S17: known sizes, handles, dispose. */
import { describe, expect, test } from 'vitest'
import {
  DisposedError,
  F,
  materialize,
  memory,
  nn,
  noGrad,
  optim,
  rand,
  randn,
  scope,
  StaleValueError,
  tensor,
  Variable,
  type Tensor,
} from 'fovea'
import { collect, convNet, counted, LARGE, native, numbers, valueBytes } from '../engine.ts'

describe('S15: data-dependent sizes', () => {
  test('S15: the shape of every result is known when it is recorded, before anything is computed', async () => {
    let shapes: (readonly number[])[] = []
    const work = await counted(() => {
      const x = rand([6, 6])
      const picked = F.gather(x, 1, x.argmax({ dim: 1, keepDim: true }))
      shapes = [picked, x.gt(0.5).sum(), F.where(x.gt(0.5), x, 0), F.embedding(x.argmax({ dim: 1 }), x)].map(
        (y) => y.shape,
      )
    })
    expect(shapes).toEqual([[6, 1], [], [6, 6], [6, 6]])
    expect(work.evaluations).toBe(0)
  })
})

describe('S16: handles', () => {
  test('S16: handles of collected tensors are freed, and what they held', async () => {
    await materialize() // nothing is left pending
    const before = [await valueBytes(), memory().handles, memory().nodes]
    const make = () => {
      for (let i = 0; i < 100; i++)
        randn([1 << 14])
          .exp()
          .dataSync()
    }
    make()
    expect([await valueBytes(), memory().handles, memory().nodes]).toEqual(before)
  })

  test('S16: a handle whose slot has been used again is a disposed one', () => {
    const x = tensor([1])
    x.dispose()
    const others = Array.from({ length: 50 }, () => tensor([2])) // one of them has the slot of x
    expect(() => x.add(1)).toThrow(DisposedError)
    expect(() => x.dataSync()).toThrow(DisposedError)
    x.dispose() // a second time does nothing
    expect(others.map((y) => y.itemSync())).toEqual(Array.from({ length: 50 }, () => 2))
  })

  test('S16: handles stay few in a loop that never yields, in training and in inference without noGrad', () => {
    const model = convNet()
    const optimizer = new optim.Adam(model)
    const x = randn([2, 1, 8, 8])
    const target = tensor([0, 1], { dtype: 'i32' })
    const before = native.handleMark()
    const most = { handles: 0, nodes: 0, values: 0 }
    const watch = () => {
      const now = memory()
      for (const name of ['handles', 'nodes', 'values'] as const) most[name] = Math.max(most[name], now[name])
    }
    for (let i = 0; i < 2000; i++) {
      const loss = F.crossEntropy(model.forward(x), target)
      optimizer.zeroGrad()
      loss.backward()
      void optimizer.step()
      loss.itemSync()
      if (i % 10 === 0) watch()
    }
    for (let i = 0; i < 2000; i++) {
      model.forward(x).argmax({ dim: 1 }).dataSync()
      if (i % 10 === 0) watch()
    }
    const made = native.handleMark() - before
    expect(made).toBeGreaterThan(160_000)
    // When the collector runs is its own affair: on a busy machine a third of all were alive at once.
    expect(most.handles).toBeLessThan(made / 2)
    expect(most.nodes).toBeLessThan(made / 2)
    expect(most.values).toBeLessThan(16 << 20)
  })

  test('S16: a recipe whose variable moved on keeps shape, dtype and the name for the error, and nothing else', async () => {
    const w = new nn.Parameter(randn([8, 8]))
    const optimizer = new optim.SGD([w], { lr: 0.1 })
    const recipes: Tensor[] = []
    await materialize(w)
    const before = memory().nodes
    for (let i = 0; i < 100; i++) {
      const h = randn([LARGE / 8, 8])
        .matmul(w)
        .exp()
      recipes.push(h)
      const loss = h.sum()
      optimizer.zeroGrad()
      loss.backward()
      await optimizer.step()
    }
    optimizer.zeroGrad()
    const bytes = await valueBytes()
    expect(memory().nodes - before).toBeLessThan(130) // a tombstone each
    expect(bytes).toBeLessThan(1 << 20)
    for (const h of recipes) {
      expect([h.shape, h.dtype]).toEqual([[LARGE / 8, 8], 'f32'])
      expect(() => h.dataSync()).toThrow(StaleValueError)
      expect(() => h.dataSync()).toThrow('computed from a variable, which has moved on') // it has no name
    }
  })

  test('S16: the collector is told of bytes outside its heap, so that a loop of large values stays small', () => {
    let most = 0
    let y = randn([1 << 18]) // 1 MiB
    for (let i = 0; i < 2000; i++) {
      y = y.add(1)
      y.dataSync()
      most = Math.max(most, memory().values)
    }
    // Each object on JavaScript's heap is tiny: unreported, they would pile up to 2,000 MiB.
    expect(most).toBeLessThan(600 << 20)
  })

  test('S16: variables are freed with their objects', async () => {
    const before = [await valueBytes(), memory().nodes]
    const make = () => {
      for (let i = 0; i < 20; i++) {
        const model = convNet()
        const optimizer = new optim.Adam(model)
        model
          .forward(randn([2, 1, 8, 8]))
          .sum()
          .backward()
        void optimizer.step()
      }
    }
    make()
    native.drain()
    await collect()
    expect([await valueBytes(), memory().nodes]).toEqual(before)
  })
})

describe('S17: dispose', () => {
  test('S17: pending work that needs a disposed value still completes', () => {
    const x = tensor([1, 2, 3])
    const h = x.mul(2)
    const y = h.add(1)
    h.dispose()
    x.dispose()
    expect(numbers(y)).toEqual([3, 5, 7])
  })

  test('S17: computing again through a disposed value throws DisposedError', () => {
    const x = randn([LARGE])
    const h = x.exp()
    const y = h.mul(2)
    y.sum().itemSync()
    x.dispose()
    expect(() => y.dataSync()).toThrow(DisposedError)
    expect(() => y.add(1).dataSync()).toThrow(DisposedError)
    expect(numbers(tensor([1]))).toEqual([1])
  })

  test("S17: other handles' values survive", () => {
    const x = tensor([1, 2, 3, 4])
    const [other, view, copy] = [x.detach(), x.at([1, 3]), x.mul(1)]
    view.dataSync()
    x.dispose()
    expect([numbers(other), numbers(view), numbers(copy)]).toEqual([
      [1, 2, 3, 4],
      [2, 3],
      [1, 2, 3, 4],
    ])
  })

  test('S17: dispose frees at once', async () => {
    const x = randn([1 << 18])
    await materialize(x)
    const before = memory().values
    x.dispose()
    // The engine may just be letting go of values of tests before this one.
    expect(before - memory().values).toBeGreaterThanOrEqual(1 << 20)
  })

  test('S17: scope disposes of all that was made in it but what it returns', async () => {
    const outside = tensor([1, 2])
    const inside: Tensor[] = []
    const [kept, { also }] = scope(() => {
      inside.push(outside.mul(2), outside.mul(3))
      return [inside[0]!.add(1), { also: inside[1]!.add(1) }] as const
    })
    expect([numbers(kept), numbers(also), numbers(outside)]).toEqual([
      [3, 5],
      [4, 7],
      [1, 2],
    ])
    for (const x of inside) expect(() => x.dataSync()).toThrow(DisposedError)
  })

  test('S17: what a scope kept with keep() goes with it', async () => {
    const before = await valueBytes()
    scope(() => {
      const h = randn([1 << 16])
        .exp()
        .keep()
      h.sum().itemSync()
    })
    expect(await valueBytes()).toBe(before)
  })

  test('S17: using disposes at the end of the block', async () => {
    let kept: Tensor
    {
      using x = tensor([1])
      kept = x
    }
    expect(() => kept.dataSync()).toThrow(DisposedError)
  })

  test('S17: a disposed variable is gone, the values made from it are not', () => {
    const v = new Variable([1, 2])
    const y = v.mul(2)
    v.dispose()
    expect(() => v.mul(2)).toThrow(DisposedError)
    expect(() => v.dataSync()).toThrow(DisposedError)
    expect(numbers(noGrad(() => y.add(1)))).toEqual([3, 5])
  })
})
