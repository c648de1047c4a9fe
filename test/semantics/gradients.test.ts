/** S9–S11: what is saved for backward, `.grad`, checkpoints. */
import { describe, expect, test } from 'vitest'
import {
  checkpoint,
  F,
  grad,
  manualSeed,
  materialize,
  memory,
  nn,
  optim,
  randn,
  StaleValueError,
  tensor,
  Variable,
  withSeed,
  type Tensor,
} from 'fovea'
import { collect, convNet, counted, failure, numbers, sameBits, valueBytes } from '../engine.ts'

const images = () => withSeed(3, () => randn([4, 1, 8, 8]))
const labels = () => tensor([0, 1, 2, 3], { dtype: 'i32' })

/** A network and its optimizer, the same at each call. */
function seeded(): { model: nn.Sequential; optimizer: optim.SGD } {
  const model = withSeed(5, () => convNet({ dropout: 0 }))
  return { model, optimizer: new optim.SGD(model, { lr: 0.1 }) }
}

describe('S9: saved for backward', () => {
  test('S9: the forward runs once when the loss is read before backward', async () => {
    // Without views, which are never saved and cost nothing when they are followed again.
    class Small extends nn.Module {
      readonly conv = new nn.Conv2d(1, 4, 3, { padding: 1, bias: false })
      override forward(x: Tensor): Tensor {
        return F.maxPool2d(F.dropout(this.conv.forward(x).gelu()), 2).mean({ dim: [2, 3] })
      }
    }
    const work = async (readFirst: boolean) => {
      manualSeed(5)
      const model = new Small()
      const optimizer = new optim.SGD(model, { lr: 0.1 })
      await materialize(...model.parameters(), ...model.buffers())
      const [x, target] = [images(), labels()]
      await materialize(x, target)
      const parts: number[] = []
      const part = async (fn: () => unknown) => parts.push((await counted(fn)).nodesEvaluated)
      let loss: Tensor | undefined
      await part(() => {
        loss = F.crossEntropy(model.forward(x), target)
        if (readFirst) loss.itemSync()
      })
      await part(() => {
        loss!.backward()
        return optimizer.step()
      })
      return { parts, weights: model.parameters().flatMap(numbers) }
    }
    const apart = await work(true)
    const together = await work(false)
    expect(together.parts[0]).toBe(0)
    expect(apart.parts[0]).toBeGreaterThan(0)
    expect(apart.parts[0]! + apart.parts[1]!).toBe(together.parts[1])
    expect(apart.weights).toEqual(together.weights)
  })

  test('S9: what is saved goes once backward has used it', async () => {
    const { model, optimizer } = seeded()
    const x = withSeed(3, () => randn([64, 1, 8, 8]))
    const target = tensor(
      Array.from({ length: 64 }, (_, i) => i % 4),
      { dtype: 'i32' },
    )
    await materialize(x, target, ...model.parameters())
    const before = await valueBytes()
    const loss = F.crossEntropy(model.forward(x), target)
    loss.itemSync()
    const saved = (await valueBytes()) - before
    loss.backward()
    await optimizer.step()
    optimizer.zeroGrad()
    const after = (await valueBytes()) - before
    expect(saved).toBeGreaterThan(64 * 4 * 64 * 4) // at least one image of four channels for each input
    expect(after).toBeLessThan(saved / 10)
  })

  test('S9: what is saved goes when nothing can ask for the gradient any more', async () => {
    const w = new nn.Parameter(randn([1 << 16]))
    await materialize(w)
    const before = await valueBytes()
    w.exp().sum().itemSync()
    expect((await valueBytes()) - before).toBeLessThan(1024)
  })

  test('S9: a second backward computes again while the variables stand', async () => {
    const { model } = seeded()
    const loss = F.crossEntropy(model.forward(images()), labels())
    loss.backward()
    const [first] = model.parameters().map((p) => numbers(p.grad!))
    loss.backward()
    const [second] = model.parameters().map((p) => numbers(p.grad!))
    second!.forEach((v, i) => expect(v).toBeCloseTo(2 * first![i]!, 5))
  })

  test('S9: a backward through variables that have moved on throws StaleValueError', async () => {
    const { model, optimizer } = seeded()
    const loss = F.crossEntropy(model.forward(images()), labels())
    loss.backward()
    await optimizer.step()
    const error = failure(() => loss.backward())
    expect(error).toBeInstanceOf(StaleValueError)
    expect(error.message).toMatch(/weight|bias/)
  })
})

