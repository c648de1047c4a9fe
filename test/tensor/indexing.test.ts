/** Parts by numbers, ranges, integers and masks; new tensors with other parts. */
import { describe, expect, test } from 'vitest'
import { arange, F, gradcheck, gradgradcheck, randn, tensor, zeros, type Index, type Tensor } from 'fovea'
import { counted, failure } from '../engine.ts'
import { agrees } from './reference.ts'

const all = [] as const
const rows = (x: Tensor) => x.reshape([-1, 1])

agrees('indexing', {
  'at 1': (x) => x.at(1),
  'at -1, 2': (x) => x.at(-1, 2),
  'at [1, 3]': (x) => x.at([1, 3]),
  'at ..., -1': (x) => x.at('...', -1),
  'at [], null, 0': (x) => x.at(all, null, 0),
  'at [0, 4, 2] of the last': (x) => x.at('...', [0, 4, 2]),
  'at [5, 1, -2] of the last': (x) => x.at('...', [5, 1, -2]),
  'at integers': (x, a) => x.at(a!),
  'at a grid of integers': (x, a) => x.at(all, a!),
  'at integers in the middle': (x, a) => x.at(all, a!),
  'at two of integers': (x, a, b) => x.at(a!, b!),
  'at two of integers, apart': (x, a, b) => x.at(a!, all, b!),
  'at integers that broadcast': (x, a, b) => x.at(rows(a!), b!.unsqueeze(0), [1, 4]),
  'at a number between integers': (x, a, b) => x.at(a!, 1, b!),
  'at a range and integers at the end': (x, a, b) => x.at([0, 2], a!.at([0, 2]), b!.at([null, 2])),
  'at one integer as a tensor': (x, a) => x.at(a!),
  'at new dimensions around integers': (x, a) => x.at(null, a!, null),
  'at a mask': (x, a) => x.at(all, a!),
  'at a mask of several dimensions': (x) => x.at(x.gt(0)),
  'at a mask of the first two': (x) => x.at(x.at('...', 0).gt(0)),
  'at a mask and integers': (x, a, b) => x.at(a!, b!),
  'with 1, 2': (x, value) => x.withAt([1, 2], value!),
  'with a range': (x, value) =>
    x.withAt(
      [
        [0, 2],
        [1, 4, 2],
      ],
      value!,
    ),
  'with a number': (x) => x.withAt(['...', 0], 7),
  'with integers': (x, value, a) => x.withAt([a!], value!),
  'with two of integers': (x, value, a, b) => x.withAt([a!, all, b!], value!),
  'with a mask': (x, value) => x.withAt([x.gt(0)], value!),
  'with a mask of rows': (x, value, a) => x.withAt([all, a!], value!),
  scatter: (x, index, source) => x.scatter(1, index!, source!),
})

const integers = (...values: number[]) => tensor(values, { dtype: 'i32' })

