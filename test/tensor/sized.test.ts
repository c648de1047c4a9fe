/** Functions whose results are as large as the values say. */
import { expect, test } from 'vitest'
import { nonzero, tensor, unique } from 'fovea'
import { agrees, type Call } from './reference.ts'

const different: Call = async (x) => {
  const { values, inverse, counts } = await unique(x)
  return [values, inverse, counts]
}

agrees('sized', {
  nonzero: (x) => nonzero(x),
  'nonzero of nothing': (x) => nonzero(x),
  'nonzero of a scalar': (x) => nonzero(x),
  unique: different,
  'unique of integers': different,
  'unique of booleans': different,
  'unique of nothing': different,
})

test('every NaN is different', async () => {
  const { values, inverse, counts } = await unique(tensor([NaN, 1, NaN, 1]))
  expect([values, inverse, counts].map((x) => x.toNestedSync())).toEqual([
    [1, NaN, NaN],
    [1, 0, 2, 0],
    [2, 1, 1],
  ])
})

test('anything but a tensor is refused', async () => {
  await expect(nonzero([1] as never)).rejects.toThrow('nonzero: x must be a Tensor, got [1]')
  await expect(unique(null as never)).rejects.toThrow('unique: x must be a Tensor, got null')
})
