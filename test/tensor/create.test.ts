/** Tensors from JavaScript's values, and the dtypes of what is made of them. */
import { describe, expect, test } from 'vitest'
import { F, ones, tensor, type DType } from 'fovea'
import { failure } from '../engine.ts'
import { fixtures } from './reference.ts'

describe('tensor', () => {
  test('nested arrays, whose innermost may be typed', () => {
    expect(
      tensor([
        [[1], [2]],
        [[3], [4]],
      ]).shape,
    ).toEqual([2, 2, 1])
    const rows = tensor([new Int32Array([1, 2, 3]), new Int32Array([4, 5, 6])])
    expect([rows.dtype, rows.toNestedSync()]).toEqual([
      'i32',
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ])
    expect(tensor([new Float64Array(2), [1, 2]]).dtype).toBe('f64')
    expect(tensor([new Float32Array([0.5])], { dtype: 'f64' }).toNestedSync()).toEqual([[0.5]])
    expect(tensor([]).shape).toEqual([0])
    expect(tensor([[], []]).shape).toEqual([2, 0])
  })

  test('typed arrays keep their type or take the next that holds them', () => {
    const dtypes: [Parameters<typeof tensor>[0], DType][] = [
      [new Float32Array(1), 'f32'],
      [new Float64Array(1), 'f64'],
      [new Int32Array(1), 'i32'],
      [new BigInt64Array(1), 'i64'],
      [new Uint8Array(1), 'u8'],
      [new Uint8ClampedArray(1), 'u8'],
      [new Int8Array(1), 'i32'],
      [new Int16Array(1), 'i32'],
      [new Uint16Array(1), 'i32'],
      [new Uint32Array(1), 'i64'],
    ]
    for (const [data, dtype] of dtypes) expect(tensor(data).dtype, data.constructor.name).toBe(dtype)
    expect(tensor(new Int8Array([-3, 7])).toNestedSync()).toEqual([-3, 7])
    expect(tensor(new Uint32Array([2 ** 32 - 1])).toNestedSync()).toEqual([2n ** 32n - 1n])
    const bytes = new Uint8Array([9, 8, 7, 6])
    expect(tensor(new Uint8ClampedArray(bytes.buffer, 1, 2)).toNestedSync()).toEqual([8, 7])
  })

  const wrong = (value: unknown) => value as never
  const refused: Record<string, [call: () => unknown, message: string]> = {
    'ragged arrays': [
      () => tensor([[1, 2], [3]]),
      'tensor: data is ragged: data[1] is an array of 1 where its neighbours are an array of 2',
    ],
    'ragged typed arrays': [
      () => tensor([new Float32Array(2), new Float32Array(3)]),
      'tensor: data is ragged: data[1] is an array of 3 where its neighbours are an array of 2',
    ],
    'a number beside arrays': [
      () => tensor([[1], 2]),
      'tensor: data is ragged: data[1] is a number where its neighbours are an array of 1',
    ],
    text: [() => tensor(wrong('1')), `tensor: data[0] must be a number for dtype f32, got "1"`],
    nothing: [() => tensor(wrong(null)), 'tensor: data[0] must be a number for dtype f32, got null'],
    'numbers beside booleans': [
      () => tensor([true, 2]),
      'tensor: data[1] must be a boolean, 0 or 1 for dtype bool, got 2',
    ],
    'fractions as integers': [
      () => tensor([0.5], { dtype: 'i32' }),
      'tensor: data[0] must be an integer from -2147483648 to 2147483647 for dtype i32, got 0.5',
    ],
    'an array that no dtype is read from': [
      () => tensor(wrong(new BigUint64Array(1))),
      'tensor: data must be a Float32Array, Float64Array, Int32Array, BigInt64Array or Uint8Array, or an array of ' +
        'smaller integers, got a BigUint64Array of 1',
    ],
  }
  test.each(Object.entries(refused))('refuses %s', (_, [call, message]) => {
    expect(failure(call).message).toBe(message)
  })
})

describe('promotion', () => {
  // A number beside booleans is i32, the integer that indices have here too.
  const ours = (left: string, right: string, dtype: DType) => (left === 'bool' && right === '2' ? 'i32' : dtype)

  test.each(Object.entries(fixtures.promotion))('of %s is that of PyTorch', (left, results) => {
    const x = ones([2], { dtype: left as DType })
    const found = Object.keys(results).map((right) => {
      const dtype = right.replace('scalar ', '') as DType
      const other = Number(right) ? Number(right) : ones(dtype === right ? [2] : [], { dtype })
      return [right, x.add(other).dtype, F.add(other, x).dtype]
    })
    const wanted = Object.entries(results).map(([right, dtype]) => [right, ours(left, right, dtype)] as const)
    expect(found).toEqual(wanted.map(([right, dtype]) => [right, dtype, dtype]))
  })
})
