/** S1–S4: errors at the call, immutable values, leaves, randomness. */
import { describe, expect, test } from 'vitest'
import {
  ArgumentError,
  checkpoint,
  DTypeError,
  F,
  manualSeed,
  materialize,
  nn,
  noGrad,
  rand,
  randint,
  randn,
  scope,
  ShapeError,
  tensor,
  Variable,
  withSeed,
  zeros,
  type Tensor,
} from 'fovea'
import { counted, failure, LARGE, native, numbers, sameBits } from '../engine.ts'

describe('S1: eager errors', () => {
  test('S1: the call that makes a shape error throws it, naming op, argument, what came and what was expected', () => {
    const error = failure(() => zeros([2, 3]).matmul(zeros([4, 5])))
    expect(error).toBeInstanceOf(ShapeError)
    expect(error).toMatchObject({ code: 'FOVEA_SHAPE', op: 'matmul' })
    expect(error.message).toMatch(/\[2, 3\].*\[4, 5\]/)
  })

  test('S1: dtype and argument errors are thrown by the call too', () => {
    expect(() => tensor([1, 2], { dtype: 'i32', requiresGrad: true })).toThrow(DTypeError)
    expect(() => zeros([2]).sum({ dim: 3 })).toThrow(/sum.*3/)
    expect(() => zeros([2]).add('1' as never)).toThrow(ArgumentError)
    expect(() => zeros([2]).sum({ dims: 0 } as never)).toThrow(/no option dims/)
  })

  test('S1: an error in a model names the path of its module', () => {
    const model = new nn.Sequential({ first: new nn.Linear(3, 4), second: new nn.Linear(5, 6) })
    expect(failure(() => model.forward(zeros([1, 3])))).toMatchObject({ modulePath: 'second' })
  })

  test('S1: recording goes on after an error as if the call had not been made', () => {
    const x = tensor([1, 2, 3])
    expect(() => x.add(zeros([2]))).toThrow(ShapeError)
    expect(numbers(x.add(1))).toEqual([2, 3, 4])
  })

  const callbacks: [string, (fn: () => unknown) => unknown][] = [
    ['noGrad', noGrad],
    ['scope', scope],
    ['checkpoint', checkpoint],
    ['withSeed', (fn) => withSeed(1, fn)],
  ]
  test.each(callbacks)('S1: a callback of %s that returns a promise is an ArgumentError', (name, run) => {
    expect(() => run(async () => {})).toThrow(ArgumentError)
    expect(() => run(async () => {})).toThrow(new RegExp(`${name}.*synchronous`))
    expect(() => run(() => Promise.reject(new Error('not the news')))).toThrow(ArgumentError)
  })

  test('S1: a forward that returns a promise is an ArgumentError', () => {
    class Late extends nn.Module<[Tensor], unknown> {
      override async forward(x: Tensor) {
        return x
      }
    }
    expect(() => new Late().forward(zeros([1]))).toThrow(ArgumentError)
  })

  test('S1: a callback that throws leaves no scope open', () => {
    const fail = () => {
      throw new Error('mine')
    }
    const model = new (class Broken extends nn.Module {
      override forward(_: Tensor): Tensor {
        return fail()
      }
    })()
    for (const run of [
      () => noGrad(fail),
      () => checkpoint(fail),
      () => scope(fail),
      () => model.forward(zeros([1])),
    ]) {
      expect(run).toThrow('mine')
    }
    expect(native.inModule()).toBe(false)
    expect(native.setGradEnabled(true)).toBe(true)
    expect(native.setRegion(0)).toBe(0)
  })
})

