/** Metrics by themselves: merging, and states in the middle of counting. */
import { describe, expect, test } from 'vitest'
import { ArgumentError, F, randn, tensor, withSeed, type Tensor } from 'fovea'
import { Accuracy, MeanLoss, type Metric } from 'fovea/metrics'

const batches = withSeed(3, () =>
  [4, 6, 5].map(
    (n) =>
      [
        randn([n, 3]),
        tensor(
          Array.from({ length: n }, (_, i) => i % 3),
          { dtype: 'i32' },
        ),
      ] as [Tensor, Tensor],
  ),
)
const makers: Record<string, () => Metric> = {
  Accuracy: () => new Accuracy(),
  MeanLoss: () => new MeanLoss((y, t) => F.crossEntropy(y, t)),
}

describe.each(Object.entries(makers))('%s', (_, make) => {
  const over = (from: number, to: number, metric = make()) => {
    for (const [output, target] of batches.slice(from, to)) metric.update(output, target)
    return metric
  }

  test('two parts merged are the whole', async () => {
    const whole = await over(0, 3).compute()
    const merged = over(0, 1)
    merged.merge!(over(1, 3))
    merged.merge!(make())
    expect(await merged.compute()).toBeCloseTo(whole, 12)
    expect(await over(0, 1).compute()).not.toBe(whole)
  })

  test('what took over a state in the middle goes on to the same bits', async () => {
    const next = make()
    next.loadStateDict!(over(0, 2).stateDict!())
    expect(await over(2, 3, next).compute()).toBe(await over(0, 3).compute())
    next.loadStateDict!(make().stateDict!())
    expect(await next.compute()).toBeNaN()
  })
})

test('metrics of two kinds are not merged', () => {
  const mixed = () => (new Accuracy() as Metric).merge!(makers.MeanLoss!())
  expect(mixed).toThrow(ArgumentError)
  expect(mixed).toThrow('merge: other must be a Accuracy, got an object of class MeanLoss')
})
