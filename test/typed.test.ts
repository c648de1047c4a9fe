/** Shapes in types: what the compiler knows, what it refuses (`npm run check` looks at that), and what runs. */
import { expect, expectTypeOf, test } from 'vitest'
import { ones, randn, ShapeError, zeros, type Tensor } from 'fovea'
import { add, matmul, mul, shaped, sub, transpose, type Shaped } from 'fovea/typed'

const x = shaped(ones([2, 3]), [2, 3])
const w = shaped(ones([3, 4]), [3, 4])
const batch = shaped(randn([5, 2, 3]), [-1, 2, 3])

test('results have the shapes that their types say', () => {
  const y = matmul(x, w)
  expectTypeOf(y.shape).toEqualTypeOf<readonly [2, 4]>()
  expect(y.shape).toEqual([2, 4])
  const z = add(y, shaped(zeros([4]), [4]))
  expectTypeOf(z.shape).toEqualTypeOf<readonly [2, 4]>()
  const t = mul(transpose(z), shaped(ones([4, 1]), [4, 1]))
  expectTypeOf(t.shape).toEqualTypeOf<readonly [4, 2]>()
  expect([t.shape, t.sum().itemSync()]).toEqual([[4, 2], 24])
  const many = sub(matmul(batch, w), z)
  expectTypeOf(many.shape).toEqualTypeOf<readonly [number, 2, 4]>()
  expect(many.shape).toEqual([5, 2, 4])
})

test('a shaped tensor is a tensor like any other', () => {
  const plain: Tensor = x
  const back: Shaped<readonly [2, 3]> = shaped(plain.relu(), [2, 3])
  expect(back.shape).toEqual([2, 3])
})

test('shapes that do not meet are errors of the compiler, and of the call', () => {
  // @ts-expect-error -- 3 and 2
  expect(() => matmul(x, x)).toThrow(ShapeError)
  // @ts-expect-error -- [2, 3] and [4]
  expect(() => add(x, shaped(zeros([4]), [4]))).toThrow(ShapeError)
  // @ts-expect-error -- [2, 3] and [3, 4]
  expect(() => mul(x, w)).toThrow(ShapeError)
  expect(() => shaped(x, [3, 2])).toThrow('shaped: x has shape [2, 3], expected [3, 2]')
  expect(() => shaped(x, [-1])).toThrow(ShapeError)
})