describe('indexing', () => {
  const x = arange(0, 12).reshape([3, 4])

  test('ranges follow Python', () => {
    const line = arange(0, 6)
    const taken: [Index, number[]][] = [
      [[2], [2, 3, 4, 5]],
      [
        [null, -2],
        [0, 1, 2, 3],
      ],
      [
        [-3, null],
        [3, 4, 5],
      ],
      [
        [null, null, -1],
        [5, 4, 3, 2, 1, 0],
      ],
      [
        [-2, null, -2],
        [4, 2, 0],
      ],
      [
        [1, 100],
        [1, 2, 3, 4, 5],
      ],
      [[4, 2], []],
      [[2, 4, -1], []],
    ]
    for (const [index, values] of taken) expect(line.at(index).toNestedSync(), JSON.stringify(index)).toEqual(values)
  })

  test('random indices name what loops over them name, and withAt changes just that', () => {
    let state = 7
    const below = (n: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return Math.floor((state / 2 ** 32) * n)
    }
    /** A number or range for a dimension of `size`, and what it names. */
    const random = (size: number): [Index, places: number[], stays: boolean] => {
      if (below(3) === 0) {
        const i = below(size)
        return [below(2) === 0 ? i : i - size, [i], false]
      }
      const step = [1, 1, 2, -1, -3][below(5)]!
      const bound = () => (below(3) === 0 ? null : below(2 * size + 4) - size - 2)
      const [start, end] = [bound(), bound()]
      const named = Array.from({ length: size }, (_, i) => i)
      const from = (v: number) => (v < 0 ? v + size : v)
      const first = start === null ? (step > 0 ? 0 : size - 1) : Math.min(from(start), step > 0 ? size : size - 1)
      const places: number[] = []
      for (let i = Math.max(first, step > 0 ? 0 : -1); ; i += step) {
        const over = end === null ? i < 0 || i >= size : step > 0 ? i >= from(end) : i <= Math.max(from(end), -1)
        if (over || i < 0 || i >= size) break
        places.push(named[i]!)
      }
      return [[start, end, step], places, true]
    }
    for (let n = 0; n < 300; n++) {
      const shape = Array.from({ length: 1 + below(3) }, () => 1 + below(5))
      const size = shape.reduce((a, b) => a * b, 1)
      const whole = arange(0, size).reshape(shape)
      const parts = shape.map(random)
      const named = parts.reduce<number[]>(
        (all_, [, places], d) => all_.flatMap((at) => places.map((i) => at * shape[d]! + i)),
        [0],
      )
      const index = parts.map(([i]) => i)
      const taken = whole.at(...index)
      const what = `${JSON.stringify(index)} of ${JSON.stringify(shape)}`
      expect(taken.shape, what).toEqual(parts.flatMap(([, places, stays]) => (stays ? [places.length] : [])))
      expect(Array.from(taken.dataSync()), what).toEqual(named)
      const changed = Array.from({ length: size }, (_, i) => (named.includes(i) ? -1 : i))
      expect(Array.from(whole.withAt(index, -1).dataSync()), what).toEqual(changed)
    }
  })

  test('only masks are read', async () => {
    const y = randn([3, 4])
    const places = integers(0, 2).add(0)
    expect((await counted(() => y.at(places, [1, 3]).add(y.at(1, null, [0, 2])))).evaluations).toBe(0)
    expect((await counted(() => y.withAt([y.gt(0)], 0))).evaluations).toBe(0)
    expect((await counted(() => y.at(y.gt(0)))).evaluations).toBe(1)
  })

  test('what was indexed stays what it was; values take its dtype', () => {
    const y = tensor([1, 2, 3], { dtype: 'i32' })
    const z = y.withAt([[1]], tensor([7.9, -8.9]))
    expect([z.dtype, z.toNestedSync(), y.toNestedSync()]).toEqual(['i32', [1, 7, -8], [1, 2, 3]])
    expect(tensor([true, false]).withAt([1], 1).toNestedSync()).toEqual([true, true])
  })

  test('the last of several values for one place stands', () => {
    expect(
      zeros([3])
        .withAt([integers(1, 1, -1)], tensor([5, 6, 7]))
        .toNestedSync(),
    ).toEqual([0, 6, 7])
  })

  test('gradients agree with differences to second order', async () => {
    const a = tensor(
      [
        [0.3, -1, 2],
        [1.5, 0.7, -0.2],
      ],
      { dtype: 'f64' },
    )
    const value = tensor([4, 5], { dtype: 'f64' })
    const functions: ((x: Tensor, v: Tensor) => Tensor)[] = [
      (y) => y.at(integers(1, 0, 1), integers(2, -1, 2)).square(),
      (y) => y.at(y.gt(0)).exp(),
      (y, v) =>
        y
          .square()
          .withAt([all, integers(0, 2)], v.square())
          .exp(),
      (y, v) =>
        y
          .square()
          .withAt(['...', [null, null, 2]], v.square())
          .exp(),
    ]
    for (const f of functions) {
      expect(await gradcheck(f, [a, value])).toBe(true)
      expect(await gradgradcheck(f, [a, value])).toBe(true)
    }
  })

  const refused: Record<string, [call: () => unknown, message: string]> = {
    'a number out of range': [() => x.at(3), 'at: index[0] must be from -3 to 2 for shape [3, 4], got 3'],
    'more indices than dimensions': [
      () => x.at(0, integers(0), 0),
      'at: 3 indices for a tensor of rank 2, shape [3, 4]',
    ],
    'a second ellipsis': [() => x.at('...', '...'), "at: index must be indices with one '...', got an array of 2"],
    'a step of 0': [() => x.at([0, 3, 0]), 'at: index[0][2] must be a step other than 0, got 0'],
    'a fraction': [() => x.at(0.5), 'at: index[0] must be an integer, got 0.5'],
    floats: [() => x.at(tensor([1])), "at: index[0] is f32; cast it with to('i32'), or make a mask with ne(0)"],
    'a mask of another shape': [
      () => x.at([], tensor([true, false])),
      'at: index[1] is a mask of shape [2] for dimensions of shape [4]',
    ],
    'a mask of another shape for a number': [
      () => x.withAt([tensor([true, false])], 0),
      'withAt: index[0] is a mask of shape [2] for dimensions of shape [3]',
    ],
    'integers that do not broadcast': [
      () => x.at(integers(0, 1), integers(0, 1, 2)),
      "at: indices of shapes [2] and [3] can't be broadcast together",
    ],
    'a value that does not fit': [
      () => x.withAt([0], zeros([3])),
      'withAt: value has shape [3] for a part of shape [4]',
    ],
    'an index that is no array': [() => x.withAt(0 as never, 1), 'withAt: index must be an array of indices, got 0'],
    'an integer out of range': [
      () => x.at(integers(0, -4)).dataSync(),
      'indexSelect: index -4 at position [1] is out of range for a dimension of size 3',
    ],
    'one of several integers out of range': [
      () => x.at(integers(0, 1), integers(9, 0)).dataSync(),
      'indexSelect: index 9 at position [0] is out of range for a dimension of size 4',
    ],
  }
  test.each(Object.entries(refused))('refuses %s', (_, [call, message]) => {
    expect(failure(call).message).toBe(message)
  })

  test('nothing is a part, too', () => {
    expect(x.at(tensor([false, false, false])).shape).toEqual([0, 4])
    expect(x.at(tensor([], { shape: [0], dtype: 'i32' })).toNestedSync()).toEqual([])
    expect(F.pad(x.at([3, null]), [0, 1]).shape).toEqual([0, 5])
  })
})
