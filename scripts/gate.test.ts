import { expect, test } from 'vitest'
import { updated, violations } from './gate.mjs'

const figures = { a: { instructions: 100 }, b: { instructions: 200, reason: 'exact in the tails' } }

test('the gate lets three per cent pass and names what takes more, is new or is gone', () => {
  expect(violations({ a: 103, b: 150 }, figures)).toEqual([])
  expect(violations({ a: 104, c: 1 }, figures)).toEqual([
    'a takes 4.0 % more instructions',
    'c has no figure',
    'b is no case any more',
  ])
})

test('a raised figure needs a reason, a lower one loses it, an equal one stays', () => {
  expect(() => updated({ a: 110, b: 200 }, figures, undefined)).toThrow('--reason')
  expect(updated({ a: 110, b: 150 }, figures, 'why')).toEqual({
    a: { instructions: 110, reason: 'why' },
    b: { instructions: 150 },
  })
  expect(updated({ a: 101, b: 201 }, figures, undefined)).toEqual(figures)
})