describe('S10: gradients', () => {
  const loss = (w: Tensor) => w.mul(tensor([1, 2, 3])).sum()

  test('S10: .grad is null until the first backward and accumulates from then on', () => {
    const w = new nn.Parameter([1, 1, 1])
    expect(w.grad).toBeNull()
    loss(w).backward()
    expect(numbers(w.grad!)).toEqual([1, 2, 3])
    loss(w).backward()
    loss(w).backward()
    expect(numbers(w.grad!)).toEqual([3, 6, 9])
  })

  test('S10: zeroGrad sets null and cancels an accumulation that is pending', async () => {
    const w = new nn.Parameter([1, 1, 1])
    const optimizer = new optim.SGD([w], { lr: 1 })
    loss(w).backward()
    optimizer.zeroGrad()
    expect(w.grad).toBeNull()
    await optimizer.step()
    expect(numbers(w)).toEqual([1, 1, 1])
    loss(w).backward()
    expect(numbers(w.grad!)).toEqual([1, 2, 3])
  })

  test('S10: a gradient that was fetched keeps its value after zeroGrad', () => {
    const w = new nn.Parameter([1, 1, 1])
    loss(w).backward()
    const g = w.grad!
    w.grad = null
    loss(w).backward()
    expect([numbers(g), numbers(w.grad!)]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ])
  })

  test('S10: grad() never touches .grad', () => {
    const w = new nn.Parameter([1, 2, 3])
    const [g] = grad(w.square().sum(), w)
    expect(numbers(g!)).toEqual([2, 4, 6])
    expect(w.grad).toBeNull()
    loss(w).backward()
    grad(w.square().sum(), w)
    expect(numbers(w.grad!)).toEqual([1, 2, 3])
  })

  test('S10: under createGraph .grad keeps its graph, else it has none', () => {
    const w = new nn.Parameter([1, 2, 3])
    w.pow(3).sum().backward(null, { createGraph: true })
    expect(w.grad!.requiresGrad).toBe(true)
    const [second] = grad(w.grad!.sum(), w)
    expect(numbers(second!)).toEqual([6, 12, 18])
    const v = new nn.Parameter([1, 2, 3])
    v.pow(3).sum().backward()
    expect(v.grad!.requiresGrad).toBe(false)
  })

  test('S10: there is no gradient work for leaves that nobody asked about', async () => {
    const nodes = async (frozen: boolean) => {
      const { model } = seeded()
      const [first] = model
      if (frozen) (first as nn.Conv2d).freeze()
      const y = F.crossEntropy(model.forward(images()), labels())
      return (await counted(() => y.backward())).nodesRecorded
    }
    expect(await nodes(true)).toBeLessThan(await nodes(false))
    const x = images()
    const y = seeded().model.forward(x).sum()
    y.backward()
    expect(x.grad).toBeNull()
  })

  test('S10: retainGrad keeps .grad of a value that is no leaf', () => {
    const w = new nn.Parameter([1, 2, 3])
    const h = w.mul(2)
    const kept = w.mul(3).retainGrad()
    h.add(kept).square().sum().backward()
    expect(h.grad).toBeNull()
    expect(numbers(kept.grad!)).toEqual([10, 20, 30])
  })
})

describe('S11: checkpoint', () => {
  const run = async (wrap: <T>(fn: () => T) => T, readFirst: boolean) => {
    const layers = withSeed(9, () => Array.from({ length: 4 }, () => new nn.Linear(64, 64)))
    const model = new nn.Sequential(...layers)
    await materialize(...model.parameters())
    const x = withSeed(1, () => randn([128, 64]))
    await materialize(x)
    const bytes = await valueBytes()
    let y: Tensor | undefined
    const [first, second] = [
      await counted(() => {
        y = withSeed(2, () => wrap(() => F.dropout(model.forward(x).tanh(), 0.5)))
          .square()
          .sum()
        if (readFirst) y.itemSync()
      }),
      (await valueBytes()) - bytes,
    ]
    const rest = await counted(() => {
      y!.backward()
      return materialize(...model.parameters().map((p) => p.grad!))
    })
    return {
      kernels: first.kernels + rest.kernels,
      saved: second,
      gradients: model.parameters().map((p) => p.grad!.dataSync()),
    }
  }
  const plain = <T>(fn: () => T) => fn()

  test('S11: gradients are the same to the bit, dropout included', async () => {
    const [a, b] = [await run(plain, false), await run(checkpoint, false)]
    a.gradients.forEach((g, i) => expect(sameBits(g, b.gradients[i]!)).toBe(true))
  })

  test('S11: less is kept between the reading of the loss and backward', async () => {
    const [a, b] = [await run(plain, true), await run(checkpoint, true)]
    expect(b.saved).toBeLessThan(a.saved / 2)
    a.gradients.forEach((g, i) => expect(sameBits(g, b.gradients[i]!)).toBe(true))
  })

  test('S11: the region is computed again also where merging equal nodes could undo that', async () => {
    const [a, b] = [await run(plain, false), await run(checkpoint, false)]
    expect(b.kernels).toBeGreaterThan(a.kernels)
  })

  test('S11: regions can be nested and used in a step', async () => {
    const w = new Variable([1, 2], { requiresGrad: true })
    const y = checkpoint(() => checkpoint(() => w.exp()).mul(w)).sum()
    y.backward()
    const expected = [1, 2].map((v) => Math.exp(v) * (1 + v))
    numbers(w.grad!).forEach((g, i) => expect(g).toBeCloseTo(expected[i]!, 4))
    await collect()
    expect(memory().handles).toBeGreaterThan(0)
  })
})