describe('S2: values are immutable', () => {
  test('S2: an op captures the version of a variable that is current when it is recorded', () => {
    const v = new Variable([1, 2])
    const before = v.mul(10)
    v.assign(tensor([3, 4]))
    const after = v.mul(10)
    v.assign(tensor([5, 6]))
    expect([numbers(before), numbers(after), numbers(v)]).toEqual([
      [10, 20],
      [30, 40],
      [5, 6],
    ])
  })

  test('S2: an evaluation-mode forward reads the statistics of the training forwards recorded before it, not after', () => {
    const norm = new nn.BatchNorm2d(1)
    const x = tensor([1, 3, 5, 7], { shape: [4, 1, 1, 1] }) // mean 4, unbiased variance 20 / 3
    const evaluated = () => {
      norm.eval()
      const y = noGrad(() => norm.forward(x))
      norm.train()
      return y
    }
    const first = evaluated()
    norm.forward(x)
    const second = evaluated()
    norm.forward(x)
    const third = evaluated()
    const expected = (updates: number) => {
      const old = 0.9 ** updates
      const [mean, variance] = [4 * (1 - old), old + (20 / 3) * (1 - old)]
      return [1, 3, 5, 7].map((v) => (v - mean) / Math.sqrt(variance + 1e-5))
    }
    for (const [updates, y] of [first, second, third].entries()) {
      const want = expected(updates)
      numbers(y).forEach((v, i) => expect(v).toBeCloseTo(want[i]!, 5))
    }
    expect(numbers(norm.numBatchesTracked!)).toEqual([2])
  })

  test('S2: computing a recipe again does not repeat an effect', async () => {
    const norm = new nn.BatchNorm2d(2)
    const hidden: Tensor[] = []
    class Model extends nn.Module {
      readonly norm = norm
      override forward(x: Tensor): Tensor {
        hidden.push(this.norm.forward(x))
        return hidden[0]!.relu().sum()
      }
    }
    const sum = noGrad(() => new Model().forward(randn([8, 2, 16, 16])))
    const total = sum.itemSync()
    const [mean, tracked] = [numbers(norm.runningMean!), numbers(norm.numBatchesTracked!)]
    let again: number[] = []
    const work = await counted(() => (again = numbers(hidden[0]!)))
    expect(work.kernels).toBeGreaterThan(0)
    expect(again.reduce((a, b) => a + Math.max(b, 0), 0)).toBeCloseTo(total, 1)
    expect([numbers(norm.runningMean!), numbers(norm.numBatchesTracked!)]).toEqual([mean, tracked])
    expect(tracked).toEqual([1])
  })
})

describe('S3: leaves', () => {
  test('S3: a leaf copies its array at the call', () => {
    const data = Float32Array.of(1, 2, 3)
    const x = tensor(data)
    const y = x.mul(2)
    data.fill(9)
    expect([numbers(x), numbers(y)]).toEqual([
      [1, 2, 3],
      [2, 4, 6],
    ])
  })

  test('S3: what is read is a copy too', () => {
    const x = tensor([1, 2])
    x.dataSync().fill(7)
    expect(numbers(x)).toEqual([1, 2])
  })

  test('S3: integers that i64 or i32 cannot hold are refused when the leaf is made', () => {
    expect(() => tensor([2n ** 63n])).toThrow(/data\[0\].*i64/)
    expect(() => tensor([2 ** 31], { dtype: 'i32' })).toThrow(/data\[0\].*i32/)
    expect(() => tensor([1.5], { dtype: 'i32' })).toThrow(/data\[0\].*1\.5/)
    expect(tensor([2n ** 62n]).dataSync<BigInt64Array>()).toEqual(BigInt64Array.of(2n ** 62n))
  })
})

describe('S4: randomness', () => {
  test('S4: a draw computed again gives the same numbers', async () => {
    const x = rand([LARGE])
    const sum = x.sum().itemSync()
    let again: number[] = []
    expect((await counted(() => (again = numbers(x)))).kernels).toBeGreaterThan(0)
    expect(again.reduce((a, b) => a + b, 0)).toBeCloseTo(sum, 2)
    expect(numbers(x)).toEqual(again)
  })

  test('S4: the same seed gives the same numbers, whatever is drawn or evaluated in between', async () => {
    const draws = async (pause: boolean) => {
      manualSeed(7)
      const a = randn([5])
      if (pause) await materialize(a)
      const b = randint(0, 1000, { shape: [5] })
      if (pause) withSeed(3, () => rand([100]))
      return [...numbers(a), ...numbers(b), ...numbers(F.dropout(rand([20]), 0.5))]
    }
    expect(await draws(true)).toEqual(await draws(false))
  })

  test('S4: two draws differ, also where they are written alike', () => {
    manualSeed(7)
    const [a, b] = [rand([10]), rand([10])]
    expect(sameBits(a.dataSync(), b.dataSync())).toBe(false)
  })

  test('S4: another seed gives other numbers', () => {
    manualSeed(7)
    const a = numbers(rand([10]))
    manualSeed(8)
    expect(numbers(rand([10]))).not.toEqual(a)
  })

  test('S4: the gradient of dropout uses the mask of its forward', () => {
    const x = new Variable(
      Array.from({ length: 200 }, () => 1),
      { requiresGrad: true },
    )
    const y = F.dropout(x, 0.5)
    const shown = numbers(y)
    y.sum().backward()
    expect(numbers(x.grad!)).toEqual(shown)
    expect(new Set(shown)).toEqual(new Set([0, 2]))
  })
})
