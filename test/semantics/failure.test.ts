/** S18, S19: failures in the middle of a plan, steps in flight. */
import { afterEach, describe, expect, test } from 'vitest'
import { F, materialize, nn, noGrad, optim, ones, rand, randn, tensor, Variable } from 'fovea'
import { runChild } from '../child.ts'
import { collect, convNet, native, numbers } from '../engine.ts'

/** The step after the next `steps` ones fails, once. */
const failAfter = (steps: number) => native.setFlag('failAfter', steps)

afterEach(() => failAfter(-1))

function loop() {
  const model = convNet()
  const optimizer = new optim.SGD(model, { lr: 0.01 }) // without state, which could be lost too
  const x = randn([4, 1, 8, 8])
  const target = tensor([0, 1, 2, 3], { dtype: 'i32' })
  return {
    model,
    optimizer,
    step(): Promise<void> {
      const loss = F.crossEntropy(model.forward(x), target)
      optimizer.zeroGrad()
      loss.backward()
      return optimizer.step()
    },
  }
}

describe('S18: failure', () => {
  test('S18: the failure of a step reaches who awaits it, and nobody else', async () => {
    const { step } = loop()
    await step()
    for (const steps of [0, 3, 7]) {
      failAfter(steps)
      await expect(step()).rejects.toThrow('injected failure')
      expect(numbers(tensor([1]).add(1))).toEqual([2])
    }
  })

  test('S18: it also reaches the reads that wait for its values', async () => {
    const { model, step } = loop()
    await step()
    const logits = model.forward(ones([1, 1, 8, 8])).mul(2)
    failAfter(0)
    await expect(logits.data()).rejects.toThrow('injected failure')
    expect(() => logits.dataSync()).toThrow('injected failure')
    expect(numbers(model.forward(ones([1, 1, 8, 8])))).toHaveLength(4)
  })

  test('S18: variables keep their old value or say that it was lost, and can be loaded again', async () => {
    const seen = { kept: 0, lost: 0 }
    for (let steps = 0; steps < 40; steps += 2) {
      const { model, step } = loop()
      await step()
      const before = model.parameters().map(numbers)
      const dict = Object.fromEntries(
        Object.entries(model.stateDict()).map(([key, x]) => [key, tensor(x.dataSync(), x)]),
      )
      await collect() // nothing holds the old versions any more, so they are written in place
      failAfter(steps)
      const failed = await step().then(
        () => false,
        () => true,
      )
      if (!failed) break
      for (const [i, p] of model.parameters().entries()) {
        const now = await p.data().then(
          (values) => Array.from(values),
          (error: Error) => error.message,
        )
        expect([before[i], expect.stringMatching(/lost.*load it again/)]).toContainEqual(now)
        seen[typeof now === 'string' ? 'lost' : 'kept']++
      }
      model.loadStateDict(dict)
      expect(model.parameters().map(numbers)).toEqual(before)
      await step()
      expect(model.parameters().flatMap(numbers).every(Number.isFinite)).toBe(true)
    }
    expect(seen.kept).toBeGreaterThan(0)
    expect(seen.lost).toBeGreaterThan(0)
  })

  test('S18: what was valid before stays valid', async () => {
    const x = tensor([1, 2])
    const y = x.add(1)
    y.dataSync()
    failAfter(0)
    await expect(rand([10]).exp().sum().data()).rejects.toThrow('injected failure')
    expect([numbers(x), numbers(y), numbers(y.mul(2))]).toEqual([
      [1, 2],
      [2, 3],
      [4, 6],
    ])
  })

  test('S18: if nobody waits, the next call into the library throws it, once', async () => {
    const { step } = loop()
    await step()
    failAfter(0)
    void step()
    await new Promise((done) => setTimeout(done, 100))
    expect(() => ones([1])).toThrow('injected failure')
    expect(numbers(ones([1]))).toEqual([1])
  })

  test('S18: the failure of an unawaited step is not lost on who awaits a later one', async () => {
    const { step } = loop()
    await step()
    const both = async () => {
      failAfter(0)
      void step()
      await step()
    }
    for (let i = 0; i < 10; i++) await expect(both()).rejects.toThrow('injected failure')
  })

  test('S18: leaving a scope never throws a failure, the next op after it does', async () => {
    const w = new nn.Parameter(randn([4]))
    const optimizer = new optim.SGD([w], { lr: 0.1 })
    w.exp().sum().backward()
    failAfter(0)
    noGrad(() => {
      void optimizer.step()
      const end = performance.now() + 200
      while (performance.now() < end); // the failure arrives before noGrad's own last call
    })
    expect(native.setGradEnabled(true)).toBe(true)
    expect(() => ones([1])).toThrow('injected failure')
  })

  test('S18: neither awaited, unawaited nor caught late is a failed step an unhandled rejection', async () => {
    const { code, stdout, stderr } = await runChild('failed-steps')
    expect(stderr).toBe('')
    expect(stdout.trim().split('\n')).toEqual([
      'awaited: injected failure',
      'unawaited: the next call threw injected failure',
      'caught late: injected failure',
      'read: injected failure',
      'usable: 3',
    ])
    expect(code).toBe(0)
  })
})

describe('S19: steps in flight', () => {
  test('S19: an unawaited third step blocks until the first has been done, the second does not', async () => {
    const w = new nn.Parameter(randn([700, 700]))
    const optimizer = new optim.SGD([w], { lr: 1e-9 })
    await materialize(w)
    const step = () => {
      let y = w.mul(1e-3)
      for (let i = 0; i < 12; i++) y = y.matmul(w).mul(1e-2) // long enough to be seen running
      const loss = y.sum()
      loss.backward()
      const done = optimizer.step()
      optimizer.zeroGrad()
      return { done, isReady: () => native.isReady(loss._id) }
    }
    await step().done
    const first = step()
    const second = step()
    const afterTwo = second.isReady()
    const third = step()
    expect(afterTwo).toBe(false)
    expect(first.isReady()).toBe(true)
    await third.done
    expect(third.isReady()).toBe(true)
  })

  test('S19: awaited steps queue, each sees the one before', async () => {
    const v = new Variable([0], { requiresGrad: true })
    const optimizer = new optim.SGD([v as nn.Parameter], { lr: 1 })
    const all = Array.from({ length: 10 }, () => {
      optimizer.zeroGrad()
      v.mul(-1).sum().backward()
      return optimizer.step()
    })
    await Promise.all(all)
    expect(numbers(v)).toEqual([10])
  })
})
