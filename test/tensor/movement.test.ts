/** Borders, parts, repetitions, rotations and diagonals. */
import { describe, expect, test } from 'vitest'
import { arange, F, tensor, zeros, type Tensor } from 'fovea'
import { failure } from '../engine.ts'
import { agrees } from './reference.ts'

agrees('movement', {
  'pad constant [1, 2]': (x) => x.pad([1, 2]),
  'pad constant [1, -1, 0, 2], value 5': (x) => x.pad([1, -1, 0, 2], { value: 5 }),
  'pad constant, all dimensions': (x) => F.pad(x, [0, 1, 2, 0, 1, 1]),
  'pad reflect [2, 1]': (x) => x.pad([2, 1], { mode: 'reflect' }),
  'pad reflect [3, 0, 1, 2]': (x) => x.pad([3, 0, 1, 2], { mode: 'reflect' }),
  'pad replicate [2, 3]': (x) => x.pad([2, 3], { mode: 'replicate' }),
  'pad replicate [1, 0, 4, 1]': (x) => x.pad([1, 0, 4, 1], { mode: 'replicate' }),
  'pad circular [4, 1]': (x) => x.pad([4, 1], { mode: 'circular' }),
  'pad circular [1, 2, 3, 0]': (x) => x.pad([1, 2, 3, 0], { mode: 'circular' }),
  'pad replicate [-1, 2]': (x) => x.pad([-1, 2], { mode: 'replicate' }),
  narrow: (x) => x.narrow(1, -2, 2),
  movedim: (x) => x.movedim(0, -1),
  'movedim of two': (x) => x.movedim([0, 2], [1, 0]),
  unbind: (x) => x.unbind({ dim: 1 }),
  'split 2': (x) => x.split(2, { dim: 1 }),
  'split [1, 3]': (x) => x.split([1, 3], { dim: -1 }),
  'chunk 3': (x) => x.chunk(3, { dim: 2 }),
  'chunk 5': (x) => x.chunk(5),
  repeat: (x) => x.repeat([2, 1, 3]),
  'repeat, more dimensions': (x) => x.repeat([2, 1, 2, 1]),
  'repeat, none': (x) => x.repeat([2, 0, 1]),
  tile: (x) => x.tile([2, 3]),
  'repeatInterleave 2, dim 1': (x) => x.repeatInterleave(2, { dim: 1 }),
  'repeatInterleave 3': (x) => x.repeatInterleave(3),
  'repeatInterleave [0, 2, 1], dim 1': (x) => x.repeatInterleave([0, 2, 1], { dim: 1 }),
  'roll 1': (x) => x.roll(1),
  'roll [-1, 5], dims [1, 2]': (x) => x.roll([-1, 5], [1, 2]),
  rot90: (x) => x.rot90(),
  'rot90 -1, dims [1, 2]': (x) => x.rot90(-1, [1, 2]),
  'rot90 2, dims [2, 0]': (x) => x.rot90(2, [2, 0]),
  meshgrid: (...axes) => F.meshgrid(axes),
  'meshgrid xy': (...axes) => F.meshgrid(axes, { indexing: 'xy' }),
  tril: (x) => x.tril(),
  'tril 1': (x) => x.tril(1),
  'triu -1': (x) => x.triu(-1),
  'diag of a vector': (x) => x.diag(),
  'diag of a vector, 2': (x) => x.diag(2),
  'diag of a vector, -1': (x) => x.diag(-1),
  'diag of a matrix': (x) => x.diag(),
  'diagonal 1': (x) => x.diagonal(1),
  'diagonal -2': (x) => x.diagonal(-2),
  'diagonal 4': (x) => x.diagonal(4),
  trace: (x) => x.trace(),
  oneHot: (x) => F.oneHot(x, 4),
})

const wrong = (value: unknown) => value as never
const x = zeros([2, 3])

describe('movement', () => {
  const refused: Record<string, [call: () => Tensor | Tensor[], message: string]> = {
    'a mirrored border as wide as the dimension': [
      () => x.pad([3, 0], { mode: 'reflect' }),
      "pad: 3 elements don't fit mode 'reflect' along dimension 1 of shape [2, 3]",
    ],
    'padding of more dimensions than there are': [
      () => x.pad([1, 1, 1, 1, 1, 1]),
      "pad: padding must be pairs of numbers for at most 2 dimensions, the last one's first, got [1, 1, 1, 1, 1, 1]",
    ],
    'more taken away than there is': [
      () => x.pad([-2, -2]),
      'pad: less than nothing is left of dimension 1 of shape [2, 3]',
    ],
    'another mode': [
      () => x.pad([1, 1], { mode: wrong('wrap') }),
      `pad: mode must be 'constant', 'reflect', 'replicate' or 'circular', got "wrap"`,
    ],
    'sizes that do not add up': [
      () => x.split([1, 1], { dim: 1 }),
      'split: sizes add up to 2, dimension 1 of shape [2, 3] is 3',
    ],
    'a part of no size': [() => x.split(0), 'split: size must be a whole number from 1 on, got 0'],
    'a part beyond the end': [() => x.narrow(1, 2, 2), 'narrow: length must be a whole number up to 1, got 2'],
    'shifts without their dimensions': [
      () => x.roll([1, 2]),
      'roll: shifts must be one number where no dimension is given, got [1, 2]',
    ],
    'a triangle of a vector': [
      () => zeros([3]).tril(),
      'tril: x must be a matrix or several, [..., N, M], got a Tensor of shape [3]',
    ],
    'dimensions that come twice': [
      () => x.movedim([0, 0], [0, 1]),
      'movedim: from must be distinct dimensions, got [0, 0]',
    ],
    'a list of another length': [
      () => x.repeatInterleave([1, 2], { dim: 1 }),
      'repeatInterleave: repeats must be a number, or 3 for dimension 1, got [1, 2]',
    ],
    'float classes': [
      () => F.oneHot(x, 3),
      "oneHot: x must be class indices, i32 or i64 (cast with to('i32')), got a Tensor of shape [2, 3]",
    ],
  }
  test.each(Object.entries(refused))('refuses %s', (_, [call, message]) => {
    expect(failure(call).message).toBe(message)
  })

  test('a class that is none is told when it is computed', () => {
    const y = F.oneHot(tensor([0, 3], { dtype: 'i32' }), 3)
    expect(failure(() => y.dataSync()).message).toContain('index 3 at position [1, 0] is out of range')
  })

  test('one-hot rows of another dtype', () => {
    const y = F.oneHot(arange(2, { dtype: 'i64' }), 2, { dtype: 'f32' })
    expect([y.dtype, y.toNestedSync()]).toEqual([
      'f32',
      [
        [1, 0],
        [0, 1],
      ],
    ])
  })
})
