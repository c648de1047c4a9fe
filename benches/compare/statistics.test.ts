import { expect, test } from 'vitest'
import { geometricMean, median, medianInterval } from './statistics.ts'

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1)

test('the median of an odd and of an even number of samples', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 3, 2])).toBe(2.5)
})

test('the interval of the median has the ranks of the tables', () => {
  // Conover, Practical Nonparametric Statistics: 95 % ranks for n = 6, 15, 60
  expect(medianInterval(upTo(6))).toEqual([1, 6])
  expect(medianInterval(upTo(15))).toEqual([4, 12])
  expect(medianInterval(upTo(60))).toEqual([22, 39])
})

test('with few samples the interval is all that was seen', () => {
  expect(medianInterval([2, 1])).toEqual([1, 2])
})

test('the geometric mean of a ratio and its inverse is 1', () => {
  expect(geometricMean([4, 0.25])).toBeCloseTo(1, 12)
})
