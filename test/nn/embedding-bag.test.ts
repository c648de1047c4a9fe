/** Bags of rows: what the fixtures of layers don't show. */
import { describe, expect, test } from 'vitest'
import { F, nn, optim, tensor, zeros } from 'fovea'
import { failure, numbers } from '../engine.ts'

const ints = (values: number[]) => tensor(values, { dtype: 'i32' })
const weight = tensor([
  [1, 2],
  [3, 5],
  [-4, 0],
])

describe('embeddingBag', () => {
  test('bags at offsets are those of equal length where they agree', () => {
    const square = tensor([[0, 1], [2, 2]], { dtype: 'i32' }) // prettier-ignore
    for (const mode of ['sum', 'mean', 'max'] as const) {
      const bags = numbers(F.embeddingBag(square, weight, { mode }))
      const parts = numbers(F.embeddingBag(ints([0, 1, 2, 2]), weight, { mode, offsets: ints([0, 2]) }))
      const ends = { offsets: ints([0, 2, 4]), includeLastOffset: true }
      expect(parts, mode).toEqual(bags)
      expect(numbers(F.embeddingBag(ints([0, 1, 2, 2]), weight, { mode, ...ends })), mode).toEqual(bags)
    }
  })

  test('empty bags, and bags of padding alone, give zeros and no gradient', () => {
    for (const mode of ['sum', 'mean', 'max'] as const) {
      const table = new nn.EmbeddingBag(3, 2, { mode, paddingIdx: -1 })
      const y = table.forward(ints([2, 2, 0]), { offsets: ints([0, 2, 2]) })
      expect(numbers(y).slice(0, 4), mode).toEqual([0, 0, 0, 0])
      y.sum().backward()
      expect(numbers(table.weight.grad!), mode).toEqual([1, 1, 0, 0, 0, 0])
      expect(numbers(F.embeddingBag(zeros([2, 0], { dtype: 'i32' }), weight, { mode })), mode).toEqual([0, 0, 0, 0])
    }
  })

  test('a table trains, but for its padding', async () => {
    const table = new nn.EmbeddingBag(4, 3, { mode: 'sum', paddingIdx: 3 })
    const optimizer = new optim.SGD(table, { lr: 0.5 })
    F.mseLoss(table.forward(tensor([[0, 3, 1]], { dtype: 'i32' })), 1).backward()
    await optimizer.step()
    expect(numbers(table.weight).slice(9)).toEqual([0, 0, 0])
  })

  test('wrong arguments are refused', () => {
    const line = ints([0, 1, 2])
    const with_ = (offsets: number[], includeLastOffset = false) =>
      failure(() => F.embeddingBag(line, weight, { offsets: ints(offsets), includeLastOffset }))
    expect(with_([0, 2, 1]).message).toBe('embeddingBag: offsets must ascend from 0, none above 3, got [0, 2, 1]')
    expect(with_([1, 2])).toMatchObject({ code: 'FOVEA_ARGUMENT', argument: 'offsets' })
    expect(with_([0, 4])).toMatchObject({ code: 'FOVEA_ARGUMENT', argument: 'offsets' })
    expect(with_([0, 2], true).message).toContain('must ascend from 0 to 3')
    expect(failure(() => F.embeddingBag(line, weight))).toMatchObject({ code: 'FOVEA_SHAPE', argument: 'indices' })
    const square = tensor([[0, 1]], { dtype: 'i32' })
    const factors = failure(() => F.embeddingBag(square, weight, { perSampleWeights: zeros([1, 2]) }))
    expect(factors.message).toContain("null unless mode is 'sum'")
    const shape = failure(() => F.embeddingBag(square, weight, { mode: 'sum', perSampleWeights: zeros([2]) }))
    expect(shape.message).toContain('a Tensor of shape [1, 2]')
    expect(failure(() => new nn.EmbeddingBag(3, 2, { paddingIdx: 3 })).message).toContain('EmbeddingBag: paddingIdx')
  })
})
