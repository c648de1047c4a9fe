/** The first op that makes a NaN or an infinity is named, with module and line. */
import { describe, expect, test } from 'vitest'
import {
  AnomalyError,
  ArgumentError,
  customFunction,
  detectAnomaly,
  F,
  grad,
  manualSeed,
  nn,
  tensor,
  type Tensor,
} from 'fovea'
import { failure } from '../engine.ts'
import { gpuFor } from '../gpu.ts'

const gpu = await gpuFor('detectAnomaly on the GPU')

/** What `fn` makes detectAnomaly throw. */
function anomaly(fn: () => unknown): AnomalyError {
  const error = failure(() => detectAnomaly(fn))
  expect(error).toBeInstanceOf(AnomalyError)
  return error as AnomalyError
}

/** The line of the test that calls this, less `above`. */
function line(above: number): string {
  const caller = new Error().stack!.split('\n')[2]!
  const [, file, number] = /\(?(?:file:\/\/)?([^()\s]*):(\d+):\d+\)?$/.exec(caller)!
  return `${file}:${Number(number) - above}:`
}

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true })

class Ratio extends nn.Module {
  scale = new nn.Parameter([1, 1])
  override forward(x: Tensor): Tensor {
    return x.div(x.sum()).mul(this.scale)
  }
}

describe('detectAnomaly', () => {
  test('names op, line and place of a value', () => {
    const x = leaf(2, 0, -1)
    const error = anomaly(() => x.add(1).mul(0.5).log().exp().sum())
    expect(error.source).toContain(line(1))
    expect(error.message).toMatch(/^log makes -Infinity at \[2\] of shape \[3\], called from /)
    expect(error).toMatchObject({ code: 'FOVEA_ANOMALY', op: 'log', expected: 'finite numbers', received: '-Infinity' })
  })

  test('names the module', () => {
    const model = new nn.Sequential({ body: new nn.Sequential({ ratio: new Ratio() }) })
    const error = anomaly(() => model.forward(tensor([1, -1])))
    expect(error).toMatchObject({ op: 'div', modulePath: 'body.ratio' })
    expect(error.message).toContain('(in body.ratio)')
    expect(error.source).toMatch(/anomaly\.test\.ts:\d+:\d+$/)
  })

  test('names the op whose gradient is none, also where another use of its input is innocent', () => {
    const x = leaf(0, 4)
    const error = anomaly(() => {
      const root = x.mul(1).sqrt()
      root.sum().add(x.square().sum()).backward()
    })
    expect(error.message).toMatch(/^sqrt makes a gradient towards x of Infinity at \[0\] of shape \[2\], called from /)
    expect(error.source).toContain(line(4))
  })

  test('looks at the gradients of grad, too', () => {
    const x = leaf(0, 4)
    const error = anomaly(() => grad(F.div(x, x.add(1)).pow(0.5).sum(), x))
    expect(error).toMatchObject({ op: 'pow', received: 'Infinity' })
  })

  test('looks into gradients that are written in TypeScript', () => {
    const broken = customFunction({ forward: (x) => x.mul(2), backward: ([g]) => [g!.mul(0).div(0)] })
    const error = anomaly(() => broken(leaf(1, 2)).sum().backward())
    expect(error).toMatchObject({ op: 'div', received: 'NaN' })
  })

  test('tells of a NaN that came with the data', () => {
    const error = anomaly(() => tensor([1, NaN]).add(1).exp())
    expect(error.message).toMatch(/^add is given a with NaN at \[1\] of shape \[2\]/)
  })

  test('infinities that are given as numbers are meant, a NaN made of them is not', () => {
    const mask = tensor([true, false])
    const scores = leaf(1, 2)
    const attention = () => F.softmax(scores.maskedFill(mask, -Infinity), { dim: 0 })
    expect(detectAnomaly(attention).toNestedSync()).toEqual([0, 1])
    const error = anomaly(() => scores.maskedFill(mask, Infinity).sub(Infinity))
    expect(error).toMatchObject({ op: 'sub', received: 'NaN' })
  })

  test('changes nothing where all is well', () => {
    const [a, b] = [leaf(1, 2, 3), leaf(1, 2, 3)]
    const loss = (x: Tensor) => x.square().log().add(x.exp()).mean()
    const watched = detectAnomaly(() => {
      const y = loss(a)
      y.backward()
      return y
    })
    const plain = loss(b)
    plain.backward()
    expect(watched.itemSync()).toBe(plain.itemSync())
    expect(a.grad!.toNestedSync()).toEqual(b.grad!.toNestedSync())
    expect(leaf(0).log().itemSync()).toBe(-Infinity)
  })

  test.skipIf(!gpu)('looks at values on the GPU', () => {
    const x = tensor([0, 4], { device: 'gpu', requiresGrad: true })
    expect(anomaly(() => x.mul(2).log())).toMatchObject({ op: 'log', received: '-Infinity' })
    expect(anomaly(() => x.mul(2).sqrt().sum().backward())).toMatchObject({ op: 'sqrt', received: 'Infinity' })
  })

  test('finds the layer of a network in training', () => {
    class Log extends nn.Module {
      override forward(y: Tensor): Tensor {
        return y.log()
      }
    }
    manualSeed(1)
    const model = new nn.Sequential(new nn.Linear(3, 4), new nn.ReLU(), new Log(), new nn.Linear(4, 2))
    const step = () => {
      const loss = F.crossEntropy(
        model.forward(
          tensor([
            [1, 2, 3],
            [-3, -2, -1],
          ]),
        ),
        tensor([0, 1], { dtype: 'i32' }),
      )
      loss.backward()
    }
    expect(anomaly(step)).toMatchObject({ op: 'log', modulePath: '2', received: '-Infinity' })
  })

  test('a callback that returns a promise is refused', () => {
    expect(failure(() => detectAnomaly(async () => 1))).toBeInstanceOf(ArgumentError)
  })
})
